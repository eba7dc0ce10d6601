"""A process that has imported everything and opened nothing: each case runs in forks of it.

Reads one case a line from standard input, and answers with one line of JSON.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[2]


def forked(work: Callable[[Callable[[Any], None]], None]) -> tuple[int, list[Any]]:
    """Run ``work`` in a fork, ended for certain: its exit status, and what it told."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(2, 1)  # what libraries print is no answer
        status = 1
        try:
            work(lambda item: _send(writer, item))
            status = 0
        except BaseException:
            _send(writer, {"error": traceback.format_exc()})
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as lines:
        messages = [json.loads(line) for line in lines]
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), messages


def _send(writer: int, item: Any) -> None:
    os.write(writer, json.dumps(item).encode() + b"\n")


def prepared_once(case: dict[str, Any]) -> dict[str, Any]:
    """The world before the operation, in an embedded registry that can be put back."""
    from stress.crash.recovery import prepare

    home = Path(case["settings"]["home"])
    _, messages = forked(lambda tell: tell(prepare(_settings(case), case["operation"])))
    shutil.rmtree(_snapshot(home), ignore_errors=True)
    shutil.copytree(home, _snapshot(home))
    return dict(messages[0])


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """Kill the operation at one point, and see what a new process finds."""
    from stress.crash.recovery import killed, recovered

    settings, name, state = _settings(case), case["operation"], case.get("state")
    if state is not None:
        shutil.rmtree(settings.home)
        shutil.copytree(_snapshot(settings.home), settings.home)
    started = time.monotonic()
    status, messages = forked(lambda tell: killed(settings, name, case["fatal"], tell, state))
    facts = {key: item[key] for item in messages for key in item if item != {"point": "committed"}}
    committed = {"point": "committed"} in messages
    result = {
        "point": facts.get("point"),
        "finished": facts.get("finished"),
        "committed": committed,
    }
    if status not in (0, -9) or "state" not in facts:
        return {**result, "problems": [facts.get("error", f"the process ended with {status}")]}
    _, answers = forked(
        lambda tell: tell(recovered(settings, name, facts["state"], committed, case["way"]))
    )
    problems = answers[0] if answers and isinstance(answers[0], list) else [str(answers)]
    return {**result, "problems": problems, "seconds": round(time.monotonic() - started, 2)}


def warmed_up(case: dict[str, Any]) -> None:
    """Import what a whole case imports, as one that runs to its end in a fork tells."""
    from stress.crash.operations import warm
    from stress.crash.recovery import killed

    def work(tell: Callable[[Any], None]) -> None:
        killed(_settings(case), "register", 0, lambda _: None)
        tell(list(sys.modules))

    _, messages = forked(work)
    for name in messages[-1] if isinstance(messages[-1], list) else ():
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    warm()
    gc.collect()
    gc.freeze()  # what is there now is shared by the forks, and not touched by their collections


def _settings(case: dict[str, Any]) -> Any:
    from model_lifecycle.registry.settings import Settings

    return Settings({}, **case["settings"])


def _snapshot(home: Path) -> Path:
    return home.with_name(f"{home.name}-kept")


def main() -> None:
    sys.path.insert(0, str(TESTS))
    warnings.simplefilter("ignore")
    what: dict[str, Callable[[dict[str, Any]], Any]] = {
        "warm up": warmed_up,
        "prepare": prepared_once,
        "run": run_case,
    }
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(what[case["do"]](case)), flush=True)


if __name__ == "__main__":
    main()
