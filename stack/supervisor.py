"""Supervisor keeps the parts running: it starts them, restarts what dies, and writes their logs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .environment import environment
from .instance import Instance
from .service import NotReady, StackService

_START_SECONDS = 20.0
_STOP_SECONDS = 120.0


class Supervision:
    """The supervisor of one stack: a detached process with a pid file, asked over a socket."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._config = instance.folder / "supervisord.conf"
        self._socket = instance.folder / "supervisor.sock"
        self._pid_file = instance.folder / "supervisord.pid"

    @property
    def pid(self) -> int | None:
        """The supervisor's process id; None when it does not run."""
        try:
            pid = int(self._pid_file.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if self._answers() else None

    def start(self, parts: Sequence[StackService]) -> None:
        """Start the supervisor, detached; it starts no part by itself."""
        self._config.write_text(self._configuration(parts))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment({}), cwd=self._instance.folder
        )
        deadline = time.monotonic() + _START_SECONDS
        while done.returncode == 0 and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.1)
        output = (done.stdout + done.stderr).strip() or tail(self.log)
        raise NotReady(f"supervisor did not start:\n{output}")

    def stop(self) -> None:
        """Stop every part, each in its own way, and the supervisor."""
        pid = self.pid
        if pid is None:
            return
        with suppress(OSError):
            self._ask("supervisor", "shutdown")
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        raise NotReady(
            f"supervisor (pid {pid}) did not stop in {_STOP_SECONDS:g} s; see {self.log}"
        )

    def start_part(self, part: StackService) -> None:
        """Start a part that does not run. Returns at once."""
        if self.state(part) not in ("RUNNING", "STARTING"):
            self._ask("supervisor", "startProcess", part.name, False)

    def stop_part(self, part: StackService) -> None:
        """Stop a part; returns when it is gone."""
        self._ask("supervisor", "stopProcess", part.name, True)

    def signal_part(self, part: StackService, signal: str) -> None:
        """Send a signal by name to the part's first process; killed, it is started again."""
        self._ask("supervisor", "signalProcess", part.name, signal)

    def state(self, part: StackService) -> str:
        """``RUNNING``, ``STARTING``, ``STOPPED``, ``BACKOFF``, ``FATAL``, ``EXITED``."""
        return str(self._ask("supervisor", "getProcessInfo", part.name)["statename"])

    def process_of(self, part: StackService) -> int:
        """The process id of a running part, 0 if it does not run."""
        return int(self._ask("supervisor", "getProcessInfo", part.name)["pid"])

    @property
    def log(self) -> Path:
        return self._instance.logs / "supervisord.log"

    def log_of(self, part: StackService) -> Path:
        return self._instance.logs / f"{part.name}.log"

    def _answers(self) -> bool:
        try:
            return bool(self._ask("supervisor", "getState")["statename"] == "RUNNING")
        except OSError:
            return False

    def _ask(self, space: str, method: str, *arguments: Any) -> Any:
        from xmlrpc.client import ServerProxy

        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(getattr(proxy, space), method)(*arguments)

    def _configuration(self, parts: Sequence[StackService]) -> str:
        as_root = ["user=root"] if os.geteuid() == 0 else []
        head = [
            "[unix_http_server]",
            f"file={self._socket}",
            "chmod=0700",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisord]",
            f"pidfile={self._pid_file}",
            f"logfile={self.log}",
            f"childlogdir={self._instance.logs}",
            *as_root,
        ]
        return "\n".join([*head, *(line for part in parts for line in self._program(part)), ""])

    def _program(self, part: StackService) -> list[str]:
        become = f"{sys.executable} -m model_lifecycle.stack become {part.name}"
        return [
            f"[program:{part.name}]",
            f"command={become} {self._instance.folder}",
            f"directory={self._instance.folder}",
            f"priority={part.rank}",
            "autostart=false",
            "autorestart=true",
            "startsecs=3",
            f"stopsignal={part.stop_signal}",
            f"stopwaitsecs={part.stop_seconds}",
            f"stopasgroup={str(part.stop_all).lower()}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={self.log_of(part)}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=2",
        ]


def tail(log: Path, lines: int = 30) -> str:
    """The end of a log; empty when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
