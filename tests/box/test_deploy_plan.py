"""What a hand-over consists of, when the old files come back, and when it is tried again: decisions, without a disk."""

from dataclasses import replace
from typing import Any

import pytest
from tests.box.given import DAY, HOUR, MINUTE, NOW

from lancert.box.deploy import plan
from lancert.box.deploy.material import Material
from lancert.box.deploy.outcome import Failure, HandedOver, Outcome, Why, bounded, from_records, to_record
from lancert.box.deploy.plan import Before, Shown, Todo
from lancert.box.deploy.reading import parse_targets

((TARGET,), _) = parse_targets([{"name": "app", "key": "/srv/tls/key.pem", "verify": "127.0.0.1:443"}], is_posix=True)
MATERIAL = Material(key=b"", chain=(b"",), shown=(b"",), fingerprint="ab" * 32, server_name="box.example.com")
FAILURE = Failure(why=Why.COMMAND_FAILED, facts={"program": "nginx", "status": "1"}, said="[emerg] no")

A_RENEWAL = Before(files_are_right=False, older_is_valid=True, shown=Shown.OTHER)
NOTHING, EVERYTHING, RELOAD = (
    Todo(place=False, reload=False),
    Todo(place=True, reload=True),
    Todo(place=False, reload=True),
)


def _record(failure: Failure | None = None, last: HandedOver | None = None) -> HandedOver:
    outcome = Outcome.ROLLED_BACK if failure else Outcome.DONE
    return plan.record(TARGET, MATERIAL, (outcome, failure), last, NOW, lambda: 0.0)


@pytest.mark.parametrize(
    ("changed", "todo"),
    [
        ({}, EVERYTHING),
        ({"shown": Shown.NOTHING}, EVERYTHING),
        ({"files_are_right": True, "shown": Shown.NEW}, NOTHING),
        ({"files_are_right": True, "shown": Shown.NEW, "was_done": True}, NOTHING),
        ({"files_are_right": True, "shown": Shown.OTHER, "was_done": True}, RELOAD),
        ({"files_are_right": True, "shown": Shown.NOTHING}, RELOAD),
        ({"files_are_right": True, "shown": Shown.NOTHING, "was_done": True}, NOTHING),
        ({"files_are_right": True, "shown": Shown.NOT_ASKED}, RELOAD),
        ({"files_are_right": True, "shown": Shown.NOT_ASKED, "was_done": True}, NOTHING),
        ({"files_are_right": True, "shown": Shown.NOT_ASKED, "was_done": True, "is_asked": True}, RELOAD),
    ],
)
def test_nothing_is_done_that_is_done_already(changed: dict[str, Any], todo: Todo) -> None:
    """A start reloads nothing without need; a program that does not run reads the files when it starts."""
    assert plan.todo(replace(A_RENEWAL, **changed)) == todo


@pytest.mark.parametrize(
    ("changed", "why", "goes_back"),
    [
        ({}, Why.COMMAND_FAILED, True),
        ({}, Why.OTHER_SERVED, True),
        ({"shown": Shown.NOT_ASKED}, Why.COMMAND_FAILED, True),
        ({"older_is_valid": False}, Why.COMMAND_FAILED, False),
        ({"shown": Shown.NOTHING}, Why.NO_ANSWER, False),
        ({"files_are_right": True, "was_done": True}, Why.COMMAND_FAILED, False),
        ({}, Why.INTERRUPTED, False),
    ],
)
def test_the_old_files_come_back_if_they_worked(changed: dict[str, Any], why: Why, goes_back: bool) -> None:
    """Nothing is taken back for a program that was not running, or to a certificate that has expired."""
    assert plan.goes_back(replace(A_RENEWAL, **changed), Failure(why=why)) is goes_back


def test_a_failure_is_tried_again_with_growing_waits() -> None:
    """No hot loop: a minute, two, five, and after many failures every six hours."""
    record, waits = _record(FAILURE), []
    for _ in range(9):
        assert record.next_at is not None
        waits.append(record.next_at - NOW)
        record = _record(FAILURE, record)

    assert waits[:3] == [MINUTE, 2 * MINUTE, 5 * MINUTE]
    assert waits[-1] == 6 * HOUR
    assert _record(None, record).failures == 0


def test_a_hand_over_is_due_when_something_is_new_or_its_time_has_come() -> None:
    """A new certificate, changed settings, or a failure whose wait is over."""
    other = replace(TARGET, mode=0o640)
    failed = _record(FAILURE)

    assert plan.is_due(TARGET, MATERIAL.fingerprint, None, NOW)
    assert not plan.is_due(TARGET, MATERIAL.fingerprint, _record(), NOW + 1000 * DAY)
    assert plan.is_due(TARGET, "cd" * 32, _record(), NOW)
    assert plan.is_due(other, MATERIAL.fingerprint, _record(), NOW)
    assert not plan.is_due(TARGET, MATERIAL.fingerprint, failed, NOW)
    assert plan.is_due(TARGET, MATERIAL.fingerprint, failed, NOW + MINUTE)


@pytest.mark.parametrize("failure", [None, FAILURE])
def test_a_record_is_read_as_it_was_written(failure: Failure | None) -> None:
    """A start knows what was done before."""
    record = _record(failure)

    assert from_records({"targets": [to_record(record)]}) == (record,)


@pytest.mark.parametrize("damaged", [None, {}, {"targets": 7}, {"targets": [7, {}, {"target": "x"}]}])
def test_a_damaged_record_was_never_there(damaged: dict[str, object] | None) -> None:
    """What cannot be read is done again."""
    assert from_records(damaged) == ()


@pytest.mark.parametrize("why", Why)
def test_every_failure_says_what_happened_and_names_the_target(why: Why) -> None:
    """No placeholder is left open, whatever failed."""
    facts = dict.fromkeys(("detail", "program", "status", "seconds", "file", "reference", "result"), "something")
    record = plan.record(TARGET, MATERIAL, (Outcome.KEPT, Failure(why=why, facts=facts)), None, NOW, lambda: 0.0)
    words = record.words(str)

    assert "app" in words
    assert "{" not in words + "".join(record.steps(str))
    assert "The new files stay" in words
    assert record.steps(str)


def test_what_a_program_prints_is_bounded_and_holds_no_key() -> None:
    """S-97: the end of it, without control characters, without a private key."""
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----"
    said = bounded("x" * 10_000 + f"\x1b[31m {key} last line")

    assert said.endswith("last line")
    assert "MIGH" not in said
    assert "\x1b" not in said
    assert len(said) <= 600
    assert bounded(said) == said
