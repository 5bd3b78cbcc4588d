"""What a box does next and what is wrong with it: decisions over plain values."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.box.given import (
    CONTRACT,
    DATABASE,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER_LABEL,
    REFUSED,
    SECOND,
    UNREACHABLE,
    a_box,
    failed,
    installed,
)

from lancert.box import plan
from lancert.box.facts import BoxFacts, InstalledCertificate, LastTry, Outcome
from lancert.box.maintenance import Maintenance
from lancert.box.plan import (
    BETWEEN_ASKED_TRIES,
    Load,
    Rest,
    Step,
    Wait,
    earliest_try,
    next_step,
    problems_of,
    renewal_begins,
    serves_https,
)
from lancert.kit.backoff import retry_after, wait_after
from lancert.protocol import problems
from lancert.protocol.credential import Credential
from lancert.protocol.names import DEMO_ZONE, certificate_names

BY_CLOCK = replace(UNREACHABLE, cause_id="clock")
FRESH = installed()
DUE = installed(not_before=NOW - 31 * DAY)
EXPIRED = installed(not_before=NOW - 46 * DAY)

STEPS: list[tuple[str, BoxFacts, Step]] = [
    ("not connected", a_box(server=None), Rest()),
    ("not connected, with a certificate", a_box(server=None, stored=EXPIRED), Rest()),
    ("contract missing", a_box(credential=Credential(database=DATABASE)), Rest()),
    ("database UUID missing", a_box(credential=Credential(contract=CONTRACT), stored=DUE), Rest()),
    ("credential missing", a_box(credential=Credential(), was_asked=True), Rest()),
    ("first start", a_box(enrolment=None), Load("there is no certificate yet")),
    ("no certificate", a_box(), Load("there is no certificate yet")),
    ("damaged", a_box(damage="damaged"), Load("the stored certificate cannot be read")),
    (
        "damaged, an older one serves",
        a_box(stored=FRESH, damage="damaged"),
        Load("the stored certificate cannot be read"),
    ),
    ("another server", a_box(stored=FRESH, enrolment=None), Load("the server or the credential changed")),
    (
        "another name space",
        a_box(stored=installed(names=certificate_names(OTHER_LABEL, DEMO_ZONE))),
        Load("the certificate is for another name space"),
    ),
    ("expired", a_box(stored=EXPIRED), Load("the certificate has expired")),
    ("due", a_box(stored=DUE), Load("the certificate is due for renewal")),
    ("fresh", a_box(stored=FRESH), Wait(until=NOW + HOUR)),
    ("fresh, homepage opened", a_box(stored=FRESH, was_asked=True), Wait(until=NOW + HOUR)),
    ("fresh, a new one wanted", a_box(stored=FRESH, renewal_asked=True), Load("a new certificate was asked for")),
    (
        "due in ten minutes",
        a_box(stored=installed(renewal=(NOW + 10 * MINUTE, NOW + DAY))),
        Wait(until=NOW + 10 * MINUTE),
    ),
    (
        "failed a second ago",
        a_box(last_try=failed(NOW - SECOND, wait=10 * MINUTE)),
        Wait(until=NOW - SECOND + 10 * MINUTE, because="there is no certificate yet"),
    ),
    (
        "failed, the wait is over",
        a_box(last_try=failed(NOW - 10 * MINUTE, wait=10 * MINUTE)),
        Load("there is no certificate yet"),
    ),
    (
        "failed, homepage opened at once",
        a_box(last_try=failed(NOW - SECOND, wait=6 * HOUR), was_asked=True),
        Wait(until=NOW - SECOND + MINUTE, because="there is no certificate yet"),
    ),
    (
        "failed, homepage opened a minute later",
        a_box(last_try=failed(NOW - MINUTE, wait=6 * HOUR), was_asked=True),
        Load("there is no certificate yet"),
    ),
    (
        "installed just now and due again",
        a_box(
            stored=DUE,
            last_try=LastTry(at=NOW - SECOND, outcome=Outcome.INSTALLED, next_at=NOW + 5 * MINUTE),
        ),
        Wait(until=NOW + 5 * MINUTE, because="the certificate is due for renewal"),
    ),
]


@pytest.mark.promise("M2", "M11")
@pytest.mark.parametrize(("facts", "step"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_the_next_step_follows_from_what_the_box_knows(facts: BoxFacts, step: Step) -> None:
    """M2, M11: nobody runs a command; what is missing, damaged, due or foreign is asked for."""
    assert next_step(facts, NOW) == step


LIVES = [
    # life, renewal window as fractions of the life, begins after (fraction of the life)
    ("the service's window", 45 * DAY, (0.5, 0.6), 0.5),
    ("a window early in the life", 45 * DAY, (0.01, 0.02), 0.01),
    ("a third when the window is before the life", 45 * DAY, (-0.5, -0.4), 2 / 3),
    ("a third when the window is after the life", 45 * DAY, (1.1, 1.2), 2 / 3),
    ("a third when the window begins with the life", 45 * DAY, (0.0, 0.5), 2 / 3),
    ("a third when the window begins with the end", 45 * DAY, (1.0, 1.0), 2 / 3),
    ("a third of ten days", 10 * DAY, (2.0, 2.0), 2 / 3),
    ("half under ten days", 10 * DAY - 4 * SECOND, (2.0, 2.0), 1 / 2),
    ("half of 160 hours", 160 * HOUR, (2.0, 2.0), 1 / 2),
    ("half of an hour", HOUR, (2.0, 2.0), 1 / 2),
    ("a reversed window counts from its start", 45 * DAY, (0.7, 0.2), 0.7),
]


@pytest.mark.parametrize(("life", "window", "begins"), [row[1:] for row in LIVES], ids=[row[0] for row in LIVES])
def test_renewal_begins_with_the_window_or_with_the_last_part_of_life(
    life: timedelta, window: tuple[float, float], begins: float
) -> None:
    """F-39b: the service's window when it makes sense, else a third of the life left, or half of a short one."""
    start = NOW - DAY
    certificate = installed(not_before=start, life=life, renewal=(start + life * window[0], start + life * window[1]))

    assert abs(renewal_begins(certificate) - (start + life * begins)) <= SECOND


@pytest.mark.parametrize(("fingerprint", "share"), [("00", 0.0), ("80", 0.5), ("ff", 1.0)])
@pytest.mark.parametrize(
    ("life", "window", "longest"),
    [
        (45 * DAY, (2 / 3, 5 / 6), 12 * HOUR),
        (160 * HOUR, (2 / 3, 5 / 6), 160 * HOUR / 60),
        (45 * DAY, (0.5, 0.6), 4.5 * DAY),
        (45 * DAY, (0.8, 0.9), timedelta(0)),
        (45 * DAY, (0.7, 0.2), timedelta(0)),
    ],
)
def test_the_renewal_is_drawn_with_the_certificate(
    fingerprint: str, share: float, life: timedelta, window: tuple[float, float], longest: timedelta
) -> None:
    """F-38: a fleet spreads over the window, though not far into the last third, and each draw stays what it is."""
    renewal = (NOW + life * window[0], NOW + life * window[1])
    certificate = installed(not_before=NOW, life=life, renewal=renewal, fingerprint=fingerprint * 32)

    assert abs(renewal_begins(certificate) - renewal[0] - longest * share) <= longest / 100 + SECOND


# The last twentieth of 45 days begins two and a quarter days before the end.
LATE = installed(not_before=NOW - 43 * DAY)
TOLD = replace(failed(NOW, wait=DAY), is_told=True)

EMERGENCIES = [
    ("due, and the emergency far", DUE, failed(NOW, wait=6 * HOUR), 6 * HOUR),
    ("six hours cut to five minutes", LATE, failed(NOW, wait=6 * HOUR), 5 * MINUTE),
    ("two minutes stay", LATE, failed(NOW, wait=2 * MINUTE), 2 * MINUTE),
    ("a day of the server cut to a quarter of an hour", LATE, TOLD, 15 * MINUTE),
    ("refused: once an hour", LATE, failed(NOW, problem=REFUSED, wait=6 * HOUR), HOUR),
    ("expired", EXPIRED, failed(NOW, wait=6 * HOUR), 5 * MINUTE),
    ("it begins within the wait", installed(not_before=NOW - 42 * DAY), TOLD, 18 * HOUR),
    ("no certificate yet", None, failed(NOW, wait=6 * HOUR), 6 * HOUR),
]


@pytest.mark.parametrize(
    ("stored", "last", "wait"), [row[1:] for row in EMERGENCIES], ids=[row[0] for row in EMERGENCIES]
)
def test_shortly_before_the_end_tries_follow_within_minutes(
    stored: InstalledCertificate | None, last: LastTry, wait: timedelta
) -> None:
    """From one twentieth of the life on, no wait that was said before keeps a certificate from being renewed."""
    assert earliest_try(a_box(stored=stored, last_try=last), NOW) == NOW + wait


NIGHT = Maintenance(begin=time(2), end=time(5), zone=UTC)
TONIGHT = NOW.replace(hour=2, minute=0) + DAY

NIGHTS: list[tuple[str, BoxFacts, Step]] = [
    ("due by day", a_box(stored=DUE), Wait(until=TONIGHT, because=plan.DUE)),
    ("due by day, homepage opened", a_box(stored=DUE, was_asked=True), Wait(until=TONIGHT, because=plan.DUE)),
    (
        "failed, and the wait ends by day",
        a_box(stored=DUE, last_try=failed(NOW, wait=HOUR)),
        Wait(until=TONIGHT, because=plan.DUE),
    ),
    ("due, and a new one wanted", a_box(stored=DUE, renewal_asked=True), Load(plan.DUE)),
    ("first certificate", a_box(), Load("there is no certificate yet")),
    ("damaged", a_box(stored=DUE, damage="damaged"), Load("the stored certificate cannot be read")),
    ("another server", a_box(stored=DUE, enrolment=None), Load("the server or the credential changed")),
    ("emergency", a_box(stored=LATE), Load(plan.DUE)),
    ("expired", a_box(stored=EXPIRED), Load("the certificate has expired")),
    (
        "the emergency comes before the night",
        a_box(stored=installed(not_before=NOW - 42 * DAY - 12 * HOUR)),
        Wait(until=NOW + 6 * HOUR, because=plan.DUE),
    ),
]


@pytest.mark.parametrize(("facts", "step"), [row[1:] for row in NIGHTS], ids=[row[0] for row in NIGHTS])
def test_a_renewal_waits_for_the_time_of_maintenance(facts: BoxFacts, step: Step) -> None:
    """What works is changed at night; what is missing, damaged or about to expire is never put off."""
    assert next_step(replace(facts, maintenance=NIGHT), NOW) == step


def test_a_renewal_happens_within_the_time_of_maintenance() -> None:
    """A fleet spreads over the first half of it."""
    late = replace(DUE, facts=replace(DUE.facts, fingerprint="ff" * 32))

    assert next_step(a_box(stored=DUE, maintenance=NIGHT), TONIGHT) == Load(plan.DUE)
    assert next_step(a_box(stored=late, maintenance=NIGHT), TONIGHT) == Wait(TONIGHT + 90 * MINUTE, plan.DUE)
    assert next_step(a_box(stored=late, maintenance=NIGHT), TONIGHT + 2 * HOUR) == Load(plan.DUE)


@given(
    life=st.timedeltas(min_value=MINUTE, max_value=400 * DAY),
    window=st.tuples(st.datetimes(), st.datetimes()).map(
        lambda both: tuple(m.replace(tzinfo=NOW.tzinfo) for m in both)
    ),
)
def test_renewal_always_begins_within_the_life(life: timedelta, window: tuple[datetime, datetime]) -> None:
    """F-39b: no window, however wrong, puts the renewal before the certificate's life or after it."""
    certificate = installed(not_before=NOW, life=life, renewal=window)

    assert NOW < renewal_begins(certificate) < NOW + life


EARLIEST = [
    ("no try yet", None, False, False, NOW),
    ("as the last one said", failed(NOW - HOUR, wait=2 * HOUR), False, False, NOW + HOUR),
    ("long ago", failed(NOW - DAY, wait=HOUR), False, False, NOW - DAY + HOUR),
    ("a start: nothing said", failed(NOW - SECOND, wait=None), False, False, NOW),
    ("asked after a minute", failed(NOW - MINUTE, wait=6 * HOUR), True, False, NOW),
    ("asked after a second", failed(NOW - SECOND, wait=6 * HOUR), True, False, NOW - SECOND + MINUTE),
    ("asked at a start", failed(NOW - SECOND, wait=None), True, False, NOW - SECOND + MINUTE),
    ("told with the PIN", failed(NOW - SECOND, wait=6 * HOUR), False, True, NOW + 9 * SECOND),
    ("clock set back", failed(NOW + 365 * DAY, wait=6 * HOUR), False, False, NOW),
    ("clock set back, asked", failed(NOW + SECOND, wait=6 * HOUR), True, False, NOW),
    ("Retry-After of a second", failed(NOW, wait=SECOND), False, False, NOW + MINUTE),
]


@pytest.mark.parametrize(
    ("last", "was_asked", "renewal_asked", "earliest"), [row[1:] for row in EARLIEST], ids=[row[0] for row in EARLIEST]
)
def test_the_earliest_moment_of_a_try(
    last: LastTry | None, was_asked: bool, renewal_asked: bool, earliest: datetime
) -> None:
    """S-26: a person waits a minute at most, the agent as long as it said; a clock set back voids every wait."""
    facts = a_box(last_try=last, was_asked=was_asked, renewal_asked=renewal_asked)

    assert earliest_try(facts, NOW) == earliest


@pytest.mark.promise("M11")
@given(
    failures=st.integers(1, 30),
    chance=st.floats(0, 1),
    header=st.none() | st.integers(0, 10**9).map(str) | st.text(max_size=5),
    opened=st.lists(st.integers(0, 180), max_size=40),
    certificate=st.sampled_from([None, DUE, EXPIRED]),
)
def test_no_two_tries_within_a_minute_however_often_the_homepage_is_opened(
    failures: int, chance: float, header: str | None, opened: list[int], certificate: None
) -> None:
    """S-26, F-62: for one history of failures, whatever the service asked and whoever looks, tries are 60 s apart."""
    wait = retry_after(header, NOW) or wait_after(failures, lambda: chance)
    facts = a_box(stored=certificate, last_try=failed(NOW, wait=wait))
    tries = []
    for second in range(180):
        now = NOW + second * SECOND
        if second in opened:
            facts = replace(facts, was_asked=True)
        if isinstance(next_step(facts, now), Load):
            tries.append(now)
            facts = replace(facts, was_asked=False, last_try=failed(now, wait=wait))

    assert all(later - earlier >= BETWEEN_ASKED_TRIES for earlier, later in zip([NOW, *tries], tries, strict=False))


@given(away=st.timedeltas(min_value=-56 * 365 * DAY, max_value=70 * 365 * DAY), asked=st.booleans())
def test_every_clock_leads_to_a_step(away: timedelta, asked: bool) -> None:
    """F-20, F-21: in 1970 or decades ahead, the box knows what to do next."""
    moment = NOW + away
    step = next_step(a_box(stored=FRESH, last_try=failed(), was_asked=asked), moment)

    assert isinstance(step, Load) or (isinstance(step, Wait) and step.until > moment)


# What is wrong

WRONG = [
    ("well", a_box(stored=FRESH), []),
    ("not connected", a_box(server=None, credential=Credential(), damage="damaged"), ["CHECK_NO_SERVER"]),
    ("damaged", a_box(damage="key-mismatch"), ["CHECK_CERT_READ_EXCEPTION"]),
    (
        "damaged, unreachable",
        a_box(damage="damaged", last_try=failed()),
        ["CHECK_CERT_READ_EXCEPTION", "LOAD_REQUEST_EXCEPTION"],
    ),
    ("no credential", a_box(credential=Credential()), ["LOAD_NO_CREDENTIAL"]),
    ("no credential any more", a_box(credential=Credential(), last_try=failed()), ["LOAD_NO_CREDENTIAL"]),
    ("unreachable", a_box(last_try=failed()), ["LOAD_REQUEST_EXCEPTION"]),
    ("refused", a_box(last_try=failed(problem=REFUSED)), ["LOAD_REQUEST_NO_RESULT"]),
    ("clock in 1970", a_box(stored=FRESH, clock_is_wrong=True), ["LOAD_REQUEST_EXCEPTION"]),
    (
        "clock in 1970, and failed by it",
        a_box(clock_is_wrong=True, last_try=failed(problem=BY_CLOCK)),
        ["LOAD_REQUEST_EXCEPTION"],
    ),
    ("the clock was set", a_box(stored=FRESH, clock_was_set=True, last_try=failed(problem=BY_CLOCK)), []),
    ("healed", a_box(stored=FRESH, last_try=LastTry(at=NOW, outcome=Outcome.INSTALLED)), []),
    ("never tried", a_box(), []),
]


@pytest.mark.promise("M12", "M13", "M14", "M15", "M17")
@pytest.mark.parametrize(("facts", "codes"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_named_by_its_code(facts: BoxFacts, codes: list[str]) -> None:
    """I-8: causes before consequences, nothing when all is well, and what healed disappears."""
    assert [problem.code.removeprefix("ERR_IOT_HTTPS_") for problem in problems_of(facts, NOW)] == codes


@pytest.mark.promise("M16")
def test_an_unexpected_status_is_named_with_its_digits() -> None:
    """M16: the digits of the last answer are part of the code."""
    status = problems.Occurrence(problem=problems.LOAD_REQUEST_STATUS, facts={"server": "x", "status": "503"})

    assert [one.code for one in problems_of(a_box(last_try=failed(problem=status)), NOW)] == [
        "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 503"
    ]


@pytest.mark.promise("M14")
@pytest.mark.parametrize(
    ("credential", "cause"),
    [
        (Credential(database=DATABASE), "contract"),
        (Credential(contract=CONTRACT), "database-uuid"),
        (Credential(), "both"),
    ],
)
def test_the_missing_half_of_the_credential_is_named(credential: Credential, cause: str) -> None:
    """M14: the owner reads whether contract, database UUID or both are missing."""
    (problem,) = problems_of(a_box(credential=credential), NOW)

    assert problem.cause_id == cause


@pytest.mark.promise("M13")
@pytest.mark.parametrize("damage", [cause.id for cause in problems.CHECK_CERT_READ_EXCEPTION.causes])
def test_each_damage_is_a_cause_of_its_own(damage: str) -> None:
    """M13: the cause the store found is the cause that is shown."""
    (problem,) = problems_of(a_box(damage=damage), NOW)

    assert problem.cause is not None
    assert problem.cause.id == damage


@pytest.mark.parametrize("problem", [REFUSED, UNREACHABLE], ids=["refused", "unreachable"])
@pytest.mark.parametrize("days", [0, 30, 34])
def test_a_failed_renewal_takes_no_working_certificate_away(problem: problems.Occurrence, days: int) -> None:
    """The grace rule: until its end the certificate is served, and the try is only put off."""
    now = NOW + days * DAY
    facts = a_box(stored=FRESH, last_try=failed(now, problem=problem, wait=HOUR))

    assert serves_https(facts, now)
    assert isinstance(next_step(facts, now), Wait)
    assert problems_of(facts, now) == (problem,)


@pytest.mark.parametrize(
    ("moment", "serves"),
    [
        (NOW - 10 * DAY - SECOND, False),
        (NOW - 10 * DAY, True),
        (NOW + 35 * DAY, True),
        (NOW + 35 * DAY + SECOND, False),
    ],
)
def test_https_works_within_the_validity_period(moment: datetime, serves: bool) -> None:
    """Outside its period a certificate is served and yet accepted by nobody."""
    assert serves_https(a_box(stored=FRESH), moment) is serves
    assert not serves_https(a_box(), moment)
