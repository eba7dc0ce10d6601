"""The whole stack: up in the right order, down, and one part at a time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from . import airflow, api, demo_data, postgres
from .environment import environment
from .instance import Instance
from .ports import taken
from .service import NotReady, StackService
from .services import PARTS, SERVICES, STORES, owner_of
from .supervisor import Supervision, tail

#: Generous: the first start makes the tables of three databases, on a machine that may be busy.
READY_SECONDS = 300.0


def _silent(_text: str) -> None:
    return


class Stack:
    """``tell`` gets one line of text for each thing done."""

    def __init__(self, instance: Instance, tell: Callable[[str], None] = _silent) -> None:
        self.instance = instance
        self.supervision = Supervision(instance)
        self._tell = tell

    @property
    def running(self) -> bool:
        return self.supervision.pid is not None

    def up(self) -> None:
        """Start what does not run, and return when every part is healthy.

        Raises :class:`NotReady`, naming the part; what has started stays up for a look at it.
        """
        if not self.running:
            self._check_ports()
            self.supervision.start(PARTS)
        postgres.prepare(self.instance)
        airflow.prepare(self.instance)
        self._start(STORES)
        postgres.make_databases(self.instance)
        self._tell("databases")
        demo_data.publish(self.instance)
        self._tell("flights in S3")
        self._run("Airflow's tables", airflow.migrate_command(), airflow.settings(self.instance))
        self._run("the ledger's tables", api.upgrade_command(), api.settings(self.instance))
        if not self.instance.secrets.api_key:
            created = self._run("an API key", api.key_command(), api.settings(self.instance))
            self.instance = self.instance.with_api_key(json.loads(created)["key"])
        self._start(SERVICES)

    def down(self) -> None:
        """Stop everything; the data stay."""
        self.supervision.stop()

    def restart(self, part: StackService) -> None:
        """Stop the part, start it again, and return when it is healthy."""
        self.supervision.stop_part(part)
        self._start([part])

    def wait_for(self, part: StackService, seconds: float = READY_SECONDS) -> None:
        """Return when the part is healthy. Raises :class:`NotReady`, with the end of its log."""
        deadline = time.monotonic() + seconds
        problem: str | None = "it was not asked yet"
        while time.monotonic() < deadline:
            if self.supervision.state(part) == "FATAL":
                raise self._not_ready(part, "it ended again and again")
            problem = part.problem(self.instance)
            if problem is None:
                return
            time.sleep(0.3)
        raise self._not_ready(part, f"not healthy after {seconds:g} s: {problem}")

    def _start(self, parts: Iterable[StackService]) -> None:
        parts = list(parts)
        for part in parts:
            self.supervision.start_part(part)
        for part in parts:
            began = time.monotonic()
            self.wait_for(part)
            self._tell(f"{part.name} is healthy ({time.monotonic() - began:.0f} s)")

    def _check_ports(self) -> None:
        busy = taken(self.instance.ports)
        if busy:
            name = busy[0]
            port, part = self.instance.ports[name], owner_of(name)
            raise NotReady(
                f"{part.name} cannot start: something else listens on its port {port} ({name}); "
                f"end that, or choose another port: make up PORTS={name}=NUMBER"
            )

    def _run(self, what: str, command: Sequence[str], settings: Mapping[str, str]) -> str:
        done = subprocess.run(
            command,
            env=environment(settings),
            cwd=self.instance.folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines()[-30:]
            raise NotReady(f"{what} could not be made:\n" + "\n".join(lines))
        self._tell(what)
        return done.stdout

    def _not_ready(self, part: StackService, why: str) -> NotReady:
        log = self.supervision.log_of(part)
        return NotReady(f"{part.name} did not come up: {why}\nThe end of {log}:\n{tail(log)}")
