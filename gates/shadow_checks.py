"""What has to be true of replayed traffic for its verdict to mean anything."""

from __future__ import annotations

from datetime import datetime, timedelta

from .claims import Claim
from .data_checks import answers_check, demands_check, training_check
from .policies import ShadowPolicy
from .recording import Case
from .report import Check
from .tally import Tally
from .wording import count, plural


def shadow_checks(
    case: Case,
    policy: ShadowPolicy,
    claims: tuple[Claim, ...],
    tally: Tally,
    start: datetime,
    end: datetime,
) -> tuple[Check, ...]:
    """All of them, in the order in which the report shows them."""
    counts = tally.counts
    answered = counts["requests"] - counts["champion_errors"]
    checks = [
        *demands_check(claims),
        _coverage(policy, counts["labelled"], answered),
        answers_check(counts["challenger_unusable"], answered, "challenger"),
    ]
    if case.champion is not None:
        checks += [
            answers_check(counts["champion_unusable"], answered, "champion"),
            _self_replay(policy, counts["replayed_alike"], counts["replayed"]),
            _left_out(
                "champion errors",
                counts["champion_errors"],
                "requests that the champion failed to answer",
            ),
            _left_out(
                "other versions",
                counts["of_other_versions"],
                "requests that another version or role answered",
            ),
        ]
    for who, version in (("challenger", case.version), ("champion", case.champion)):
        if version is not None:
            said = {**version.parameters, **version.tags}
            checks.append(training_check(who, said, start))
    return (
        *checks,
        _left_out("duplicates", counts["duplicates"], "requests with a repeated id"),
        _left_out("immature", counts["immature"], "requests whose labels may still be coming"),
        _gaps(policy, tally, start, end),
    )


def _coverage(policy: ShadowPolicy, labelled: int, answered: int) -> Check:
    share = labelled / answered if answered else 0.0
    message = f"{share:.1%} of {count(answered)} requests have a label"
    if share >= policy.min_label_coverage:
        return Check("label coverage", True, message)
    return Check(
        "label coverage",
        False,
        f"only {message}, and the policy asks for {policy.min_label_coverage:.1%}: those without "
        "may differ from those with one",
    )


def _self_replay(policy: ShadowPolicy, alike: int, replayed: int) -> Check:
    share = alike / replayed if replayed else 0.0
    message = f"the champion answers {share:.1%} of {count(replayed)} of its own requests as served"
    if share >= policy.min_replay_agreement:
        return Check("self-replay", True, message)
    return Check(
        "self-replay",
        False,
        f"{message}, and the policy asks for {policy.min_replay_agreement:.1%}: the recorded "
        "features are not what the champion saw, or it is not deterministic",
    )


def _left_out(name: str, number: int, what: str) -> Check:
    return Check(name, not number, f"{count(number)} {what} left out", None)


def _gaps(policy: ShadowPolicy, tally: Tally, start: datetime, end: datetime) -> Check:
    length = timedelta(days=1) if policy.block == "day" else timedelta(hours=1)
    expected = max(1, round((end - start) / length))
    missing = max(0, expected - len(tally.blocks))
    return Check(
        "gaps",
        not missing,
        f"{count(missing)} of {count(expected)} {plural(policy.block, expected)} without requests "
        "to judge",
        None,
    )
