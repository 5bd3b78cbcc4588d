"""A real agent is given certificate after certificate while strict clients shake hands; the small form of G11.

The full size is ``python -m faults.swap``: 1,000 renewals under 100,000 handshakes.
"""

import pytest
from faults._load import KINDS
from faults._servers import Agent, InPlace
from faults.swap import KEPT, swapped


@pytest.mark.promise("M1")
def test_certificates_are_renewed_under_load_and_nobody_notices() -> None:
    """G11, F-75: TLS 1.2 and 1.3, with and without SNI, resumed and anew: no handshake fails, no connection ends."""
    seen = swapped(Agent, handshakes=600, renewals=20)

    assert (dict(seen.shaken.failures), seen.dropped, seen.late) == ({}, (), 0)
    assert (seen.shaken.done, seen.kept, len(seen.shaken.seen)) == (600, KEPT, len(seen.shaken.seen))
    assert seen.shaken.resumed > len(KINDS)
    assert len(seen.shaken.seen) > 10


def test_a_server_that_changes_the_context_in_use_is_caught() -> None:
    """The load can fail: a server that loads two files one after the other breaks handshakes, and that is noticed."""
    seen = swapped(InPlace, handshakes=600, renewals=5, served_within=1.0)

    assert seen.shaken.failures.total() > 0
