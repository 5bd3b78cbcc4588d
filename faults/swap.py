"""G11, F-75: 1,000 certificates are renewed under load: no handshake of 10^5 fails and no connection is dropped.

A real agent serves; generation after generation is installed through the store, and the agent is told to look. Before
the next one, a new connection must be shown the new certificate. The controls go through the same load: a server that
loads its two files into the context in use when one of them changes, and an agent that is started anew.

    python -m faults.swap --handshakes 10000 --renewals 100
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faults._load import Kept, Load, Shaken
from faults._process import resident, within
from faults._servers import Agent, InPlace, Nginx, Renewed, RestartedAgent, Starter
from faults._table import Row, print_table

HANDSHAKES = 100_000
RENEWALS = 1_000
KEPT = 8
_SERVED_WITHIN = 5.0  # seconds from an installation to the first new connection that shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """What the clients of one server saw."""

    shaken: Shaken
    kept: int
    dropped: tuple[str, ...]
    answers: int
    late: int
    slowest_swap: float
    seconds: float
    megabytes: tuple[float, float]


def swapped(starter: Starter, handshakes: int, renewals: int, *, served_within: float = _SERVED_WITHIN) -> Swapped:
    """Renew so many certificates while so many handshakes are done, and as many again after each of them."""
    with tempfile.TemporaryDirectory() as made:
        server = starter(Path(made))
        try:
            known, late, slowest, began = {server.first}, 0, 0.0, time.monotonic()
            with Load(server.target, handshakes, known) as load:
                load.wait_for(handshakes // (renewals + 1) // 2)
                at_first = resident(server.pid)
                with Kept(server.target) as kept:
                    for number in range(1, renewals + 1):
                        newest = server.renew(known)
                        took = within(served_within, partial(_shows, server, newest))
                        late, slowest = late + (took is None), max(slowest, took or 0.0)
                        load.wait_for(handshakes * number // (renewals + 1))
                    megabytes = at_first, resident(server.pid)
        finally:
            server.stop()
    return Swapped(
        shaken=load.shaken,
        kept=kept.opened,
        dropped=tuple(kept.dropped),
        answers=kept.answers,
        late=late,
        slowest_swap=slowest,
        seconds=time.monotonic() - began,
        megabytes=megabytes,
    )


def _shows(server: Renewed, wanted: str) -> bool:
    return server.target.shown() == wanted


def rows(handshakes: int = HANDSHAKES, renewals: int = RENEWALS) -> list[Row]:
    """Give the table: lancert's agent, the two controls, and nginx for comparison."""
    ours = swapped(Agent, handshakes, renewals)
    seen, (before, after) = ours.shaken, ours.megabytes
    said = f"{seen.done / ours.seconds:.0f} a second, {seen.resumed} resumed, slowest {seen.slowest:.2f} s"
    return [
        Row(
            case=f"lancert, handshakes over {renewals} renewals",
            states=seen.done,
            broken=seen.failures.total(),
            at_least=handshakes,
            found=_failures(seen) or said,
        ),
        Row(
            case="lancert, a new connection shows the new certificate",
            states=renewals,
            broken=ours.late,
            at_least=renewals,
            found=f"slowest {ours.slowest_swap * 1000:.0f} ms, {len(seen.seen)} certificates seen",
        ),
        Row(
            case="lancert, kept connections dropped",
            states=ours.kept,
            broken=len(ours.dropped),
            at_least=KEPT,
            found=", ".join(ours.dropped) or f"{ours.answers} answers on each",
        ),
        Row(
            case="lancert, memory grew by more than 4 MiB",
            states=1,
            broken=int(after - before > 4),
            found=f"{before:.1f} MiB at the beginning, {after:.1f} MiB at the end",
        ),
        _beside("control: two files, loaded into the context in use", InPlace, handshakes // 25, is_control=True),
        _beside("control: started anew", RestartedAgent, handshakes // 25, is_control=True),
        _beside("nginx, reload", Nginx, handshakes // 10, is_control=False),
    ]


def _beside(case: str, starter: Starter, handshakes: int, *, is_control: bool) -> Row:
    renewals = max(10, min(100, handshakes // 100))
    other = swapped(starter, handshakes, renewals, served_within=1.0)
    dropped = f"{len(other.dropped)} of {other.kept} kept connections dropped; {renewals} renewals"
    return Row(
        case=case,
        states=other.shaken.done,
        broken=other.shaken.failures.total(),
        is_control=is_control,
        is_compared=not is_control,
        found="; ".join(part for part in (dropped, _failures(other.shaken)) if part),
    )


def _failures(seen: Shaken) -> str:
    return ", ".join(f"{count} x {text}" for text, count in seen.failures.most_common(2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for other numbers."""
    parser = argparse.ArgumentParser(description="certificates renewed under load")
    parser.add_argument("--handshakes", type=int, default=HANDSHAKES)
    parser.add_argument("--renewals", type=int, default=RENEWALS)
    asked = parser.parse_args(arguments)
    found = rows(asked.handshakes, asked.renewals)
    print_table(found)
    return int(not all(row.is_kept for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
