"""What ``/status.json`` and ``lancert box status --json`` say, and the state in one word."""

import json
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from tests.box.given import (
    CONTRACT,
    DATABASE,
    DAY,
    HOUR,
    LABEL,
    MINUTE,
    NOW,
    REFUSED,
    UNREACHABLE,
    a_box,
    failed,
    installed,
)

from lancert.box.facts import BoxFacts, LastTry, Outcome
from lancert.box.maintenance import parse_maintenance
from lancert.box.status import State, state_of, status_document
from lancert.protocol import problems
from lancert.protocol.credential import Credential
from lancert.protocol.problems import Occurrence

EXPIRED = installed(not_before=NOW - 50 * DAY)
STATES: list[tuple[str, BoxFacts, State]] = [
    ("nobody connected it", a_box(server=None, enrolment=None), State.NOT_CONNECTED),
    ("well", a_box(stored=installed()), State.SECURE),
    ("renewal failed", a_box(stored=installed(), last_try=failed()), State.ATTENTION),
    ("renewal refused", a_box(stored=installed(), last_try=failed(problem=REFUSED)), State.ATTENTION),
    ("an older one serves", a_box(stored=installed(), damage="damaged"), State.ATTENTION),
    ("server forgotten", a_box(server=None, stored=installed()), State.ATTENTION),
    ("first try under way", a_box(is_loading=True), State.LOADING),
    ("about to try", a_box(), State.LOADING),
    ("trying again", a_box(is_loading=True, last_try=failed()), State.LOADING),
    ("unreachable", a_box(last_try=failed()), State.BLOCKED),
    ("refused", a_box(last_try=failed(problem=REFUSED)), State.BLOCKED),
    ("no credential", a_box(credential=Credential()), State.BLOCKED),
    ("expired and unreachable", a_box(stored=EXPIRED, last_try=failed()), State.BLOCKED),
    ("expired, renewing", a_box(stored=EXPIRED, is_loading=True), State.LOADING),
    ("not valid yet", a_box(stored=installed(not_before=NOW + DAY), last_try=failed()), State.BLOCKED),
    ("server forgotten, expired", a_box(server=None, stored=EXPIRED), State.BLOCKED),
]


@pytest.mark.parametrize(("facts", "state"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
def test_the_state_in_one_word(facts: BoxFacts, state: State) -> None:
    """Secure, attention, loading, blocked or not connected: what the homepage says first."""
    assert state_of(facts, NOW) is state


@pytest.mark.promise("M6", "M7")
def test_the_document_of_a_healthy_box() -> None:
    """M6, M7: the URL, the validity period and the next renewal, as plain JSON."""
    facts = a_box(stored=installed(), last_try=LastTry(at=NOW - HOUR, outcome=Outcome.INSTALLED))
    document = json.loads(json.dumps(status_document(facts, NOW, str)))

    assert document == {
        "name": "Shop at the corner",
        "kind": "iot-box",
        "state": "secure",
        "now": "2026-11-20T09:30:00Z",
        "url": f"https://192-168-1-5.{LABEL}.lancert.localhost/",
        "stable_url": f"https://{LABEL}.lancert.localhost/",
        "urls": [
            {
                "address": "192.168.1.5",
                "interface": None,
                "has_link": True,
                "https_answers": None,
                "http": "http://192.168.1.5/",
                "https": f"https://192-168-1-5.{LABEL}.lancert.localhost/",
            }
        ],
        "interfaces": [],
        "server": "https://service.localhost:8443",
        "credential": {"contract": "set", "database_uuid": "set"},
        "certificate": {
            "names": [f"*.{LABEL}.lancert.localhost", f"{LABEL}.lancert.localhost"],
            "not_before": "2026-11-10T09:30:00Z",
            "not_after": "2026-12-25T09:30:00Z",
            "is_valid": True,
            "renewal_from": "2026-12-10T09:30:00Z",
        },
        "last_try": {"at": "2026-11-20T08:30:00Z", "outcome": "installed", "code": None},
        "next_try": "2026-12-10T09:30:00Z",
        "maintenance": None,
        "is_loading": False,
        "log_level": {"level": "info", "until": None},
        "problems": [],
        "notices": [],
        "hand_over": [],
    }


@pytest.mark.promise("M4", "M5", "M17")
def test_a_refusal_is_told_with_every_reason_and_its_remedy() -> None:
    """M17: the unmet criteria, what they mean and what to do, reasons first."""
    document = status_document(a_box(last_try=failed(problem=REFUSED)), NOW, str)
    (problem,) = document["problems"]

    assert problem["code"] == "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT"
    assert problem["cause"]["id"] == "refused"
    assert [reason["criterion"] for reason in problem["reasons"]] == ["database-not-production", "no-iot-box-line"]
    assert "marked as: staging" in problem["reasons"][0]["meaning"]
    assert len(problem["remedy"]) == 3
    assert document["last_try"]["code"] == problem["code"]
    assert document["next_try"] == "2026-11-20T09:31:00Z"


EVERYTHING = [
    a_box(last_try=failed(problem=problem), stored=stored)
    for stored in (None, installed())
    for problem in (
        UNREACHABLE,
        REFUSED,
        Occurrence(problem=problems.LOAD_REQUEST_STATUS, facts={"server": "https://a.example", "status": "404"}),
    )
]


@pytest.mark.parametrize("facts", [*EVERYTHING, *(row[1] for row in STATES)])
def test_the_document_holds_no_secret(facts: BoxFacts) -> None:
    """S-33: it is open to everybody on the network: no contract, no UUID, no serial, no fingerprint, no version."""
    text = json.dumps(status_document(facts, NOW, str))

    assert CONTRACT.reveal() not in text
    assert DATABASE.reveal() not in text
    assert '"1a2b"' not in text
    assert "abab" not in text
    assert "version" not in text
    assert "{server}" not in text


@pytest.mark.parametrize(
    ("facts", "next_try"),
    [
        (a_box(), "2026-11-20T09:30:00Z"),
        (a_box(last_try=failed(NOW, wait=10 * MINUTE)), "2026-11-20T09:40:00Z"),
        (a_box(server=None), None),
        (a_box(credential=Credential(), stored=installed()), None),
    ],
)
def test_the_next_try_is_told(facts: BoxFacts, next_try: str | None) -> None:
    """The owner reads when the box tries again by itself, or that it waits for a person."""
    assert status_document(facts, NOW, str)["next_try"] == next_try


def test_sentences_are_in_the_reader_s_language() -> None:
    """M20: codes and ids stay, sentences are translated."""

    def backwards(sentence: str) -> str:
        return sentence[::-1].replace("}", "\0").replace("{", "}").replace("\0", "{")

    facts = replace(a_box(credential=Credential()))
    plain: Any = status_document(facts, NOW, str)["problems"][0]
    translated: Any = status_document(facts, NOW, backwards)["problems"][0]

    assert (translated["code"], translated["cause"]["id"]) == (plain["code"], plain["cause"]["id"])
    assert translated["title"] == plain["title"][::-1]
    assert translated["cause"]["meaning"] == plain["cause"]["meaning"][::-1]


NIGHT = replace(parse_maintenance("02:00-05:00"), zone=UTC)
DUE = installed(not_before=NOW - 35 * DAY)


@pytest.mark.parametrize(
    ("facts", "waits_until"),
    [
        (a_box(stored=installed(), maintenance=NIGHT), None),
        (a_box(stored=DUE, maintenance=NIGHT), "2026-11-21T02:00:00Z"),
        (a_box(stored=DUE, maintenance=NIGHT, renewal_asked=True), None),
        (a_box(stored=DUE, maintenance=NIGHT, last_try=failed(NOW, wait=MINUTE)), "2026-11-21T02:00:00Z"),
        (a_box(stored=installed(not_before=NOW - 43 * DAY), maintenance=NIGHT), None),
        (a_box(maintenance=NIGHT), None),
    ],
    ids=["not due", "due", "asked for now", "due, the last try failed", "an emergency", "no certificate"],
)
def test_a_renewal_that_waits_for_the_night_says_so(facts: BoxFacts, waits_until: str | None) -> None:
    """Whoever reads that the certificate is due reads too why nothing happens before the shop closes."""
    document = status_document(facts, NOW, str)

    assert document["maintenance"] == {"begin": "02:00", "end": "05:00", "waits_until": waits_until}
    assert waits_until is None or document["next_try"] == waits_until
