"""HAProxy from Debian is given certificates, and the old ones back when it cannot use the new ones, under load."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faults.handover import Box, a_haproxy, exercise

from lancert.box.deploy.outcome import Outcome


@pytest.mark.promise("M1")
def test_no_handshake_fails_during_hand_overs_to_haproxy(tool: Callable[[str], str], tmp_path: Path) -> None:
    """M1, F-75: the same for HAProxy, whose reload tells nobody that it failed: it is seen by connecting.

    The full size is ``make faults ARGS=handover``.
    """
    done = exercise(a_haproxy(tool("haproxy"), tmp_path), Box(tmp_path), rounds=6, handshakes=40)

    assert done.wrong == []
    assert done.seen.failed == []
    assert done.seen.handshakes >= 6 * 40
    assert done.outcomes == [*[Outcome.DONE] * 4, Outcome.ROLLED_BACK, Outcome.DONE]
