"""nginx from Debian is given certificates, and the old ones back when it cannot use the new ones, under load."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from faults.handover import Box, Program, an_nginx, exercise

from lancert.box.deploy.outcome import Outcome
from lancert.box.deploy.targets import Command


@pytest.fixture
def nginx(tool: Callable[[str], str], tmp_path: Path) -> Program:
    """An nginx that is prepared and does not run yet."""
    return an_nginx(tool("nginx"), tmp_path)


@pytest.mark.promise("M1")
def test_no_handshake_fails_during_hand_overs_to_nginx(nginx: Program, tmp_path: Path) -> None:
    """M1, F-75: strict clients connect without a pause while nginx gets new certificates and twice cannot take them.

    The full size is ``make faults ARGS=handover``.
    """
    done = exercise(nginx, Box(tmp_path), rounds=10, handshakes=25)

    assert done.wrong == []
    assert done.seen.failed == []
    assert done.seen.handshakes >= 10 * 25
    assert done.outcomes.count(Outcome.ROLLED_BACK) == 2


def test_nginx_starts_with_the_first_files(nginx: Program, tmp_path: Path) -> None:
    """The files of the first hand-over stay although nginx does not run yet: it needs them to start."""
    box = Box(tmp_path)
    first = box.renew()

    before = box.hand_over(nginx.target, first)
    with nginx.server:
        after = box.hand_over(nginx.target, first)

    assert (before, after) == (Outcome.KEPT, Outcome.DONE)


def test_nginx_without_the_chain_is_found_out(nginx: Program, tmp_path: Path) -> None:
    """A server that sends the certificate alone works in some browsers and in no payment terminal."""
    box, tls = Box(tmp_path), nginx.target.folder
    box.hand_over(nginx.target, box.renew())
    alone = nginx.target.folder.parent / "alone.pem"
    alone.write_bytes((tls / "full-chain.pem").read_bytes().partition(b"-----END CERTIFICATE-----\n")[0])
    alone.write_bytes(alone.read_bytes() + b"-----END CERTIFICATE-----\n")
    nginx.server.configure(f"ssl_certificate {alone}; ssl_certificate_key {tls}/key.pem;")

    with nginx.server:
        outcome, failure = box.hand_over_saying(nginx.target, box.latest())

    assert outcome is Outcome.KEPT
    assert failure is not None
    assert failure.why == "chain-missing"


def test_a_server_that_is_gone_after_the_reload_is_told_of(nginx: Program, tmp_path: Path) -> None:
    """The old files come back, and nobody says that they are served when they are not."""
    box = Box(tmp_path)
    box.hand_over(nginx.target, box.renew())
    assert isinstance(nginx.target.reload, Command)
    stop = Command(arguments=(*nginx.target.reload.arguments[:-1], "stop"))
    old = (nginx.target.folder / "key.pem").read_bytes()

    with nginx.server:
        outcome = box.hand_over(replace(nginx.target, reload=stop, timeout=1.0), box.renew())

    assert outcome is Outcome.STUCK
    assert (nginx.target.folder / "key.pem").read_bytes() == old
