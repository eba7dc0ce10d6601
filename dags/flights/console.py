"""The demo's console: progress lines while it works, and its tables at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

if TYPE_CHECKING:
    from model_lifecycle.dags.flights.scenario import Act

_PROGRESS = re.compile(r"\b(Day|Block) (\d+) of (\d+): (.*?)(?:\s+\[|\s{2,}|$)")
_EVERY = 10


class DemoConsole:
    """Prints one line a task. On a terminal, the task at work shows its progress in place; in a
    file, each tenth block gets a line."""

    def __init__(self, out: TextIO) -> None:
        self.console = Console(file=out, highlight=False, width=None if out.isatty() else 120)
        self._status: Status | None = None
        self._task = ""
        self._began = 0.0

    def act(self, number: int, of: int, act: Act) -> None:
        self.console.print(f"\n[bold]Act {number} of {of}: {act.title}[/bold]")
        self.console.print(f"  {act.what}", style="dim")

    def say(self, text: str) -> None:
        self.console.print(escape(text))

    def show(self, table: Table) -> None:
        self.console.print()
        self.console.print(table)

    def listing(self, title: str, lines: Iterable[str]) -> None:
        """Lines that are not wrapped, so that what they name can be copied."""
        self.console.print(f"\n[bold italic]{title}[/bold italic]")
        for line in lines:
            self.console.print(f"  {escape(line)}", soft_wrap=True)

    def interrupted(self, text: str) -> None:
        self._stop()
        self.console.print(text, style="red", markup=False)

    def started(self, task: str) -> None:
        self._task, self._began = task, time.monotonic()
        self._status = self.console.status(f"{task} …")
        self._status.start()

    def finished(self, mark: str, text: str) -> None:
        self._stop()
        seconds = time.monotonic() - self._began
        head = f"  {mark} {self._task:<22}[dim]{seconds:>6.1f} s[/dim]  "
        table = Table.grid()
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(head, escape(text))
        self.console.print(table)

    def _stop(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def overhear(self, line: str) -> None:
        """Pick the progress of a task out of a line of its log."""
        match = _PROGRESS.search(line)
        status = self._status
        if not match or status is None:
            return
        kind, number, total, what = match.groups()
        text = f"{self._task}: {kind.lower()} {number} of {total}, {what}"
        if self.console.is_terminal:
            status.update(escape(text))
        elif int(number) % _EVERY == 0 or number == total:
            self.console.print(f"    [dim]{escape(text)}[/dim]")

    def callbacks(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        """For Airflow's tasks: what to say when one starts and ends."""

        def started(context: Mapping[str, Any]) -> None:
            self.started(context["ti"].task_id)

        def succeeded(context: Mapping[str, Any]) -> None:
            ti = context["ti"]
            result = ti.xcom_pull(task_ids=ti.task_id)
            self.finished("[green]✓[/green]", outcome(ti.task_id, result))

        def skipped(context: Mapping[str, Any]) -> None:
            refusal = context["ti"].xcom_pull(key="refusal", task_ids=context["ti"].task_id) or {}
            self.finished(
                "[yellow]–[/yellow]", f"skipped: {refusal.get('message', 'not promoted')}"
            )

        def failed(context: Mapping[str, Any]) -> None:
            self.finished("[red]✗[/red]", str(context.get("exception") or "failed"))

        return {
            "on_execute_callback": started,
            "on_success_callback": succeeded,
            "on_skipped_callback": skipped,
            "on_failure_callback": failed,
        }


def outcome(task: str, result: Any) -> str:
    """One line about what a task returned."""
    match task, result:
        case "serve", {"requests": requests, "version": version, "hours": hours}:
            who = f"version {version}" if version else "the rule of thumb, there is no model yet"
            return f"{requests:,} requests of {hours} hours answered by {who}"
        case "train", {"metrics": metrics}:
            return f"{metrics['training_rows']:,.0f} flights, training Brier score " + (
                f"{metrics['training_brier']:.4f}"
            )
        case "register", {"version": version, "bundle_digest": digest}:
            return f"version {version} in development, bundle {digest[:19]}…"
        case "set_policy", {"changed": changed, "fingerprint": fingerprint}:
            return f"{'set' if changed else 'unchanged'}, {fingerprint[:19]}…"
        case "validate" | "shadow_test", {"verdict": _, "sentence": sentence}:
            return str(sentence)
        case "rollback" | "promote_to_production", {"version": version, "previous_production": old}:
            was = f"version {old}" if old else "empty"
            return f"version {version} is in production; it was {was}"
        case "promote_to_staging", {"version": version}:
            return f"version {version} is in staging"
        case _:
            return Path(result).name if isinstance(result, str) else ""
