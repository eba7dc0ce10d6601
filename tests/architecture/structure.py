"""Measure the package's structure: ``python tests/architecture/structure.py`` prints a table."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "model_lifecycle"
#: Top-level folders that are product code.
PRODUCT = ("api", "cli", "client", "dags", "gates", "operators", "plugin", "registry", "stack")
MAX_MODULES, MAX_LINES = 20, 350
#: Words that the glossary retires, as words of an identifier.
RETIRED_NAMES = frozenset({"told", "said", "asked", "found", "wanted", "seen", "shown", "kept"})
#: A term of the field that contains one of these words.
_FIELD_TERM = re.compile(r"Not_?Found", re.IGNORECASE)
#: Phrases that the glossary retires, in docstrings, comments, messages and documentation.
RETIRED_PHRASES = re.compile(
    r"\b(whoever|harmless to repeat|of then|of now|takes? back|held back|(?:is|are|was|were) told"
    r"|who asks|who comes too late|is away|made anew|verdict falls)\b",
    re.IGNORECASE,
)


def files(*patterns: str) -> list[Path]:
    """The files that git tracks and that exist, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(Path(name) for name in names.splitlines() if (ROOT / name).is_file())


def product_modules() -> list[Path]:
    """Python files of the package, without tests and benchmarks."""
    return [path for path in files("*.py") if path.parts[0] in PRODUCT]


def modules_per_folder() -> dict[str, int]:
    """Number of modules of each folder of the package, ``__init__`` aside."""
    folders = Counter(
        str(path.parent) for path in product_modules() if path.name not in ("__init__.py",)
    )
    return dict(folders)


def long_files() -> dict[str, int]:
    """Python files (tests included) of more than MAX_LINES lines."""
    lengths = {str(p): len((ROOT / p).read_text("utf-8").splitlines()) for p in files("*.py")}
    return {name: length for name, length in lengths.items() if length > MAX_LINES}


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every name in a Python file."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def retired_names(path: Path) -> list[str]:
    """Identifiers of a file that contain a retired word, with their lines."""
    return [
        f"{path}:{line}: {name}" for line, name in identifiers(path) if RETIRED_NAMES & _words(name)
    ]


def _words(name: str) -> set[str]:
    """The words of an identifier; the name of a test is a sentence, and is checked as prose."""
    if name.startswith("test_"):
        return set()
    words = re.split(r"_|(?<=[a-z])(?=[A-Z])", _FIELD_TERM.sub("", name))
    return {word.lower() for word in words}


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of comments and strings of a Python file, or of the lines of another."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], token.string


def retired_phrases(path: Path) -> list[str]:
    """Retired phrases of a file, with their lines."""
    return [
        f"{path}:{line}: {match[0]}"
        for line, text in prose(path)
        for match in RETIRED_PHRASES.finditer(text)
    ]


@cache
def import_graph() -> dict[str, set[str]]:
    """Imports among the package's modules, those inside functions and for annotations too."""
    known = {_module(path): path for path in product_modules()}
    graph: dict[str, set[str]] = defaultdict(set)
    for name, path in known.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                graph[name] |= {
                    target for target in _targets(node, package, known) if target != name
                }
    return dict(graph)


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _targets(node: ast.ImportFrom, package: str, known: dict[str, Path]) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        parts = package.split(".")
        parents = parts[: len(parts) - (node.level - 1)]
        base = ".".join([*parents, *([node.module] if node.module else [])])
    elif base.startswith(f"{PACKAGE}."):
        base = base[len(PACKAGE) + 1 :]
    else:
        return
    for alias in node.names:
        if f"{base}.{alias.name}" in known:
            yield f"{base}.{alias.name}"
        elif base in known:
            yield base


def import_cycles() -> list[list[str]]:
    """Groups of modules that import each other (strongly connected components, Tarjan 1972)."""
    graph = import_graph()
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(graph.get(name, ())):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                cycles.append(sorted(group))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return cycles


def unions_with_report() -> list[str]:
    """Functions whose declared result is ``X | GateReport``."""
    result = []
    for path in product_modules():
        if path.parts[0] != "gates":
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
                returns = ast.unparse(node.returns)
                if "GateReport" in returns and "|" in returns and returns != "GateReport | None":
                    result.append(f"{path}:{node.lineno}: {node.name}")
    return result


def untyped_functions(path: Path) -> list[str]:
    """Functions of a file that leave the type of a parameter or of the result open."""
    result = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            parameters = [
                *(arguments.posonlyargs + arguments.args + arguments.kwonlyargs),
                *(item for item in (arguments.vararg, arguments.kwarg) if item),
            ]
            open_ones = [
                item.arg
                for item in parameters
                if item.annotation is None and item.arg not in ("self", "cls")
            ]
            if open_ones or node.returns is None:
                result.append(f"{path}:{node.lineno}: {node.name}")
    return result


def main() -> None:
    folders = modules_per_folder()
    name, most = max(folders.items(), key=lambda item: item[1])
    gates = [m for m in import_graph() if m.startswith("gates.") and m.count(".") == 1]
    rows = {
        "modules in the largest folder": f"{most} ({name})",
        "modules at the top of gates/": len(gates),
        "imports among modules of gates/": sum(
            target.startswith("gates.")
            for module in import_graph()
            if module.startswith("gates.")
            for target in import_graph()[module]
        ),
        f"files over {MAX_LINES} lines": len(long_files()),
        "import cycles": len(import_cycles()),
        "functions that return X | GateReport": len(unions_with_report()),
        "functions without types, product": sum(
            len(untyped_functions(path)) for path in product_modules()
        ),
        "functions without types, tests and benchmarks": sum(
            len(untyped_functions(path)) for path in files("tests/*.py", "benchmarks/*.py")
        ),
        "identifiers with retired words, product": sum(
            len(retired_names(path)) for path in product_modules()
        ),
        "identifiers with retired words, tests and benchmarks": sum(
            len(retired_names(path)) for path in files("tests/*.py", "benchmarks/*.py")
        ),
        "retired phrases": sum(len(retired_phrases(p)) for p in files("*.py", "*.md", "*.html")),
    }
    for label, value in rows.items():
        sys.stdout.write(f"{label:<54} {value}\n")


if __name__ == "__main__":
    main()
