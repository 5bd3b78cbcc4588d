"""Years around the planner: whatever happens to service, clock and power, three rules hold.

The world is ``faults._world``; a longer run is ``python -m faults.plan --years 1000``. Here hypothesis tells it what
happens, and some years of random weather are lived through.
"""

from datetime import timedelta

import pytest
from faults._world import DAY, HOUR, Broken, Planner, Weather, World
from faults.plan import CONTROLS, live_many
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule


class Years(RuleBasedStateMachine):
    """One box and everything that may happen to it."""

    @initialize(
        chance=st.randoms(use_true_random=False),
        weather=st.builds(
            Weather,
            life=st.sampled_from([45 * DAY, 160 * HOUR]),
            window=st.sampled_from([(2 / 3, 5 / 6), (0.5, 0.6), (0.7, 0.2), None]),
        ),
    )
    def switch_on(self, chance: object, weather: Weather) -> None:
        """Start with nothing but a connection."""
        self.world = World(chance=chance, weather=weather)  # type: ignore[arg-type]

    @rule(
        service=st.sampled_from(["willing", "willing", "away", "refusing", "busy"]),
        retry_after=st.sampled_from([None, "0", "120", "86400", "31536000", "soon"]),
    )
    def change_service(self, service: str, retry_after: str | None) -> None:
        """The service goes away, comes back, refuses or asks for patience."""
        self.world.serve(service, retry_after if service == "busy" else None)

    @rule(hours=st.sampled_from([None, 0, 0, -48, -1, 1, 480, -480, 20 * 365 * 24]))
    def set_clock(self, hours: int | None) -> None:
        """Somebody sets the clock, or its battery is empty."""
        self.world.step_clock(None if hours is None else timedelta(hours=hours))

    @rule()
    def restart(self) -> None:
        """The power goes and comes."""
        self.world.restart()

    @rule()
    def visit(self) -> None:
        """Somebody opens the homepage."""
        self.world.visit()

    @rule(days=st.sampled_from([0.001, 0.5, 1, 5, 14, 40]))
    def live(self, days: float) -> None:
        """Time passes."""
        self.world.run(self.world.true + days * DAY)


TestYears = Years.TestCase
TestYears.settings = settings(
    max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_certificate_expires_in_vain_over_years(seed: int) -> None:
    """F-20 to F-22, F-38: no expiry after a fit day, one order for each renewal, no hot loop."""
    figures = live_many(seed, 1.0, each=0.25)

    assert figures.orders > figures.years


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_a_planner_that_breaks_a_rule_is_caught(control: Planner) -> None:
    """The rules can fail: a daily look without a second try, a hot loop, and an order a day are noticed."""
    with pytest.raises(Broken):
        live_many(1, 20, planner=control)
