"""Checks of every gate. A failed check makes the verdict INVALID, and is recorded.

Data that cannot be read as requests or labels are an error instead: see :mod:`..data.columns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import count
from ..report import Check, not_checked

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Column

#: Tags or parameters in which a version may state the end of its training data.
TRAINING_END = ("dataset.end", "dataset_end", "lifecycle.dataset.end", "lifecycle.dataset_end")

#: Tags or parameters in which a version may state the digest of its training data.
TRAINING_DIGEST = tuple(key.replace("end", "digest") for key in TRAINING_END)

#: Checks that depend on more than the sums: the ledger, and the clock.
RECORDED_CHECKS = (
    *("champion unchanged", "duration", "policy unchanged", "salt"),
    "level of the champion",
)

#: Share of rows for which the champion may lack an answer.
TOLERATED = 0.01


def signature_check(
    challenger: Sequence[Column] | None,
    champion: Sequence[Column] | None,
    *,
    may_drop: bool,
) -> Check:
    """A caller of the champion can call the challenger: it accepts the champion's columns, with
    types that include the same values. Models without a signature are not checked."""
    if challenger is None or champion is None:
        return not_checked("signature", "a model has no signature to compare")
    taken = {item.name: item for item in challenger}
    removed = [item.name for item in champion if item.name not in taken and not may_drop]
    retyped = [
        f"{item.name} is {taken[item.name].type}, was {item.type}"
        for item in champion
        if item.name in taken and not _includes(taken[item.name].type, item.type)
    ]
    problems = [f"{name} is gone" for name in removed] + retyped
    if problems:
        return Check(
            "signature",
            False,
            f"the challenger does not accept the champion's columns: {', '.join(problems)}",
        )
    return Check("signature", True, "the challenger accepts the champion's columns")


def answers_check(bad: int, rows: int, who: str, failure: str = "") -> Check:
    """Every row got a usable answer. One missing answer fails the challenger; the champion may
    lack one in a hundred, which are left out, before the comparison is worth nothing. ``failure``
    is what the model raised on the first of them."""
    name = f"{who} answers"
    if not bad:
        return Check(name, True, f"all {count(rows)} answers are finite")
    message = (
        f"the {who} gave no usable answer (an error, NaN, infinite, or a score outside 0 to 1) to "
        f"{count(bad)} of {count(rows)} rows"
    )
    if failure:
        message += f"; the first error is {failure}"
    if who == "challenger":
        return Check(name, False, message, Verdict.FAIL)
    return Check(name, False, message, Verdict.INVALID if bad > TOLERATED * rows else None)


def training_check(who: str, declared: Mapping[str, str], window_start: datetime | None) -> Check:
    """The model was not trained on the window it is judged on. ``declared`` are its tags and
    parameters; a model that does not state when its training data ends gets a warning."""
    name = f"{who} training data"
    text = next((declared[key] for key in TRAINING_END if declared.get(key)), None)
    end = _timestamp(text)
    if end is None or window_start is None:
        missing = "when its training data ends" if end is None else "the time of its rows"
        where = f"the {who} does" if end is None else "the data set does"
        return not_checked(name, f"{where} not state {missing}; overlap was not checked")
    if end > window_start:
        return Check(
            name,
            False,
            f"the {who}'s training data reaches to {end:%Y-%m-%d %H:%M}, into the window judged, "
            f"which starts at {window_start:%Y-%m-%d %H:%M}",
        )
    return Check(name, True, f"ends {end:%Y-%m-%d %H:%M}, before the window starts")


def same_data_check(who: str, metadata: Mapping[str, str], data_digest: str) -> Check:
    """The held-out data is not what the model was trained on. ``metadata`` are its tags and
    parameters, which may hold the digest of the training data."""
    name = f"{who} training digest"
    declared = next((metadata[key] for key in TRAINING_DIGEST if metadata.get(key)), None)
    if declared is None:
        return not_checked(
            name, f"the {who} does not state the digest of its training data (dataset.digest)"
        )
    if declared == data_digest:
        return Check(
            name,
            False,
            f"the {who} was trained on this data set: its dataset.digest is {declared}, the digest "
            "of the rows judged; judge it on rows that it was not trained on",
        )
    return Check(name, True, f"the {who}'s training data has another digest")


def required(checks: Sequence[Check], why: str) -> list[Check]:
    """The checks, with INVALID for one whose data are missing. A model's training data counts as
    checked if any of its checks has its data."""
    checked_models = {check.name.split()[0] for check in checks if check.checked}
    return [
        check
        if check.checked or check.name.split()[0] in checked_models
        else replace(check, message=f"{check.message}, {why}", otherwise=Verdict.INVALID)
        for check in checks
    ]


def demands_check(demands: Sequence[object]) -> list[Check]:
    """At least one demand applies: without a champion only a policy's limits do."""
    if demands:
        return []
    return [
        Check(
            "demands",
            False,
            "there is no champion to compare with, and the policy has no absolute limit: add one "
            "for the first version",
        )
    ]


def production_check(before: int | None, after: int | None) -> Check:
    """The champion is still in production at the time of the verdict."""
    return Check(
        "champion unchanged",
        before == after,
        "production is the same at the start and at the end"
        if before == after
        else f"the champion changed meanwhile, from version {before} to version {after}",
    )


def duration_check(longest: timedelta, max_duration_reached: bool) -> tuple[Check, ...]:
    """A warning that a test of live traffic has reached its longest duration."""
    if not max_duration_reached:
        return ()
    allowed = f"{longest / timedelta(days=1):g} days" if longest != timedelta(days=1) else "one day"
    message = (
        f"the test ends here, since its longest duration, {allowed}, is over; the version stays in "
        "its stage"
    )
    return (Check("duration", False, message, None),)


def restart_check(starts: Sequence[str], start: str) -> tuple[Check, ...]:
    """A warning that the policy of a test of live traffic was changed; ``starts`` are the
    begins of its earlier attempts."""
    if not starts:
        return ()
    message = (
        f"the policy was changed while the test was running: it restarted at {start}, as "
        f"attempt {len(starts) + 1}, and what was judged from {starts[0]} until then does not count"
    )
    return (Check("policy unchanged", False, message, None),)


def _includes(wider: str, narrower: str) -> bool:
    """Whether every value of the second of MLflow's types can be given as the first."""
    if wider == narrower:
        return True
    sizes = ("integer", "long", "float", "double")
    if narrower not in sizes or wider not in sizes:
        return False
    return wider == "double" or (wider, narrower) == ("long", "integer")


def _timestamp(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
