from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, ModelNames, Register

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.operators import ShadowTestOperator, ValidateModelOperator
    from model_lifecycle.registry.model_registry import ModelRegistry


DAYS = 10


@pytest.fixture
def version(register: Register, ask: CallRegistry, model: ModelNames) -> int:
    """A registered version whose policy asks for little."""
    from model_lifecycle.gates.policy.promotion import (
        Limit,
        ShadowPolicy,
        ValidationPolicy,
        promotion_policy,
    )

    number = register()
    claims: dict[str, Any] = {"limits": (Limit("accuracy", minimum=0.6),)}
    policy = promotion_policy(
        validation=ValidationPolicy(**claims),
        shadow=ShadowPolicy(**claims, block="day", min_blocks=10, min_requests=100),
    )
    ask(lambda registry: registry.set_policy(**model, policy=policy, actor="somebody"))
    return number


@pytest.fixture
def frame() -> pd.DataFrame:
    import pandas as pd

    # No two rows are alike: what is repeated counts once.
    frame = pd.DataFrame({"pressure": [n % 40 + n // 40 / 100 for n in range(400)]})
    return frame.assign(label=(frame["pressure"] >= 21))


@pytest.fixture
def data(frame: pd.DataFrame, tmp_path: Path) -> str:
    path = tmp_path / "held-out.parquet"
    frame.to_parquet(path)
    return str(path)


@pytest.fixture
def traffic(frame: pd.DataFrame, ask: CallRegistry, model: ModelNames) -> None:
    """Ten days of requests that nobody of ours answered."""

    async def write(registry: ModelRegistry) -> None:
        from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic

        for day in range(DAYS):
            hour = datetime(2013, 7, 1, tzinfo=UTC) + timedelta(days=day)
            requests = frame[day * 40 : day * 40 + 40].assign(
                request_id=[f"{day}-{number}" for number in range(40)],
                requested_at=hour,
                labelled_at=hour,
                version=0,
                role="champion",
                prediction=False,
            )
            served = requests.drop(columns=["label", "labelled_at"])
            await write_traffic(registry.artifacts, **model, hour=hour, frame=served)
            await write_labels(registry.artifacts, **model, day=hour, frame=requests)

    ask(write)


@pytest.fixture
def evidence(ask: CallRegistry, model: ModelNames, version: int) -> Callable[[], list[str]]:
    """Ids of the recorded evidence, read at each call."""

    def call() -> list[str]:
        evidence = ask(lambda registry: registry.list_evidence(**model, version=version))
        return [item.evidence_id for item in evidence]

    return call


def _validate(
    model: ModelNames, version: int | str, data: str, **given: Any
) -> ValidateModelOperator:
    from model_lifecycle.operators import ValidateModelOperator

    return ValidateModelOperator(task_id="validate", version=version, data=data, **model, **given)


def _shadow(model: ModelNames, version: int, **given: Any) -> ShadowTestOperator:
    from model_lifecycle.operators import ShadowTestOperator

    window = {"start": "2013-07-01", "end": "2013-07-11"}
    return ShadowTestOperator(task_id="shadow", version=version, **{**window, **model, **given})


def test_verdict_crosses_as_plain_json(
    model: ModelNames,
    version: int,
    data: str,
    context: MakeContext,
    evidence: Callable[[], list[str]],
) -> None:
    """The next task reads verdict, sentence, numbers and where the report is."""
    task = _validate(model, str(version), data)
    result = task.execute(context(task))

    assert json.loads(json.dumps(result)) == result
    assert (result["verdict"], result["version"], result["baseline"]) == ("PASS", 1, None)
    assert [row["name"] for row in result["metrics"]] == ["accuracy"]
    assert [result["evidence_id"]] == evidence()
    assert result["report_uri"].endswith(f"validation-{result['evidence_id']}")


def test_a_gate_with_a_key_signs_its_verdict_and_its_report(
    model: ModelNames,
    version: int,
    data: str,
    context: MakeContext,
    ask: CallRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The statement names the files, the ledger's epoch and the digest of report.json."""
    from support.signing_keys import make_key

    from model_lifecycle.registry.attestation.envelope import read_statement, signer
    from model_lifecycle.registry.attestation.keys import PublicKey
    from model_lifecycle.registry.domain.canonical_json import digest_bytes

    key = make_key(tmp_path)
    monkeypatch.setenv("MODEL_LIFECYCLE_GATE_KEY", str(key.private))
    task = _validate(model, version, data)
    task.execute(context(task))

    (item,) = ask(lambda registry: registry.list_evidence(**model, version=version))
    report = ask(
        lambda registry: registry.read_report(
            **model, version=version, evidence_id=item.evidence_id, file="report.json"
        )
    )
    predicate = read_statement(item.envelope, field="envelope")["predicate"]

    public = PublicKey.from_pem(key.pem, field="key")
    assert signer(item.envelope, [public], field="envelope") == public
    assert item.origin == "gate"
    assert predicate["report_digest"] == digest_bytes(report)
    assert (predicate["gate"], predicate["verdict"]) == ("validation", "PASS")


def test_a_gate_that_cannot_sign_as_the_policy_requires_does_not_begin(
    model: ModelNames,
    version: int,
    data: str,
    context: MakeContext,
    ask: CallRegistry,
    evidence: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a key, or with another one than the policy trusts."""
    from airflow.sdk.exceptions import AirflowFailException
    from support.signing_keys import make_key

    trusted, other = make_key(tmp_path), make_key(tmp_path, "other")

    async def trust(registry: ModelRegistry) -> None:
        policy = (await registry.get_policy(**model)).document()
        await registry.set_policy(
            **model, policy={**policy, "trusted_keys": [trusted.pem]}, actor="kim", reason="x"
        )

    ask(trust)
    task = _validate(model, version, data)
    with pytest.raises(AirflowFailException, match="MODEL_LIFECYCLE_GATE_KEY"):
        task.execute(context(task))
    monkeypatch.setenv("MODEL_LIFECYCLE_GATE_KEY", str(other.private))
    with pytest.raises(AirflowFailException, match="policy trusts"):
        task.execute(context(task))

    assert evidence() == []


def test_retried_gate_judges_nothing_twice(
    model: ModelNames,
    version: int,
    data: str,
    context: MakeContext,
    evidence: Callable[[], list[str]],
) -> None:
    """The next try gives the evidence that the first one recorded."""
    task = _validate(model, version, data)
    first, second = (task.execute(context(task, try_number=number)) for number in (1, 2))

    assert second == first
    assert len(evidence()) == 1


def test_cleared_gate_judges_again(
    model: ModelNames,
    version: int,
    data: str,
    context: MakeContext,
    evidence: Callable[[], list[str]],
) -> None:
    """A cleared task reaches a new verdict; the ledger shows both attempts."""
    task = _validate(model, version, data)
    results = [task.execute(context(task, cleared_after=tries)) for tries in (0, 1)]

    assert [item["attempts"] for item in results] == [1, 2]
    assert [item["evidence_id"] for item in results] == evidence()


def test_verdict_does_not_fail_the_task_unless_asked(
    model: ModelNames, version: int, data: str, frame: pd.DataFrame, context: MakeContext
) -> None:
    """A version that fails its gate is no failed task; ``fail_on`` makes it one."""
    from airflow.sdk.exceptions import AirflowFailException

    frame.assign(label=~frame["label"]).to_parquet(data)
    lenient, strict = (
        _validate(model, version, data),
        _validate(model, version, data, fail_on=["FAIL"]),
    )

    assert lenient.execute(context(lenient))["verdict"] == "FAIL"
    with pytest.raises(AirflowFailException, match="FAIL: "):
        strict.execute(context(strict))


def test_data_that_cannot_be_judged_fail_the_task(
    model: ModelNames,
    version: int,
    data: str,
    frame: pd.DataFrame,
    context: MakeContext,
    evidence: Callable[[], list[str]],
) -> None:
    """Columns that the model does not know are an error, and no evidence."""
    from airflow.sdk.exceptions import AirflowFailException

    frame.rename(columns={"pressure": "weight"}).to_parquet(data)
    task = _validate(model, version, data)

    with pytest.raises(AirflowFailException, match=r"^invalid_dataset: .*pressure"):
        task.execute(context(task))

    assert evidence() == []


def test_shadow_test_tells_its_progress(
    model: ModelNames, version: int, traffic: None, context: MakeContext
) -> None:
    """The log says which block of how many is being replayed."""
    from structlog.testing import capture_logs

    task = _shadow(model, version)
    with capture_logs() as logs:
        result = task.execute(context(task))
    lines = [item["event"] % item.get("positional_args", ()) for item in logs]

    assert result["verdict"] == "PASS"
    assert lines.index("Block 10 of 10: 2013-07-10") == lines.index("Block 1 of 10: 2013-07-01") + 9


def test_empty_window_fails_the_task(
    model: ModelNames, version: int, traffic: None, context: MakeContext
) -> None:
    """The error about a window without requests names the window."""
    from airflow.sdk.exceptions import AirflowFailException

    task = _shadow(model, version, start="2014-01-01", end="2014-02-01")

    with pytest.raises(AirflowFailException, match=r"^invalid_dataset: there is no traffic"):
        task.execute(context(task))
