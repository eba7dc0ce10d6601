"""The promotion policy of the flight-delay model.

The measure is the Brier score: the mean squared difference between the forecast probability of a
late arrival and what came, 0 at best. Always saying "fifty-fifty" gets 0.25; a forecast that does
worse is of no use. A day counts as one observation, since one storm delays a thousand flights.

Validation is a screen. Two weeks of held-out flights are some fifteen days, too few to measure a
small difference, so it lets a challenger through that may be worse by up to 0.02. The shadow test
decides, on at least four weeks of real requests, and allows 0.005. Neither lets an airport be
forecast worse than by fifty-fifty, nor, in the shadow test, lose more than 0.02; and an answer has
to come within a quarter of a second. A flight's label is known when it has landed: requests younger
than a day wait for theirs.
"""

from __future__ import annotations

from model_lifecycle.gates.policy.promotion import (
    Comparison,
    LatencyLimit,
    Limit,
    ShadowPolicy,
    SliceLimit,
    ValidationPolicy,
    promotion_policy,
)

FIFTY_FIFTY = 0.25

FLIGHT_DELAY_POLICY = promotion_policy(
    validation=ValidationPolicy(
        comparisons=(Comparison("brier", margin=0.02),),
        limits=(Limit("brier", maximum=FIFTY_FIFTY),),
        slices=(SliceLimit("origin", "brier", maximum=FIFTY_FIFTY),),
        label="late",
        unit="day",
        time="requested_at",
        min_rows=5000,
        min_units=14,
        # A model may do without the weather; nothing calls it by its signature.
        may_drop_columns=True,
    ),
    shadow=ShadowPolicy(
        comparisons=(Comparison("brier", margin=0.005),),
        limits=(Limit("brier", maximum=FIFTY_FIFTY, applies="first_version"),),
        slices=(
            SliceLimit("origin", "brier", maximum=FIFTY_FIFTY),
            SliceLimit("origin", "brier", margin=0.02),
        ),
        # A passenger's page waits for the forecast.
        latency=(LatencyLimit(quantile=0.95, maximum_ms=250),),
        block="day",
        # A month of days; some have fewer flights, so that thirty-one are worth about thirty.
        min_blocks=28,
        expected_blocks=31,
        max_duration_days=42,
        label_horizon_hours=24,
        # A cancelled flight never arrives, and flights forecast to be late are cancelled more
        # often: in July 88 % of those have a label against 96 % of the others, as version 1
        # forecasts; 86 % against 97 % as version 2 does.
        max_label_gap=0.15,
    ),
)
