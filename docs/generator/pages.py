"""Write the reference pages that come from the code; mkdocs runs this file at each build.

Operators, the Python API and the policy are rendered from docstrings and signatures; commands,
settings and policy fields are tables of what the program itself accepts.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import mkdocs_gen_files
import typer
from airflow.sdk import BaseOperator

from model_lifecycle import operators, registry
from model_lifecycle.api.settings import ApiSettings
from model_lifecycle.cli.main import app
from model_lifecycle.gates.policy import promotion
from model_lifecycle.operators.base import LifecycleOperator
from model_lifecycle.operators.gate_operator import GateOperator, TrafficGateOperator
from model_lifecycle.operators.sensors.base import ModelSensor
from model_lifecycle.registry.settings import PREFIX, PROGRAM_ONLY, Settings

ROOT = Path(__file__).parents[2]
#: The classes of a policy, by the key of a policy file that they describe.
POLICY_SECTIONS = {
    "PromotionPolicy": "the file as a whole",
    "ValidationPolicy": "`validation`",
    "ShadowPolicy": "`shadow`",
    "ABPolicy": "`ab_test`",
    "Comparison": "an item of `comparisons`",
    "Limit": "an item of `limits`",
    "SliceLimit": "an item of `slices`",
    "LatencyLimit": "an item of `latency`",
    "OutcomeDemand": "an item of `outcomes`",
}


def directive(value: Any, name: str, **options: Any) -> str:
    """The lines that make mkdocstrings render ``value`` from its source."""
    if isinstance(value, type) and issubclass(value, BaseOperator):
        # Airflow calls their methods; users give arguments.
        options.setdefault("members", False)
    lines = [f"::: {value.__module__}.{name}", "    options:"] if options else []
    lines += [f"      {key}: {json.dumps(option)}" for key, option in options.items()]
    return "\n".join(lines or [f"::: {value.__module__}.{name}"]) + "\n"


def docstring(value: Any, name: str) -> str:
    """As :func:`directive`, for the docstring of ``value`` alone, without a heading."""
    hidden = {"members": False, "show_root_heading": False, "show_root_toc_entry": False}
    return directive(value, name, merge_init_into_class=False, **hidden)


def public_names(title: str, introduction: str, package: ModuleType) -> str:
    """A page with every public name of a package that has a docstring of its own."""
    directives = [
        directive(getattr(package, name), name)
        for name in package.__all__
        if hasattr(getattr(package, name), "__module__")
    ]
    return "\n".join([f"# {title}\n", f"{introduction}\n", *directives])


def operators_page() -> str:
    """The public names of the operators, then the base classes with the shared arguments."""
    introduction = (
        "Everything that `model_lifecycle.operators` exports: operators, sensors, triggers, "
        "assets, links, the hook and the DAG factories. An operator also takes the arguments of "
        "its [base classes](#base-classes), and those of every Airflow operator."
    )
    bases = ["## Base classes\n"]
    for cls in (LifecycleOperator, GateOperator, TrafficGateOperator, ModelSensor):
        bases.append(directive(cls, cls.__name__, heading_level=3, members=False))
    return "\n".join([public_names("Operators", introduction, operators), *bases])


def policy_page() -> str:
    """The fields of a policy with types and defaults, then what they mean."""
    lines = [
        "# Policy",
        "",
        "A policy is stated in Python with these classes, or in a YAML or JSON file with the same",
        "names. [Gates](../guides/gates.md) has examples.",
        "",
        directive(promotion.promotion_policy, "promotion_policy"),
    ]
    for name, key in POLICY_SECTIONS.items():
        cls = getattr(promotion, name, None) or getattr(registry, name)
        lines += [f"## {name}", "", f"In a file: {key}.", "", *field_table(fields(cls)), ""]
        lines += [docstring(cls, name)]
    return "\n".join(lines)


def field_table(items: Iterable[Field[Any]]) -> Iterator[str]:
    """Rows of a Markdown table: name, type, default."""
    yield from ("| field | type | default |", "|---|---|---|")
    for item in items:
        yield f"| `{item.name}` | {code(str(item.type))} | {code(default(item))} |"


def default(item: Field[Any]) -> str:
    """The default of a field as source text; "required" for a field without one."""
    if item.default is None and "None" not in str(item.type):
        return "see below"
    if item.default is not MISSING:
        return str(item.default) if isinstance(item.default, Path) else repr(item.default)
    return "required" if item.default_factory is MISSING else repr(item.default_factory())


def code(text: str) -> str:
    """``text`` as code inside a table's cell; a pipe in it needs no escape."""
    return f"`{text}`"


def commands_page() -> str:
    """Every command with its arguments and options, as its ``--help`` prints them."""
    lines = ["# Commands and options", "", "`model-lifecycle COMMAND --help` prints the same."]
    for name, command in commands(typer.main.get_command(app)):
        context = typer.Context(command, info_name=f"model-lifecycle {name}")
        help_text = (command.help or "").replace("\b\n", "").strip()
        lines += ["", f"## {name}", "", help_text, "", "```", command.get_usage(context), "```"]
        rows = [parameter_row(item) for item in command.params if item.name != "help"]
        if rows:
            lines += ["", "| parameter | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each command below a group with its full name. Typer's own types of these are private."""
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def parameter_row(parameter: Any) -> str:
    """Name and help of an argument or option, as a row of a table."""
    option = parameter.param_type_name == "option"
    name = ", ".join([*parameter.opts, *parameter.secondary_opts]) if option else parameter.metavar
    help_text = " ".join(str(parameter.help or "").split()).replace("|", "\\|")
    return f"| {code(name)} | {help_text} |"


def settings_page() -> str:
    """The environment variables of the registry and of the HTTP API."""
    lines = ["# Settings", "", "Settings are environment variables. Inside Airflow, the fields of"]
    lines += ["[the connection](../guides/airflow.md#connection) take precedence.", ""]
    sections: tuple[tuple[str, type[Any], str], ...] = (
        ("Registry", Settings, PREFIX),
        ("HTTP API", ApiSettings, f"{PREFIX}API_"),
    )
    for title, cls, prefix in sections:
        meanings = parameters(cls)
        lines += [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for item in fields(cls):
            if item.name not in PROGRAM_ONLY:
                variable = f"`{prefix}{item.name.upper()}`"
                lines.append(f"| {variable} | {code(default(item))} | {meanings[item.name]} |")
        lines.append("")
    return "\n".join(lines)


def parameters(value: Any) -> dict[str, str]:
    """The texts of ``:param name:`` in a docstring, as Markdown on one line each."""
    parts = re.split(r":param (\w+):", inspect.getdoc(value) or "")
    return {
        name: " ".join(text.replace("``", "`").split())
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def decisions_page() -> str:
    """The list of the decision records, by number."""
    lines = ["# Decisions", "", "Each page records one choice: its context, the decision, its"]
    lines += ["consequences, and the alternatives.", ""]
    for page in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({page.name})")
    return "\n".join(lines) + "\n"


def root_page(name: str) -> str:
    """A page of the repository's root, with its links as seen from ``docs``."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text.replace("](docs/decisions)", "](decisions/index.md)").replace("](docs/", "](")


PAGES = {
    "reference/operators.md": operators_page(),
    "reference/registry.md": public_names(
        "Python API", "Everything that `model_lifecycle.registry` exports.", registry
    ),
    "reference/policy.md": policy_page(),
    "reference/commands.md": commands_page(),
    "reference/settings.md": settings_page(),
    "decisions/index.md": decisions_page(),
    **{name.lower(): root_page(name) for name in ("CHANGELOG.md", "CONTRIBUTING.md")},
}
for path, text in PAGES.items():
    with mkdocs_gen_files.open(path, "w") as file:
        file.write(text)
