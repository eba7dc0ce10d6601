"""Measure the package's structure. ``python tests/architecture/targets.py`` prints a table."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
import tomllib
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


def pronoun_subjects(path: Path) -> list[str]:
    """Docstrings of a file that begin with "Who", "Whoever" or "What" instead of their subject."""
    result = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if re.match(r"(Who|Whoever|What)\b", text):
                result.append(f"{path}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}")
    return result


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


def imports_among_children(folder: str) -> set[tuple[str, str]]:
    """Pairs ``(importer, imported)`` of children of a folder: a file or a folder directly below it
    is one node, whatever is inside."""
    children = {
        (_child(folder, module), _child(folder, target))
        for module, targets in import_graph().items()
        for target in targets
    }
    return {
        (importer, imported)
        for importer, imported in children
        if importer and imported and importer != imported
    }


def _child(folder: str, module: str) -> str:
    """The child of the folder that a module is or lies in; empty for one outside of it."""
    parts = module.split(".")
    return parts[1] if parts[0] == folder and len(parts) > 1 else ""


def levels(imports: set[tuple[str, str]]) -> int:
    """The longest chain of imports, counted in nodes. Without an end where they form a cycle."""
    longest: dict[str, int] = {}

    def level(node: str, path: tuple[str, ...]) -> int:
        if node in path:
            raise ValueError(f"imports form a cycle: {' -> '.join([*path, node])}")
        if node not in longest:
            imported = [
                level(target, (*path, node)) for source, target in imports if source == node
            ]
            longest[node] = 1 + max(imported, default=0)
        return longest[node]

    return max((level(source, ()) for source, _ in imports), default=1)


def typed_folders() -> tuple[set[str], set[str]]:
    """The folders at the top with Python files, and those that ``make check`` gives to mypy, which
    ``pyproject.toml`` sets to strict for all of them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    checked = re.search(r"^CODE := (.*)$", makefile, re.MULTILINE)
    folders = {path.parts[0] for path in files("*.py") if len(path.parts) > 1}
    return folders, set(checked[1].split()) if checked and settings["strict"] is True else set()


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
