"""The PIN: looking is free, changing needs it, guessing is slow for the one who guesses."""

import asyncio
import json
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from tests.box.given import NOW

from lancert.box.pin import PinDoor, PinVerdict, exists, new_pin, shown
from lancert.kit.clock import SettableClock
from lancert.kit.logs import write_logs

RIGHT, WRONG, TOO_MANY = PinVerdict.RIGHT, PinVerdict.WRONG, PinVerdict.TOO_MANY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the hash is kept."""
    return tmp_path / "pin.json"


@pytest.fixture
def clock() -> SettableClock:
    """A clock that moves when told."""
    return SettableClock(NOW)


def _try(door: PinDoor, *pins: str, source: str = "192.168.1.7") -> list[PinVerdict]:
    async def one_by_one() -> list[PinVerdict]:
        return [(await door.check(pin, source))[0] for pin in pins]

    return asyncio.run(one_by_one())


def _another(pin: str) -> str:
    return f"{(int(pin) + 1) % 10**10:010}"


def test_the_right_pin_opens_and_another_does_not(path: Path, clock: SettableClock) -> None:
    """S-31: ten random digits, different for every box."""
    pin = new_pin(path)

    assert re.fullmatch("[0-9]{10}", pin)
    assert _try(PinDoor(path, clock), _another(pin), pin) == [WRONG, RIGHT]
    assert new_pin(path) != pin


def test_every_try_is_recorded_without_what_was_typed(path: Path, clock: SettableClock) -> None:
    """S-94, S-32: who tried and how it ended, up to the limit; a flood of tries writes no flood of lines."""
    pin = new_pin(path)
    wrong = _another(pin)
    write_logs(to_file=path.parent / "box.log", level="info")
    _try(PinDoor(path, clock), pin, *[wrong] * 50)
    write_logs()
    written = (path.parent / "box.log").read_text()
    events = [json.loads(line) for line in written.splitlines()]

    assert [(event["level"], event["event"]) for event in events] == [
        ("info", "the PIN was entered"),
        *[("warning", "a wrong PIN was entered")] * 5,
    ]
    assert {event["source"] for event in events} == {"192.168.1.7"}
    assert [event["tries"] for event in events[1:]] == [1, 2, 3, 4, 5]
    assert not [digits for digits in (pin, wrong) if digits in written]


def test_a_pin_is_typed_as_it_is_shown(path: Path, clock: SettableClock) -> None:
    """Spaces and hyphens do not count, also those a phone puts in."""
    pin = new_pin(path)
    door = PinDoor(path, clock)

    assert shown("4829157306") == "482 915 7306"
    assert _try(door, shown(pin), shown(pin).replace(" ", "-"), f"  {pin[:5]}\u00a0{pin[5:]} ") == [RIGHT] * 3


@pytest.mark.parametrize("typed", ["", " ", "123", "a" * 10, "٣" * 10, "1" * 100_000, "\0" * 10, "+123456789"])
def test_what_is_no_pin_is_wrong(path: Path, clock: SettableClock, typed: str) -> None:
    """Whatever is typed is answered."""
    new_pin(path)

    assert _try(PinDoor(path, clock), typed) == [WRONG]


def test_five_wrong_pins_a_minute_then_a_wait(path: Path, clock: SettableClock) -> None:
    """S-32: the sixth try is not even checked, the wait is told, and after it the right PIN opens."""
    pin = new_pin(path)
    door = PinDoor(path, clock)
    first = _try(door, *[_another(pin)] * 5)
    clock.forward(timedelta(seconds=20))
    verdict, seconds = asyncio.run(door.check(pin, "192.168.1.7"))
    clock.forward(timedelta(seconds=seconds))

    assert first == [WRONG] * 5
    assert (verdict, seconds) == (TOO_MANY, 41)
    assert _try(door, pin) == [RIGHT]


def test_no_more_than_five_wrong_pins_in_any_minute(path: Path, clock: SettableClock) -> None:
    """S-32: a guesser who never stops gets five tries a minute."""
    pin = new_pin(path)
    door = PinDoor(path, clock)
    checked = []
    for second in range(150):
        if _try(door, _another(pin)) == [WRONG]:
            checked.append(second)
        clock.forward(timedelta(seconds=1))

    assert len(checked) == 15
    assert all(later - earlier >= 60 for earlier, later in zip(checked, checked[5:], strict=False))


def test_somebody_else_s_guesses_do_not_lock_the_owner_out(path: Path, clock: SettableClock) -> None:
    """S-32: the wait holds for the source that guessed."""
    pin = new_pin(path)
    door = PinDoor(path, clock)

    assert _try(door, *[_another(pin)] * 6, source="192.168.1.66")[-1] is TOO_MANY
    assert _try(door, pin, source="192.168.1.7") == [RIGHT]


def test_many_tries_at_once_are_counted_one_by_one(path: Path, clock: SettableClock) -> None:
    """S-32: sending a hundred requests in the same moment gets no more than five checked."""
    pin = new_pin(path)
    door = PinDoor(path, clock)

    async def at_once() -> list[PinVerdict]:
        answers = await asyncio.gather(*(door.check(_another(pin), "192.168.1.66") for _ in range(100)))
        return [verdict for verdict, _ in answers]

    verdicts = asyncio.run(at_once())

    assert verdicts.count(WRONG) == 5
    assert verdicts.count(TOO_MANY) == 95


def test_the_right_pin_wipes_the_wrong_ones(path: Path, clock: SettableClock) -> None:
    """Whoever mistyped four times and then got it right starts anew."""
    pin = new_pin(path)
    door = PinDoor(path, clock)

    assert _try(door, *[_another(pin)] * 4, pin, *[_another(pin)] * 4, pin)[-1] is RIGHT


def test_many_sources_take_no_memory_for_ever(path: Path, clock: SettableClock) -> None:
    """Guessing from thousands of addresses neither fills the memory nor helps any of them."""
    pin = new_pin(path)
    door = PinDoor(path, clock)
    for number in range(3000):
        _try(door, "1", source=f"fd00::{number:x}")

    assert len(door._failures) <= 1001
    assert _try(door, pin) == [RIGHT]


def test_the_pin_itself_is_nowhere_on_the_disk(path: Path) -> None:
    """S-31: only a salted hash is kept, in a private file."""
    pin = new_pin(path)

    assert pin not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"salt": 1, "hash": 2}', b'{"salt": "x", "hash": "y"}', b"x" * 2000]
)
def test_a_damaged_pin_file_opens_to_nobody(path: Path, clock: SettableClock, content: bytes) -> None:
    """A PIN that cannot be checked counts as none: a new one is made at the next start."""
    pin = new_pin(path)
    assert exists(path)
    path.write_bytes(content)

    assert not exists(path)
    assert _try(PinDoor(path, clock), pin, "0" * 10, "") == [WRONG] * 3


def test_an_empty_hash_opens_to_nobody(path: Path, clock: SettableClock) -> None:
    """A file of empty values is no PIN either."""
    path.write_bytes(b'{"salt": "", "hash": ""}')

    assert _try(PinDoor(path, clock), "0" * 10, "") == [WRONG] * 2
