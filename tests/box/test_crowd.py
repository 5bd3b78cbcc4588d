"""Who may hold a connection: plain decisions about visitors, without any socket."""

import pytest

from lancert.box.crowd import EACH, TOTAL, Crowd, Guest, Limits


def _guests(crowd: Crowd, source: str, count: int) -> list[Guest]:
    guests = [Guest(source=source) for _ in range(count)]
    assert [crowd.enter(guest) for guest in guests] == [None] * count
    return guests


def test_a_source_that_has_its_share_gives_up_its_longest_waiting_connection() -> None:
    """F-32, T-28: whoever opens more and more connections loses the own ones, and nobody else's."""
    crowd = Crowd(Limits(total=10, each=3))
    (other,) = _guests(crowd, "192.168.1.9", 1)
    first, second, _ = _guests(crowd, "192.168.1.5", 3)

    assert crowd.enter(Guest(source="192.168.1.5")) is first
    assert crowd.enter(Guest(source="192.168.1.5")) is second
    assert crowd.enter(Guest(source="192.168.1.9")) is None
    assert len(crowd) == 5
    crowd.leave(other)


def test_a_full_house_takes_the_place_from_whoever_holds_the_most() -> None:
    """F-32: a newcomer is let in at the cost of the source with the most connections."""
    crowd = Crowd(Limits(total=6, each=4))
    _guests(crowd, "192.168.1.9", 2)
    first, *_ = _guests(crowd, "192.168.1.5", 4)

    assert crowd.enter(Guest(source="192.168.1.7")) is first
    assert len(crowd) == 6


def test_nobody_is_sent_away_while_the_box_works_on_the_answer() -> None:
    """F-32: a visitor whose request is complete keeps the place; with nobody waiting, the newcomer goes."""
    crowd = Crowd(Limits(total=2, each=2))
    first, second = _guests(crowd, "192.168.1.5", 2)
    crowd.is_served(first)
    assert crowd.enter(Guest(source="192.168.1.7")) is second
    crowd.is_served(newcomer := Guest(source="192.168.1.5"))
    assert len(crowd) == 2

    served = Crowd(Limits(total=1, each=1))
    (only,) = _guests(served, "192.168.1.5", 1)
    served.is_served(only)
    assert served.enter(newcomer) is newcomer
    assert len(served) == 1


def test_who_was_answered_waits_behind_the_others() -> None:
    """A connection that is used goes to the end of the line of those who may have to leave."""
    crowd = Crowd(Limits(total=2, each=2))
    first, second = _guests(crowd, "192.168.1.5", 2)
    crowd.is_served(first)
    crowd.waits(first)

    assert crowd.enter(Guest(source="192.168.1.5")) is second


def test_leaving_twice_frees_one_place() -> None:
    """What is sent away ends a moment later by itself, and is not counted twice."""
    crowd = Crowd(Limits(total=2, each=2))
    first, _ = _guests(crowd, "192.168.1.5", 2)
    crowd.leave(first)
    crowd.leave(first)
    crowd.waits(first)

    assert len(crowd) == 1
    assert crowd.enter(Guest(source="192.168.1.5")) is None
    assert len(crowd) == 2


@pytest.mark.parametrize(
    ("descriptors", "limits"),
    [
        (1_000_000, Limits(total=TOTAL, each=EACH)),
        (1024, Limits(total=TOTAL, each=EACH)),
        (64, Limits(total=16, each=8)),
        (20, Limits(total=8, each=4)),
    ],
)
def test_visitors_never_take_the_files_the_box_needs_itself(descriptors: int, limits: Limits) -> None:
    """F-73: with few files to open there are few visitors, and half of the files are left for the box."""
    assert Limits.for_descriptors(descriptors) == limits
