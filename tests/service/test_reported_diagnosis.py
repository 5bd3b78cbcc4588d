"""What the doctor of a box found, as the service is told it: optional, small, strictly read, and kept."""

from typing import Any

import pytest
from tests.service.harness import RunningService, SmallBox, problem

from lancert.protocol.messages import CheckVerdict, ReportedCheck, ReportedDiagnosis
from lancert.service.directory.boxes import show_box
from lancert.service.model import Box, BoxId

AT = "2026-11-20T09:30:00Z"
FILTERED = {"check": "name-resolves", "verdict": "wrong", "because": "filtered"}


def kept(shared: RunningService, box: SmallBox) -> ReportedDiagnosis | None:
    found: Box = shared.change(lambda connection: show_box(connection, BoxId(box.id)))
    return found.diagnosis


def test_a_diagnosis_is_kept_until_the_next_one(shared: RunningService) -> None:
    """An operator sees it without a phone call; a report without one takes nothing away."""
    box = shared.enrolled()
    before = box.report("192.168.1.5").status_code, kept(shared, box)
    told = box.report("192.168.1.5", diagnosis={"at": AT, "checks": [FILTERED, {"check": "clock", "verdict": "fine"}]})
    first = kept(shared, box)
    again = box.report("192.168.1.5"), kept(shared, box)

    assert before == (200, None)
    assert told.status_code == again[0].status_code == 200
    assert again[1] == first
    assert first == ReportedDiagnosis(
        at=AT,
        checks=[
            ReportedCheck(check="name-resolves", verdict=CheckVerdict.WRONG, because="filtered"),
            ReportedCheck(check="clock", verdict=CheckVerdict.FINE),
        ],
    )


@pytest.mark.parametrize(
    ("diagnosis", "field"),
    [
        ("fine", "diagnosis"),
        ({"at": AT}, "diagnosis.checks"),
        ({"at": "yesterday", "checks": []}, "diagnosis.at"),
        ({"at": "2026-13-20T09:30:00Z", "checks": []}, "diagnosis.at"),
        ({"at": AT, "checks": [FILTERED] * 25}, "diagnosis.checks"),
        ({"at": AT, "checks": [{**FILTERED, "verdict": "dubious"}]}, "diagnosis.checks[0].verdict"),
        ({"at": AT, "checks": [{**FILTERED, "because": "192.168.1.1 hides it"}]}, "diagnosis.checks[0].because"),
        ({"at": AT, "checks": [{**FILTERED, "because": "x" * 41}]}, "diagnosis.checks[0].because"),
        ({"at": AT, "checks": [{**FILTERED, "check": "<b>"}]}, "diagnosis.checks[0].check"),
        ({"at": AT, "checks": [{**FILTERED, "sentence": "The name is hidden."}]}, "diagnosis.checks[0].sentence"),
    ],
)
def test_a_diagnosis_that_is_none_is_refused(shared: RunningService, diagnosis: Any, field: str) -> None:
    """Words of a fixed kind and nothing else: no sentence, no address of the shop, no more than 24 checks."""
    box = shared.enrolled()
    refused = problem(box.report("192.168.1.5", diagnosis=diagnosis), 400, "malformed")

    assert field in refused["detail"]
    assert kept(shared, box) is None
