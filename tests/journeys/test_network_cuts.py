"""An answer that is lost on the way: nothing is taken in part, and asking again gives the one certificate (F-28)."""

from pathlib import Path

import pytest
from tests.journeys.loading import cut_everywhere
from tests.journeys.world import Service


@pytest.mark.promise("M3")
def test_wherever_an_answer_is_cut_nothing_is_taken_and_nothing_is_signed_twice(
    own_service: Service, tmp_path: Path
) -> None:
    """F-28: cut at every third of the places that ``make faults`` takes, TLS and all; the next try has it."""
    cuts = cut_everywhere(own_service, tmp_path, step=3 * 97)

    assert (cuts.taken_in_part, cuts.signed_twice) == (0, 0)
    assert cuts.cut >= 15
    assert cuts.after_signing >= 5, "too few were cut after their certificate was signed: this showed nothing"
