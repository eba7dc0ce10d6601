"""Conditions that traffic must meet for its verdict to mean anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..aggregates.replay import ReplayAggregate
from ..formatting import amount, count, plural
from ..inference.sequential import slice_selections
from ..policy.hypotheses import Hypothesis
from ..policy.label_maturity import block_length
from ..policy.promotion import ShadowPolicy
from ..report import DEMANDS, Check
from ..statistics.design_effect import design_effect, largest_by_chance
from ..statistics.moments import Moments
from .common import TOLERATED, answers_check, demands_check, training_check
from .label_values import unfit_labels_check
from .labels import conflict_check, delay_checks, level_check, selection_check
from .slices import slice_checks
from .unlabelled import score_check


@dataclass(frozen=True)
class Window:
    """The window judged: requests from ``start`` to ``end``, none later than ``mature_until``."""

    start: datetime
    end: datetime
    mature_until: datetime


def shadow_checks(
    policy: ShadowPolicy,
    hypotheses: tuple[Hypothesis, ...],
    aggregate: ReplayAggregate,
    window: Window,
    training_ends: Mapping[str, Mapping[str, str]],
) -> tuple[Check, ...]:
    """All checks, in the order of the report. ``training_ends`` is what each model states about the
    end of its training data; without ``champion`` there is none."""
    counts, compared = aggregate.counts, "champion" in training_ends
    answered = counts["requests"] - counts["champion_errors"]
    checks = [
        *demands_check([*hypotheses, *policy.latency]),
        _signature(aggregate.tables.get("signature", {}), counts["unlike_signature"]),
    ]
    if policy.needs_labels:
        checks += [
            _coverage(policy, counts["labelled"], answered),
            *_selection(policy, aggregate),
            conflict_check(policy, counts["conflicting_labels"], counts["labelled"]),
            *level_check(policy, aggregate),
            *delay_checks(policy, aggregate, window.end, window.mature_until),
            unfit_labels_check(aggregate.tables.get("unfit labels", {})),
        ]
    checks.append(_challenger_answers(policy, aggregate, answered))
    if policy.mode == "mirrored":
        checks += [
            _join_rate(policy, aggregate),
            _pairs(counts["pairs_unlike"], counts["pairs_compared"]),
            _self_replay(policy, aggregate, "challenger"),
        ]
        if policy.latency:
            checks.append(_latencies(aggregate, answered))
    if compared:
        checks += [
            answers_check(counts["champion_unusable"], answered, "champion"),
            _self_replay(policy, aggregate, "champion"),
            _left_out(
                "champion errors",
                counts["champion_errors"],
                "requests that the champion failed to answer",
                "counted" if policy.judges_errors else "left out",
            ),
            _left_out(
                "other versions",
                counts["of_other_versions"],
                "requests that another version or role answered",
            ),
        ]
    checks += slice_checks(slice_selections(hypotheses, aggregate), "requests")
    if policy.unit == "request":
        checks.append(_independence(hypotheses, aggregate))
    if policy.feature_time is not None:
        checks.append(_future(policy.feature_time, counts["from_the_future"]))
    elif alone := aggregate.tables.get("columns of the challenger alone"):
        checks.append(_unproven_columns(alone))
    checks += [_categories(counts["unknown_categories"], counts["requests"])]
    checks += [training_check(who, ends, window.start) for who, ends in training_ends.items()]
    return (
        *checks,
        *rows_left_out(counts),
        _left_out(
            "scores",
            counts["scores_rounded"],
            "answers with a score that rounding put outside of 0 to 1",
            "counted as 0 or 1",
        ),
        _left_out("duplicates", counts["duplicates"], "requests with a repeated id"),
        _left_out("immature", counts["immature"], "requests whose labels may still be coming"),
        _gaps(policy, aggregate, window.start, window.end),
    )


def _signature(mismatches: Mapping[str, int], rows: int) -> Check:
    """Traffic has the columns that the models were trained on."""
    if not rows:
        return Check("signature", True, "all requests have the columns of the models' signatures")
    how = "; ".join(sorted(mismatches))
    return Check(
        "signature",
        False,
        f"{count(rows)} requests do not match the models' signatures ({how}), and were not judged",
    )


def _selection(policy: ShadowPolicy, aggregate: ReplayAggregate) -> list[Check]:
    """Whether labels exist where the champion decided so: by its decision, else by its score."""
    by_decision = selection_check(
        aggregate.tables.get("labels by decision", {}), policy.max_label_gap
    )
    if not by_decision.ok:
        return [by_decision]
    return [
        by_decision,
        score_check(aggregate.tables.get("labels by score", {}), policy.max_label_gap),
    ]


def _coverage(policy: ShadowPolicy, labelled: int, answered: int) -> Check:
    share = labelled / answered if answered else 0.0
    message = f"{share:.1%} of {count(answered)} requests have a label"
    if share >= policy.min_label_coverage:
        return Check("label coverage", True, message)
    return Check(
        "label coverage",
        False,
        f"only {message}, and the policy requires {policy.min_label_coverage:.1%}: those without "
        "may differ from those with one",
    )


def _challenger_answers(policy: ShadowPolicy, aggregate: ReplayAggregate, answered: int) -> Check:
    """One missing answer fails a replayed challenger; a mirrored one may lack what a network
    loses; where errors are a demand of their own, they are judged there."""
    missing = aggregate.counts["challenger_unusable"]
    failures = sorted(aggregate.tables.get("challenger failures", {}))
    check = answers_check(missing, answered, "challenger", failures[0] if failures else "")
    lost = policy.mode == "mirrored" and missing <= TOLERATED * max(answered, 1)
    if not check.ok and (policy.judges_errors or lost):
        return Check(check.name, False, check.message, None)
    return check


def _join_rate(policy: ShadowPolicy, aggregate: ReplayAggregate) -> Check:
    """Requests with a row of both versions."""
    counts = aggregate.counts
    every = counts["requests"] + counts["without_champion"]
    joined = every - counts["without_champion"] - counts["without_challenger"]
    share = joined / every if every else 0.0
    message = (
        f"{share:.1%} of {count(every)} requests have a row of both versions "
        f"({count(counts['without_challenger'])} lack the challenger's, counted as its errors; "
        f"{count(counts['without_champion'])} the champion's)"
    )
    if share >= policy.min_join_rate:
        return Check("join rate", True, message)
    return Check(
        "join rate",
        False,
        f"only {message}, and the policy requires {policy.min_join_rate:.1%}",
    )


def _pairs(unlike: int, compared: int) -> Check:
    """The two rows of a pair are of one request."""
    name = "pairs"
    if not compared:
        return Check(name, True, "the log has the features of one version only: not compared", None)
    message = f"{count(unlike)} of {count(compared)} pairs have features that differ"
    if unlike <= TOLERATED * compared:
        return Check(name, not unlike, message, None)
    return Check(
        name,
        False,
        f"{message}: their two rows are not of one request, or the versions were given different "
        "features",
    )


def _latencies(aggregate: ReplayAggregate, answered: int) -> Check:
    """Latencies are there for both versions: the ones that lack may be the slow ones."""
    lacks = {who: aggregate.counts[f"{who}_without_latency"] for who in ("champion", "challenger")}
    message = " and ".join(f"{count(lacks[who])} answers of the {who}" for who in lacks)
    message = f"{message} of {count(answered)} requests have no latency"
    good = max(lacks.values()) <= TOLERATED * max(answered, 1)
    if good:
        return Check("latencies", not any(lacks.values()), message, None)
    return Check("latencies", False, f"{message}: those without one may be the slow ones")


def _self_replay(policy: ShadowPolicy, aggregate: ReplayAggregate, who: str) -> Check:
    """A version answers its own recorded requests as recorded."""
    name, prefix = ("self-replay", "") if who == "champion" else ("challenger replay", f"{who} ")
    replayed = aggregate.counts[f"{prefix}replayed"]
    if not replayed and who == "challenger":
        return Check(name, True, "the log lacks the challenger's features: not replayed", None)
    share = aggregate.counts[f"{prefix}replayed_alike"] / replayed if replayed else 0.0
    message = f"the {who} answers {share:.1%} of {count(replayed)} of its own requests as served"
    if share >= policy.min_replay_agreement:
        return Check(name, True, message)
    differences = aggregate.histograms.get(f"{prefix}self-replay difference")
    if differences is not None and differences.n:
        message += (
            f" (numbers differ by {amount(differences.quantile(0.5))} in the median and "
            f"{amount(differences.quantile(1.0))} at most)"
        )
    return Check(
        name,
        False,
        f"{message}, and the policy requires {policy.min_replay_agreement:.1%}: features, model "
        "files or libraries differ from those that served, another model answered, or the model is "
        "not deterministic; if the log rounds its numbers, set replay_tolerance in the policy",
    )


def _unproven_columns(columns: Mapping[str, int]) -> Check:
    """Features that only the challenger uses may have been written after the outcome."""
    names = ", ".join(sorted(columns))
    return Check(
        "columns of the challenger alone",
        False,
        f"only the challenger uses {names}: the champion's self-replay does not show that they "
        "were known when the request was served; log their time, and name it in feature_time",
        None,
    )


def _independence(hypotheses: tuple[Hypothesis, ...], aggregate: ReplayAggregate) -> Check:
    """Single requests may be judged only where the block they are from does not matter."""
    worst, most = 0.0, 1.5
    for hypothesis in hypotheses:
        if hypothesis.kind not in DEMANDS:
            continue
        cells = [cell for _, cell in aggregate.cells((hypothesis.key, None))]
        pooled = sum((cell.x for cell in cells), Moments())
        effect = design_effect(
            [cell.x.mean for cell in cells], [cell.x.n for cell in cells], pooled.variance
        )
        worst, most = max(worst, effect or 0.0), largest_by_chance(len(cells))
    message = f"(design effect {amount(worst)}, at most {amount(most)} for independent ones)"
    if worst <= most:
        return Check("independence", True, f"requests of one block look independent {message}")
    return Check(
        "independence",
        False,
        f"requests of one block depend on each other {message}: as single observations they would "
        "overstate the evidence; set unit='block' in the policy",
    )


def _future(column: str, number: int) -> Check:
    if not number:
        return Check("feature time", True, f"no {column} is later than its request")
    return Check(
        "feature time",
        False,
        f"{count(number)} requests have a {column} later than the request itself: their features "
        "were not known when they were served",
    )


def _categories(number: int, requests: int) -> Check:
    message = f"{count(number)} of {count(requests)} requests have a category unknown in training"
    if number <= TOLERATED * requests:
        return Check("categories", not number, message, None)
    return Check("categories", False, f"{message}: the challenger's features are not of its kind")


def rows_left_out(counts: Mapping[str, int]) -> list[Check]:
    """A warning for each kind of rows that the state of the files kept from being judged."""
    return [
        Check(name.replace("_", " "), False, f"{count(counts[name])} {what}", None)
        for name, what in (
            ("without_id", "requests have no id, left out"),
            ("without_time", "requests have no time, left out"),
            ("outside_window", "requests of the hours read are outside of the window, left out"),
            ("of_other_hours", "requests are filed under another hour than theirs"),
            ("labels_without_id", "labels have no request id, left out"),
            ("labels_without_value", "rows of the label files have no label, left out"),
        )
        if counts.get(name)
    ]


def _left_out(name: str, number: int, what: str, how: str = "left out") -> Check:
    return Check(name, not number, f"{count(number)} {what} {how}", None)


def _gaps(
    policy: ShadowPolicy, aggregate: ReplayAggregate, start: datetime, end: datetime
) -> Check:
    expected = max(1, round((end - start) / block_length(policy.block)))
    missing = max(0, expected - len(aggregate.blocks))
    return Check(
        "gaps",
        not missing,
        f"{count(missing)} of {count(expected)} {plural(policy.block, expected)} without requests "
        "to judge",
        None,
    )
