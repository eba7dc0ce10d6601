"""``python -m model_lifecycle.stack up | down | page | become``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import ports
from .instance import Instance
from .run_service import become
from .service import NotReady
from .stack import Stack
from .status_page import page

_FOLDER = Path(".stack")


def main() -> int:
    arguments = _arguments()
    if arguments.command == "become":
        become(arguments.part, arguments.folder)
    try:
        if arguments.command == "up":
            _up(arguments.folder, ports.parse(arguments.port))
        elif arguments.command == "down":
            _down(arguments.folder)
        else:
            _say(page(Instance.load(arguments.folder.absolute())))
    except (NotReady, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except FileNotFoundError:
        sys.stderr.write(f"there is no stack in {arguments.folder}; make up starts one\n")
        return 1
    return 0


def _up(folder: Path, requested: dict[str, int]) -> None:
    began = time.monotonic()
    stack = Stack(Instance.at(folder, requested), lambda text: _say(f"  ✓ {text}"))
    stack.up()
    _say(f"All healthy after {time.monotonic() - began:.0f} s.")
    _say(page(stack.instance))


def _down(folder: Path) -> None:
    stack = Stack(Instance.load(folder.absolute()))
    if not stack.running:
        _say("The stack does not run.")
        return
    stack.down()
    _say(f"Stopped. The data stay in {folder}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="model_lifecycle.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("up", "start what does not run, and print where everything is"),
        ("down", "stop everything; the data stay"),
        ("page", "print where everything is"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("--folder", type=Path, default=_FOLDER)
        if name == "up":
            command.add_argument(
                "--port", action="append", default=[], metavar="NAME=PORT", help="another port"
            )
    process = commands.add_parser("become", help="become a part (supervisor calls this)")
    process.add_argument("part")
    process.add_argument("folder", type=Path)
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
