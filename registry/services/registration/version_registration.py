"""One registration: the model's files, MLflow's version, the bundle, then the ledger's entry.

Each step finds what an earlier attempt left, so a repetition goes on instead of starting again.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from ...domain.commands import RegisterVersion
from ...domain.errors import AlreadyExists, BackendUnavailable
from ...frameworks import framework_of
from ..artifact_root import require_same_root
from ..backends import Backends
from ..idempotency import stored_response
from ..projection.projection import Projection
from ..write_operation import Response
from .mlflow_versions import MlflowVersions
from .model_sources import Source, Sources
from .origins import Origins
from .plan import RegistrationPlan
from .registration_request import RegistrationRequest
from .run_logging import Training
from .version_bundle import (
    check_model_folder,
    load_bundle_signer,
    sign_version_bundle,
    write_version_bundle,
)
from .version_creation import PreparedVersion, VersionCreation, check_model_type


class RegistrationSteps:
    """The parts that registrations share: where a model's files come from, and MLflow's versions
    of them."""

    def __init__(self, backends: Backends, training: Training, sources: Sources) -> None:
        self.training = training
        self.sources = sources
        self.origins = Origins(backends, training, sources)
        self.mlflow_versions = MlflowVersions(backends)


class VersionRegistration(VersionCreation):
    """The registration of a fitted object, of an address of MLflow, or of a model folder."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        steps: RegistrationSteps,
        command: RegisterVersion,
        registration: RegistrationRequest,
        plan: RegistrationPlan,
    ) -> None:
        super().__init__(backends, projection, command, registration.operation_id)
        self._steps = steps
        self._registration = registration
        self._plan = plan

    async def prepare(self) -> Response | None:
        await self._check_artifact_root()
        await self._check_model_type()
        if self._registration.run_id is not None:
            await self._steps.training.own_run(self.tenant, self._registration.run_id)
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            folder = Path(scratch) / "model"
            source = await self._fetch(folder)
            begun = await self.backends.ledger.begin_operation(
                self.tenant,
                self.model,
                self.request.operation_id,
                self.request.fingerprint,
                self._plan.document(),
            )
            if begun.answer is not None:
                return begun.answer
            if begun.plan is not None:
                # The first attempt's plan, so that the bundle gets the same bytes again.
                self._plan = RegistrationPlan.from_document(begun.plan)
            source = await self._origin(source, folder)
            return await self._create(source, folder, repeated=begun.repeated)

    async def _fetch(self, folder: Path) -> Source | None:
        """Put the model's files into ``folder`` and complete the plan from them. The source in
        MLflow of an address; None for files that MLflow does not have yet."""
        model = self._registration.model
        if isinstance(model, str):
            source = await self._steps.sources.resolve(self.tenant, model)
            await self.backends.artifacts.get_folder(source.path, folder)
            plan = await asyncio.to_thread(complete_plan, self._plan, source, folder)
            self._plan = replace(plan, origin=source.origin)
            return source
        if isinstance(model, Path):
            self._plan = await asyncio.to_thread(self._copy, model, folder)
            return None
        example = self._registration.input_example
        await self._steps.training.save(self._plan, model, folder, example)
        return None

    def _copy(self, model: Path, folder: Path) -> RegistrationPlan:
        """A copy of an uploaded model folder, checked before MLflow hears of it."""
        shutil.copytree(model, folder, symlinks=True)
        framework = framework_of(folder)
        plan = self._plan.completed(framework=framework, metrics={}, parameters={}, dataset={})
        check_model_folder(self.backends.settings, plan, folder)
        return plan

    async def _origin(self, source: Source | None, folder: Path) -> Source:
        """The source of the version, which the operation's plan has recorded."""
        origins, plan = self._steps.origins, self._plan
        if source is None:
            return await origins.log(
                self.tenant,
                self.model,
                plan,
                folder,
                self.request,
                training_log=self._registration.training_log,
                run_id=self._registration.run_id,
            )
        if plan.origin is not None and plan.origin != source.origin:
            # The address leads elsewhere by now: a run's newest model of a name, for example.
            return await origins.fetch(self.tenant, plan.origin, folder)
        return source

    async def _create(self, source: Source, folder: Path, *, repeated: bool) -> Response | None:
        """Make MLflow's version of ``source``, whose files are in ``folder``, and its bundle."""
        plan = self._plan
        saved = await asyncio.to_thread(check_model_folder, self.backends.settings, plan, folder)
        signer = await load_bundle_signer(self.backends.settings)
        await self.projection.prepare(self.tenant, self.model)
        number = await self._steps.mlflow_versions.create(
            self.tenant, self.model, plan, source, self.request, repeated=repeated
        )
        try:
            bundle = await write_version_bundle(
                self.backends.artifacts,
                self.tenant,
                self.model,
                number,
                plan,
                source,
                saved,
                folder,
            )
        except AlreadyExists:
            if not self.request.named:
                raise
            return await self._concurrent_winner()
        await sign_version_bundle(
            self.backends.artifacts, signer, self.tenant, self.model, number, bundle
        )
        self.prepared = PreparedVersion(number, plan, source, saved, bundle)
        return None

    async def _concurrent_winner(self) -> Response:
        """The response of another attempt at this registration, whose files are at the bundle's
        path: it has logged its own, so they differ from ours. Raises BackendUnavailable while it
        has not committed."""
        response = await stored_response(self.backends.ledger, self.tenant, self.request)
        if response is None:
            raise BackendUnavailable(
                "registry", "the same registration is being made now"
            ) from None
        return response

    async def _check_artifact_root(self) -> None:
        """Raise :class:`InvalidInput` if the ledger's versions have their files elsewhere than
        this process would put the next."""
        version = await self.backends.ledger.read.any_version()
        if version is not None:
            await require_same_root(self.backends.artifacts, version)

    async def _check_model_type(self) -> None:
        """Raise :class:`InvalidInput` if the model exists and is of another type."""
        row = await self.backends.ledger.read.row(self.tenant, self.model)
        if row is not None:
            check_model_type(row, self._plan)


def complete_plan(plan: RegistrationPlan, source: Source, folder: Path) -> RegistrationPlan:
    """The plan with what its source has: framework, the run's metrics and parameters, and the
    data the model was trained on. Blocking: call it in a thread."""
    return plan.completed(
        framework=framework_of(folder),
        metrics=source.run.metrics if source.run else {},
        parameters=source.run.parameters if source.run else {},
        dataset=source.dataset,
    )
