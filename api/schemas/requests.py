"""Bodies of requests. No field says whose they are: the credential does."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.models import Framework, ModelType
from model_lifecycle.registry.domain.preconditions import ANY, ExpectedProduction
from model_lifecycle.registry.domain.stages import Gate

from .fields import (
    SOURCE_PATTERN,
    Document,
    LiveStage,
    Metrics,
    ModelName,
    NeededReason,
    Parameters,
    PlainText,
    Reason,
    Strict,
    Texts,
    VersionNumber,
    example,
)

_SOURCE = Field(
    description="A model that the tenant has logged: `models:/m-<id>` or `runs:/<run id>/<path>`.",
    max_length=1000,
    json_schema_extra={
        "pattern": SOURCE_PATTERN,
        "example": "models:/m-0123456789abcdef0123456789abcdef",
    },
)


CheckName = Annotated[
    str,
    Field(
        description="An additional check that a policy can name; goes with the gate `check`.",
        pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$",
        json_schema_extra={"example": "fairness-audit"},
    ),
]

PublicKey = Annotated[
    str,
    Field(
        description="A public key as PEM, Ed25519 for example.",
        max_length=2100,
        pattern=r"^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n?$",
    ),
]

_FORCE_NEEDS_A_REASON = {
    "if": {
        "anyOf": [
            {"properties": {name: {"const": True}}, "required": [name]}
            for name in ("force", "without_verification")
        ]
    },
    "then": {
        "properties": {"reason": {"minLength": 1, "pattern": "^[A-Za-z0-9]"}},
        "required": ["reason"],
    },
}

_WITHOUT_VERIFICATION = Field(
    False,
    description="Move the ledger also while the artifact store or MLflow does not answer within "
    "5 seconds; MLflow follows later. Needs the role admin and a reason.",
)


class UploadVersion(Strict):
    """Metadata of an uploaded version."""

    framework: Annotated[Framework | None, Field(strict=False)] = None
    description: PlainText = ""
    metrics: Metrics | None = None
    parameters: Parameters | None = None
    tags: Texts | None = None
    dataset: Document | None = None
    outputs: Annotated[
        Texts | None,
        Field(
            description="Outputs of a network or an ONNX model with several, by name: `score`, "
            "`prediction`, and `score_transform` (`sigmoid` or `softmax`) for logits."
        ),
    ] = None


class UploadModel(UploadVersion):
    """Metadata of an uploaded model."""

    name: ModelName
    model_type: Annotated[ModelType, Field(strict=False)] = ModelType.CLASSIFICATION


class CreateVersion(UploadVersion):
    """The next version of a model, from a source. Metrics and parameters left out are its run's."""

    model_config = example(source="runs:/0123456789abcdef0123456789abcdef/model")

    source: Annotated[str, _SOURCE]


class RegisterModel(UploadModel):
    """The first or next version of a model, from a source."""

    model_config = example(
        name="churn",
        source="models:/m-0123456789abcdef0123456789abcdef",
        tags={"team": "growth"},
    )

    source: Annotated[str, _SOURCE]


class MoveStage(Strict):
    """A version's move to another stage. A promotion archives the version it replaces."""

    model_config = example(
        _FORCE_NEEDS_A_REASON, version=2, target_stage="production", reason="better by 0.03"
    )

    version: VersionNumber
    target_stage: LiveStage
    reason: Reason = ""
    force: bool = Field(
        False, description="Waive missing evidence. Needs the role admin and a reason."
    )
    without_verification: bool = _WITHOUT_VERIFICATION


class RollBack(Strict):
    """Put an earlier production version back: by default the one that was superseded last.

    `expected_production` is the version that the caller saw in production, null for none: the
    second of two who roll back what both saw gets 409.
    """

    model_config = example(reason="late predictions since noon")

    reason: NeededReason
    to_version: VersionNumber | None = None
    expected_production: VersionNumber | None = None
    without_verification: bool = _WITHOUT_VERIFICATION

    def expectation(self) -> ExpectedProduction:
        """The required production version; an omitted field requires nothing."""
        return self.expected_production if "expected_production" in self.model_fields_set else ANY


class EraseVersion(Strict):
    """Remove the files of a version that is not in production, for legal reasons."""

    model_config = example(version=1, reason="request of the data subject")

    version: VersionNumber
    reason: NeededReason


class PolicyDocument(Strict):
    """The requirements of a model's gates; each gate gives its own section its meaning."""

    validation: Document = Field(default_factory=dict)
    shadow: Document = Field(default_factory=dict)
    ab_test: Document = Field(default_factory=dict)
    require_approval: bool = False
    evidence_max_age_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    require_onnx: bool = False
    required_checks: Annotated[list[CheckName], Field(max_length=100)] = Field(default_factory=list)
    trusted_keys: Annotated[
        list[PublicKey],
        Field(
            max_length=100,
            description="With any, evidence is recorded, and counts, only with a signature of one.",
        ),
    ] = Field(default_factory=list)


class SetPolicy(Strict):
    """The whole promotion policy; what is left out takes its default."""

    model_config = example(policy={"require_approval": True}, reason="audit")

    policy: PolicyDocument
    reason: Reason = ""


class RecordEvidence(Strict):
    """A gate's verdict on exactly these files, against this baseline, under this policy."""

    model_config = example(
        evidence_id="nightly-2026-03-01",
        gate="shadow",
        verdict="PASS",
        bundle_digest="sha256:" + "0" * 64,
        baseline=1,
        policy_fingerprint="sha256:" + "0" * 64,
    )

    evidence_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            json_schema_extra={"pattern": r"^[A-Za-z0-9._-]+$", "example": "nightly-2026-03-01"},
        ),
    ]
    gate: Annotated[Gate, Field(strict=False)]
    verdict: Annotated[Verdict, Field(strict=False)]
    bundle_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    baseline: VersionNumber | None
    policy_fingerprint: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    summary: Document = Field(default_factory=dict)
    check: CheckName | None = None
    report_uri: (
        Annotated[str, Field(max_length=2000, json_schema_extra={"pattern": r"^[ -~]*$"})] | None
    ) = None
    envelope: Annotated[
        Document | None,
        Field(
            description="The gate's signed statement about this evidence: an in-toto statement in "
            "a DSSE envelope. Left out, the service signs, if it has a key."
        ),
    ] = None

    def evidence(self) -> Evidence:
        return Evidence(**dict(self))
