"""Runs: what was logged about a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from ..concurrency import run_concurrently
from ..domain.errors import ExperimentNotFound, InvalidInput, NotFound, RunNotFound
from . import filter_strings
from .executor import ConnectionUser
from .factory import MlflowStores
from .pagination import all_pages
from .records import MetricPoint, RunRecord
from .tags import with_operation_key
from .timestamps import instant, millis, now_millis, when

_METRICS_PER_CALL = 1000
_TEXTS_PER_CALL = 100
_POINTS_PER_PAGE = 25_000
_PAGE = 1000
_USER_TAG = "mlflow.user"


class Runs(ConnectionUser):
    async def create_run(self, experiment_id: str, *, name: str, tags: Mapping[str, str]) -> str:
        """Id of a new run in state RUNNING. Not repeated: a lost answer leaves a run behind,
        which :meth:`find_run` finds by the operation id in ``tags``."""

        def create(stores: MlflowStores) -> str:
            from mlflow.entities import RunTag

            run = stores.tracking.create_run(
                experiment_id=experiment_id,
                user_id=tags.get(_USER_TAG, ""),
                start_time=now_millis(),
                tags=[RunTag(key, value) for key, value in with_operation_key(dict(tags)).items()],
                run_name=name,
            )
            return str(run.info.run_id)

        return await self._connection.call(create, missing=ExperimentNotFound(experiment_id))

    async def find_run(self, experiment_id: str, operation_id: str) -> RunRecord | None:
        """The newest run that the operation created in the experiment."""
        runs = await self._search_once([experiment_id], filter_strings.made_by(operation_id), 1)
        return runs[0] if runs else None

    async def log_run(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float],
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        """Add metrics (at step 0), parameters and tags, in as few calls as MLflow's limits allow.

        Raises RunNotFound; InvalidInput for a parameter that was logged with another value.
        """
        at = now_millis()

        def log(stores: MlflowStores, batch: tuple[list[Any], list[Any], list[Any]]) -> None:
            from mlflow.entities import Metric, Param, RunTag

            numbers, texts, labels = batch
            stores.tracking.log_batch(
                run_id=run_id,
                metrics=[Metric(key, value, at, 0) for key, value in numbers],
                params=[Param(key, value) for key, value in texts],
                tags=[RunTag(key, value) for key, value in labels],
            )

        for batch in _batches(metrics, parameters, with_operation_key(dict(tags))):
            await self._connection.call(
                partial(log, batch=batch),
                missing=RunNotFound(run_id),
            )

    async def log_metrics(self, run_id: str, step: int, metrics: Mapping[str, float]) -> None:
        """Add one point to each metric, at ``step``. Raises RunNotFound."""
        at = now_millis()

        def log(stores: MlflowStores, batch: Sequence[tuple[str, float]]) -> None:
            from mlflow.entities import Metric

            stores.tracking.log_batch(
                run_id=run_id,
                metrics=[Metric(key, value, at, step) for key, value in batch],
                params=[],
                tags=[],
            )

        for numbers, _, _ in _batches(metrics, {}, {}):
            await self._connection.call(
                partial(log, batch=numbers),
                missing=RunNotFound(run_id),
            )

    async def finish_run(self, run_id: str, status: str = "FINISHED") -> None:
        """End the run as FINISHED, FAILED or KILLED. Raises RunNotFound."""
        if status not in ("FINISHED", "FAILED", "KILLED"):
            raise InvalidInput(
                f"status {status!r:.40} is not valid; use FINISHED, FAILED or KILLED",
                field="status",
            )

        def finish(stores: MlflowStores) -> None:
            from mlflow.entities import RunStatus

            stores.tracking.update_run_info(
                run_id, RunStatus.from_string(status), now_millis(), None
            )

        await self._connection.call(finish, missing=RunNotFound(run_id))

    async def run(self, run_id: str) -> RunRecord | None:
        """The run, or None if there is none or it was deleted."""
        if not filter_strings.is_run_id(run_id):
            return None
        try:
            run = await self._connection.call(lambda stores: stores.tracking.get_run(run_id))
        except NotFound:
            return None
        return _record(run) if run.info.lifecycle_stage == "active" else None

    async def search_runs(
        self,
        experiment_ids: Sequence[str],
        *,
        run_ids: Iterable[str] | None = None,
    ) -> list[RunRecord]:
        """All runs of these experiments, newest first; of ``run_ids`` only those that lie in them,
        so that another tenant's run is not found. One call for up to 500 ids, or one a page."""
        experiments = [item for item in experiment_ids if filter_strings.is_experiment_id(item)]
        if not experiments:
            return []
        if run_ids is None:
            return await self._search_once(experiments, "", None)
        runs: list[RunRecord] = []
        for chunk in filter_strings.chunks(
            dict.fromkeys(filter(filter_strings.is_run_id, run_ids))
        ):
            runs += await self._search_once(experiments, filter_strings.runs_in(chunk), len(chunk))
        return runs

    async def list_runs(
        self,
        experiment_id: str,
        *,
        after: tuple[datetime | None, str] | None = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """Runs of the experiment, newest first and by id where they started together: at most
        ``limit`` of those that follow the start and the id of ``after``, whether or not that run
        is still there. MLflow reads no more than these, and the runs that started with ``after``.
        """
        if not filter_strings.is_experiment_id(experiment_id):
            return []
        condition = "" if after is None else filter_strings.started_by(_started_millis(after[0]))
        last = None if after is None else (-_started_millis(after[0]), after[1])
        runs: list[RunRecord] = []
        token: str | None = None
        while True:
            page = await self._connection.call(
                self._run_search([experiment_id], condition, (limit or _PAGE) + 1, token)
            )
            records = (_record(run) for run in page)
            runs += [item for item in records if last is None or _order(item) > last]
            token = page.token
            if not token or (limit is not None and len(runs) >= limit):
                return runs[:limit]

    async def metric_history(self, run_id: str) -> dict[str, list[MetricPoint]]:
        """Every logged point of every metric, by step and time. Raises RunNotFound."""
        run = await self.run(run_id)
        if run is None:
            raise RunNotFound(run_id)
        names = sorted(run.metrics)
        points = await run_concurrently(*(self._points(run_id, name) for name in names))
        return dict(zip(names, points, strict=True))

    async def _points(self, run_id: str, metric: str) -> list[MetricPoint]:
        history = await all_pages(
            self._connection.call,
            lambda stores, token: stores.tracking.get_metric_history(
                run_id=run_id, metric_key=metric, max_results=_POINTS_PER_PAGE, page_token=token
            ),
        )
        points = [MetricPoint(item.step, item.value, instant(item.timestamp)) for item in history]
        return sorted(points, key=lambda point: (point.step, point.at))

    async def _search_once(
        self, experiments: list[str], condition: str, limit: int | None
    ) -> list[RunRecord]:
        def fetch(stores: MlflowStores, token: str | None) -> Any:
            return self._run_search(experiments, condition, limit or _PAGE, token)(stores)

        return [_record(run) for run in await all_pages(self._connection.call, fetch, limit=limit)]

    def _run_search(
        self, experiments: list[str], condition: str, limit: int, token: str | None
    ) -> Callable[[MlflowStores], Any]:
        """One page of a search; MLflow breaks ties of the start by the run's id."""

        def fetch(stores: MlflowStores) -> Any:
            from mlflow.entities import ViewType

            return stores.tracking.search_runs(
                experiment_ids=experiments,
                filter_string=condition,
                run_view_type=ViewType.ACTIVE_ONLY,
                max_results=min(limit, _PAGE),
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )

        return fetch


def _started_millis(at: datetime | None) -> int:
    """As MLflow has it: a run without a start began at 0."""
    return 0 if at is None else millis(at)


def _order(run: RunRecord) -> tuple[int, str]:
    return -_started_millis(run.started_at), run.run_id


def _batches(
    metrics: Mapping[str, float], parameters: Mapping[str, str], tags: Mapping[str, str]
) -> Iterable[tuple[list[tuple[str, float]], list[tuple[str, str]], list[tuple[str, str]]]]:
    """Batches within MLflow's limits: 1000 items, of which 100 parameters and 100 tags."""
    numbers, texts, labels = iter(metrics.items()), iter(parameters.items()), iter(tags.items())
    while True:
        some_texts = list(islice(texts, _TEXTS_PER_CALL))
        some_labels = list(islice(labels, _TEXTS_PER_CALL))
        room = _METRICS_PER_CALL - len(some_texts) - len(some_labels)
        some_numbers = [(key, float(value)) for key, value in islice(numbers, room)]
        if not (some_numbers or some_texts or some_labels):
            return
        yield some_numbers, some_texts, some_labels


def _record(run: Any) -> RunRecord:
    return RunRecord(
        run_id=run.info.run_id,
        experiment_id=str(run.info.experiment_id),
        name=run.info.run_name or "",
        status=run.info.status,
        started_at=when(run.info.start_time),
        ended_at=when(run.info.end_time),
        metrics=dict(run.data.metrics),
        parameters=dict(run.data.params),
        tags=dict(run.data.tags),
        artifact_uri=run.info.artifact_uri,
    )
