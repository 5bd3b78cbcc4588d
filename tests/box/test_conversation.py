"""The conversation that loads a certificate, without a network: every answer becomes a certificate or a problem."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count, islice
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.box.conftest import Authority
from tests.box.given import CREDENTIAL, ENROLMENT, NAMES, OTHER_LABEL, SERVER
from tests.peers.authority import (
    DAY,
    TODAY,
    Key,
    Signer,
    key_pem,
    make_issuing,
    make_leaf,
    make_root,
    new_key,
    pem,
    public_der,
)

from lancert.box.conversation import Answered, Ask, Loaded, NotLoaded, Wish, load, problem_of
from lancert.box.facts import Enrolment
from lancert.box.keys import signing_request
from lancert.kit.clock import to_text
from lancert.protocol import problems
from lancert.protocol.messages import Counter, EnrolmentRequest, Kind, ZoneOption, decode
from lancert.protocol.names import Zone, certificate_names
from lancert.protocol.problems import Criterion, Occurrence

# Turned bits make certificates that a later version of the library will refuse by itself; until then it warns.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

JSON_TYPE, PROBLEM_TYPE, HTML = "application/json", "application/problem+json", "text/html"
ENROLLED = Answered(
    status=201,
    media_type=JSON_TYPE,
    body=json.dumps({"box": ENROLMENT.box, "label": ENROLMENT.label, "zone": ENROLMENT.zone}).encode(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything one conversation needs, and what a good service would answer."""

    authority: Authority
    key: Key
    chain: tuple[x509.Certificate, ...]

    def wish(self, **changed: Any) -> Wish:
        """Give what the box brings; it is enrolled unless told."""
        wish = Wish(
            server=SERVER,
            credential=CREDENTIAL,
            enrolment=ENROLMENT,
            kind=Kind.BOX,
            name="Shop at the corner",
            version="0.1.0",
            csr=signing_request(self.key),
            public_key=public_der(self.key),
            roots=[self.authority.root.certificate],
        )
        return replace(wish, **changed)

    def document(self, *chain: x509.Certificate, **changed: Any) -> dict[str, Any]:
        """Give the answer of a good service as JSON values."""
        return {
            "chain": pem(*(chain or self.chain)).decode(),
            "not_before": to_text(TODAY - DAY),
            "not_after": to_text(TODAY + 44 * DAY),
            "renewal": {"start": to_text(TODAY + 29 * DAY), "end": to_text(TODAY + 36 * DAY)},
            "url_suffix": f".{ENROLMENT.label}.{ENROLMENT.zone}",
            **changed,
        }

    def answer(self, *chain: x509.Certificate, **changed: Any) -> Answered:
        """Give the answer of a good service."""
        return Answered(status=200, media_type=JSON_TYPE, body=json.dumps(self.document(*chain, **changed)).encode())


@pytest.fixture(scope="session")
def world(authority: Authority, a_key: Key) -> World:
    """A box with a key, and a service that could certify it."""
    return World(authority=authority, key=a_key, chain=authority.chain(NAMES, a_key))


def _talk(wish: Wish, *answers: Answered, now: datetime = TODAY) -> tuple[list[Ask], Loaded | NotLoaded]:
    """Hold the conversation with these answers in turn; all of them must be needed."""
    counts = count(1)
    conversation = load(wish, lambda: Counter(boot=1, count=next(counts)), lambda: now)
    asked, left = [next(conversation)], list(answers)
    try:
        while True:
            asked.append(conversation.send(left.pop(0)))
    except StopIteration as end:
        assert left == []
        result: Loaded | NotLoaded = end.value
        return asked, result


def _problem(answered: Answered) -> Occurrence:
    return problem_of(answered, SERVER)


def _paths(asked: list[Ask]) -> list[str]:
    return [one.path.removeprefix("/api/v1/") for one in asked]


@pytest.mark.promise("M3")
def test_an_enrolled_box_asks_once_and_gets_its_certificate(world: World) -> None:
    """M3: one request goes to the service, which answers with the certificate."""
    asked, result = _talk(world.wish(), world.answer())

    assert _paths(asked) == ["certificates"]
    assert json.loads(asked[0].body) == {"counter": {"boot": 1, "count": 1}, "csr": signing_request_of(asked[0])}
    assert result == Loaded(
        enrolment=ENROLMENT,
        chain=world.chain,
        renewal_start=TODAY + 29 * DAY,
        renewal_end=TODAY + 36 * DAY,
    )


def signing_request_of(ask: Ask) -> str:
    """Read the CSR that was sent, and make sure it is one."""
    text: str = json.loads(ask.body)["csr"]
    assert x509.load_pem_x509_csr(text.encode()).is_signature_valid
    return text


def test_a_new_box_enrols_first(world: World) -> None:
    """First contact: the credential once, then the certificate; every request has a higher count."""
    asked, result = _talk(world.wish(enrolment=None), ENROLLED, world.answer())
    enrolment = decode(EnrolmentRequest, asked[0].body)

    assert _paths(asked) == ["enrolments", "certificates"]
    assert (enrolment.contract, enrolment.database) == (
        CREDENTIAL.contract.reveal() if CREDENTIAL.contract else "",
        CREDENTIAL.database.reveal() if CREDENTIAL.database else "",
    )
    assert [json.loads(one.body)["counter"]["count"] for one in asked] == [1, 2]
    assert isinstance(result, Loaded)
    assert result.enrolment == ENROLMENT


def test_the_credential_is_sent_in_an_enrolment_only(world: World) -> None:
    """T-33: afterwards the identity speaks; contract and UUID do not travel with every request."""
    asked, _ = _talk(world.wish(), world.answer())

    assert CREDENTIAL.contract is not None
    assert CREDENTIAL.contract.reveal().encode() not in asked[0].body


def _refusal(*criteria: str, status: int = 403, facts: dict[str, str] | None = None) -> Answered:
    reasons = [{"criterion": one, "facts": facts or {}, "meaning": "x", "remedy": "y"} for one in criteria]
    body = {"type": "urn:lancert:problem:refused", "title": "Refused", "status": status, "reasons": reasons}
    return Answered(status=status, media_type=PROBLEM_TYPE, body=json.dumps(body).encode())


def _service_problem(status: int, kind: str = "urn:lancert:problem:not-signed") -> Answered:
    body = {"type": kind, "title": "x", "status": status, "detail": "y"}
    return Answered(status=status, media_type=PROBLEM_TYPE, body=json.dumps(body).encode())


def test_a_box_the_service_forgot_enrols_again_once(world: World) -> None:
    """A 401 to a known box means a new enrolment, a new name space, and the certificate for it."""
    label = OTHER_LABEL
    again = replace(
        ENROLLED, body=json.dumps({"box": "box-2", "label": label, "zone": ENROLMENT.zone, "new": 1}).encode()
    )
    chain = world.authority.chain(certificate_names(label, ENROLMENT.zone), world.key)
    asked, result = _talk(world.wish(), _service_problem(401), again, world.answer(*chain))

    assert _paths(asked) == ["certificates", "enrolments", "certificates"]
    assert isinstance(result, Loaded)
    assert result.enrolment == Enrolment(box="box-2", label=label, zone=ENROLMENT.zone)


def test_a_box_that_is_not_known_even_then_gives_up(world: World) -> None:
    """A second 401 ends the try: no loop."""
    asked, result = _talk(world.wish(), _service_problem(401), ENROLLED, _service_problem(401))

    assert len(asked) == 3
    assert isinstance(result, NotLoaded)
    assert result.problem.code == "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 401"


def test_a_fresh_enrolment_that_is_not_known_is_no_reason_to_enrol_again(world: World) -> None:
    """Enrolled just now and unknown: the service is at odds with itself, and the box does not insist."""
    asked, result = _talk(world.wish(enrolment=None), ENROLLED, _service_problem(401))

    assert _paths(asked) == ["enrolments", "certificates"]
    assert isinstance(result, NotLoaded)
    assert result.enrolment == ENROLMENT


@pytest.mark.promise("M17")
def test_a_refused_enrolment_ends_the_conversation(world: World) -> None:
    """M17: whoever is refused at first contact reads why."""
    asked, result = _talk(world.wish(enrolment=None), _refusal("credential-not-recognised"))

    assert _paths(asked) == ["enrolments"]
    assert isinstance(result, NotLoaded)
    assert [reason.criterion for reason in result.problem.reasons] == [Criterion.CREDENTIAL_NOT_RECOGNISED]


@pytest.mark.parametrize(
    "enrolment",
    [
        {},
        {"box": "b", "label": "SHORT", "zone": "a.b"},
        {"box": "b", "label": OTHER_LABEL.upper(), "zone": "a.b"},
        {"box": "b", "label": OTHER_LABEL, "zone": "localhost"},
        {"box": "b", "label": OTHER_LABEL, "zone": "*.b"},
        {"box": "b", "label": OTHER_LABEL, "zone": "a.b/../c"},
        {"box": 7, "label": OTHER_LABEL, "zone": "a.b"},
        [],
    ],
)
def test_an_enrolment_that_makes_no_sense_is_not_taken(world: World, enrolment: object) -> None:
    """F-31: a label or zone that is none is never remembered."""
    answered = replace(ENROLLED, body=json.dumps(enrolment).encode())
    _, result = _talk(world.wish(enrolment=None), answered)

    assert isinstance(result, NotLoaded)
    assert (result.enrolment, result.problem.cause_id) == (None, "unusable-answer")


# Every answer has its code (F-30)


def _answer(status: int, media_type: str = HTML, body: bytes = b"<html>") -> Answered:
    return Answered(status=status, media_type=media_type, body=body)


STATUSES: list[tuple[str, Answered, str, str | None]] = [
    *[
        (f"{status} of the service", _service_problem(status), f"STATUS {status}", "request-refused")
        for status in (400, 401, 403, 405, 409, 413, 415, 422)
    ],
    *[
        (f"{status} HTML", _answer(status), f"STATUS {status}", "intermediary")
        for status in (400, 401, 402, 403, 407, 409, 413, 418, 422, 451, 500, 501)
    ],
    *[
        (f"{status} {media}", _answer(status, media, b"{}"), f"STATUS {status}", "maintenance")
        for status in (429, 502, 503, 504)
        for media in (HTML, JSON_TYPE, PROBLEM_TYPE, "")
    ],
    ("404 of the service", _service_problem(404), "STATUS 404", "not-found"),
    ("404 HTML", _answer(404), "STATUS 404", "not-found"),
    ("404 without anything", _answer(404, "", b""), "STATUS 404", "not-found"),
    ("500 of the service", _service_problem(500), "STATUS 500", None),
    ("500 JSON", _answer(500, JSON_TYPE, b"{}"), "STATUS 500", None),
    ("403 text", _answer(403, "text/plain", b"no"), "STATUS 403", None),
    ("403 problem that is none", _answer(403, PROBLEM_TYPE, b"{}"), "STATUS 403", None),
    ("403 problem cut off", _answer(403, PROBLEM_TYPE, _refusal("no-iot-box-line").body[:-3]), "STATUS 403", None),
    ("403 other problem", _service_problem(403, "about:blank"), "STATUS 403", "request-refused"),
    ("refusal as JSON", replace(_refusal("no-iot-box-line"), media_type=JSON_TYPE), "STATUS 403", None),
    ("refusal as HTML", replace(_refusal("no-iot-box-line"), media_type=HTML), "STATUS 403", "intermediary"),
    ("refusal with 409", _refusal("no-iot-box-line", status=409), "STATUS 409", "request-refused"),
    ("204", _answer(204, "", b""), "STATUS 204", None),
    ("202", _answer(202, JSON_TYPE, b"{}"), "STATUS 202", None),
    ("200 HTML", _answer(200), "EXCEPTION", "captive-portal"),
    ("200 text", _answer(200, "text/plain"), "EXCEPTION", "captive-portal"),
    ("200 without a type", _answer(200, ""), "EXCEPTION", "captive-portal"),
    ("301", _answer(301), "EXCEPTION", "captive-portal"),
    ("302", _answer(302), "EXCEPTION", "captive-portal"),
    ("303", _answer(303, ""), "EXCEPTION", "captive-portal"),
    ("307", _answer(307), "EXCEPTION", "captive-portal"),
    ("308", _answer(308), "EXCEPTION", "captive-portal"),
    ("302 JSON", _answer(302, JSON_TYPE, b"{}"), "STATUS 302", None),
    ("511", _answer(511), "EXCEPTION", "captive-portal"),
    ("511 JSON", _answer(511, JSON_TYPE, b"{}"), "EXCEPTION", "captive-portal"),
]


@pytest.mark.promise("M15", "M16")
@pytest.mark.parametrize(("answered", "code", "cause"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES])
def test_every_other_answer_has_its_code_and_its_cause(
    world: World, answered: Answered, code: str, cause: str | None
) -> None:
    """F-29, F-30: the digits are those of the answer, a proxy is told from the service, a sign-in page from both."""
    problem = _problem(answered)

    assert problem.code == f"ERR_IOT_HTTPS_LOAD_REQUEST_{code}"
    assert problem.cause_id == cause
    assert problem.cause_id is None or problem.cause is not None
    assert "{" not in " ".join([problem.meaning(str), problem.cause_meaning(str) or "", *problem.remedy(str)])
    if answered.status != 401:
        _, result = _talk(world.wish(), replace(answered, retry_after="120"))
        assert isinstance(result, NotLoaded)
        assert (result.problem, result.retry_after) == (problem, "120")


@pytest.mark.promise("M4", "M5", "M17")
@pytest.mark.parametrize("criterion", Criterion)
def test_each_criterion_of_a_refusal_is_told(world: World, criterion: Criterion) -> None:
    """M17: the service refused, and says which criterion is not met."""
    _, result = _talk(world.wish(), _refusal(criterion, facts={"environment": "staging", "status": "closed"}))

    assert isinstance(result, NotLoaded)
    assert result.problem.code == "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT"
    assert result.problem.cause_id == "refused"
    assert [reason.criterion for reason in result.problem.reasons] == [criterion]
    assert result.enrolment == ENROLMENT


@pytest.mark.promise("M17")
def test_all_criteria_of_a_refusal_are_told_and_new_ones_are_no_obstacle(world: World) -> None:
    """All unmet criteria at once; one that only a newer version knows leaves the others readable."""
    _, result = _talk(world.wish(), _refusal("database-not-production", "of-the-future", "no-iot-box-line"))

    assert isinstance(result, NotLoaded)
    assert [reason.criterion.value for reason in result.problem.reasons] == [
        "database-not-production",
        "no-iot-box-line",
    ]


# Hostile answers (F-31)


def _strangers_chain(world: World) -> tuple[x509.Certificate, ...]:
    issuing = make_issuing(make_root(), permitted=["localhost"])
    return (make_leaf(issuing, NAMES, world.key.public_key()), issuing.certificate)


def _own(world: World, names: tuple[str, ...] = NAMES, **more: Any) -> tuple[x509.Certificate, ...]:
    issuing = world.authority.issuing
    return (make_leaf(issuing, names, world.key.public_key(), **more), issuing.certificate)


def _beyond_constraints(world: World) -> tuple[x509.Certificate, ...]:
    issuing = make_issuing(world.authority.root, permitted=["elsewhere.example"])
    return (make_leaf(issuing, NAMES, world.key.public_key()), issuing.certificate)


def _self_signed(world: World) -> tuple[x509.Certificate, ...]:
    own = Signer(certificate=world.chain[1], key=world.key)
    return (make_leaf(own, NAMES, world.key.public_key()),)


FOREIGN: dict[str, Callable[[World], tuple[x509.Certificate, ...]]] = {
    "key of another box": lambda world: world.authority.chain(NAMES, new_key()),
    "names of another box": lambda world: _own(world, certificate_names(OTHER_LABEL, ENROLMENT.zone)),
    "names of another zone": lambda world: _own(world, certificate_names(ENROLMENT.label, Zone("evil.localhost"))),
    "a name more": lambda world: _own(world, (*NAMES, "evil.localhost")),
    "a name less": lambda world: _own(world, NAMES[1:]),
    "expired": lambda world: _own(world, not_before=TODAY - 60 * DAY),
    "not yet valid": lambda world: _own(world, not_before=TODAY + 2 * DAY),
    "of another root": _strangers_chain,
    "beyond name constraints": _beyond_constraints,
    "self-signed": _self_signed,
    "wrong order": lambda world: tuple(reversed(world.chain)),
    "leaf alone": lambda world: world.chain[:1],
    "twenty certificates": lambda world: (*world.chain, *(world.chain[1:] * 18)),
    "the root alone": lambda world: (world.authority.root.certificate,),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_certificate_that_is_not_ours_is_not_taken(
    world: World, make: Callable[[World], tuple[x509.Certificate, ...]]
) -> None:
    """F-31, S-08: a sound answer with another box's, another root's or an old certificate is unusable."""
    _, result = _talk(world.wish(), world.answer(*make(world)))

    assert isinstance(result, NotLoaded)
    assert result.problem.problem is problems.LOAD_REQUEST_NO_RESULT
    assert result.problem.cause_id == "unusable-answer"


DOCUMENTS: dict[str, Callable[[dict[str, Any], World], Any]] = {
    "a list": lambda good, world: [good],
    "null": lambda good, world: None,
    "without chain": lambda good, world: {k: v for k, v in good.items() if k != "chain"},
    "without renewal": lambda good, world: {k: v for k, v in good.items() if k != "renewal"},
    "empty chain": lambda good, world: {**good, "chain": ""},
    "chain as a list": lambda good, world: {**good, "chain": [good["chain"]]},
    "text before": lambda good, world: {**good, "chain": "hello\n" + good["chain"]},
    "private key inside": lambda good, world: {**good, "chain": good["chain"] + key_pem(world.key).decode()},
    "NUL inside": lambda good, world: {**good, "chain": good["chain"].replace("\n", "\0", 1)},
    "NUL after": lambda good, world: {**good, "chain": good["chain"] + "\0"},
    "33 KiB": lambda good, world: {**good, "chain": good["chain"] + "\n" * 33_000},
    "half a character": lambda good, world: {**good, "chain": good["chain"] + "\ud800"},
    "the 99th of a month": lambda good, world: {
        **good,
        "renewal": {**good["renewal"], "start": "2026-99-99T99:99:99Z"},
    },
    "a number for a moment": lambda good, world: {**good, "renewal": {"start": 1, "end": 2}},
}


@pytest.mark.parametrize("spoil", DOCUMENTS.values(), ids=DOCUMENTS)
def test_an_answer_that_is_not_one_is_not_taken(world: World, spoil: Callable[[dict[str, Any], World], Any]) -> None:
    """F-31: JSON that is not the message, or a chain that is more than certificates."""
    body = json.dumps(spoil(world.document(), world)).encode()
    _, result = _talk(world.wish(), Answered(status=200, media_type=JSON_TYPE, body=body))

    assert isinstance(result, NotLoaded)
    assert result.problem.cause_id == "unusable-answer"


def test_an_answer_of_a_newer_service_is_taken(world: World) -> None:
    """Fields this version does not know are passed over."""
    _, result = _talk(world.wish(), world.answer(profile="shortlived", more={"a": [1]}))

    assert isinstance(result, Loaded)


def test_without_a_known_root_nothing_is_taken(world: World) -> None:
    """S-08: a box that expects no root trusts none."""
    _, result = _talk(world.wish(roots=()), world.answer())

    assert isinstance(result, NotLoaded)


@pytest.mark.parametrize("days", [-20_000, -300, 300, 7300])
def test_the_time_of_a_proven_server_counts_more_than_a_wrong_clock(world: World, days: int) -> None:
    """F-20, F-24: a box that believes it is 1970 gets its certificate; the dates are judged by the server's clock."""
    answered = replace(world.answer(), server_time=TODAY + timedelta(seconds=3))
    _, result = _talk(world.wish(), answered, now=TODAY + timedelta(days=days))

    assert isinstance(result, Loaded)


@pytest.mark.parametrize("server_time", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
@pytest.mark.parametrize("hours", [-23, 0, 23])
def test_a_server_time_at_the_end_of_all_days_breaks_nothing(world: World, server_time: datetime, hours: int) -> None:
    """F-31: an absurd Date makes the certificate unusable, and nothing worse."""
    moment = server_time.replace(tzinfo=timezone(timedelta(hours=hours)))
    _, result = _talk(world.wish(), replace(world.answer(), server_time=moment))

    assert isinstance(result, NotLoaded)
    assert result.problem.cause_id == "unusable-answer"


def _is_ours(result: Loaded, world: World) -> bool:
    """Judge a loaded chain by other means than the code under test."""
    leaf, issuing = result.chain[0], world.authority.issuing.certificate
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(world.authority.root.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        leaf.public_key() == world.key.public_key()
        and {name.value for name in names} == set(NAMES)
        and leaf.not_valid_before_utc <= TODAY <= leaf.not_valid_after_utc
    )


def _mutations(world: World, chance: random.Random) -> Iterator[bytes]:
    """Spoil good answers: bytes turned, taken out, doubled, fields exchanged, certificates of others mixed in."""
    foreign = [make(world) for make in FOREIGN.values()]
    everything = [one for chain in (*foreign, world.chain) for one in chain]
    good = json.dumps(world.document()).encode()
    fields = list(world.document())
    while True:
        yield _spoil_bytes(good, chance)
        chain = [chance.choice(everything) for _ in range(chance.randint(1, 4))]
        yield json.dumps(world.document(*chain)).encode()
        yield _spoil_bytes(json.dumps(world.document(*chance.choice(foreign))).encode(), chance)
        document = world.document(*chance.choice([*foreign, world.chain]))
        document[chance.choice(fields)] = chance.choice([None, 1, "", [], {}, True, "\0", document["chain"], "9" * 300])
        yield json.dumps(document).encode()


def _spoil_bytes(content: bytes, chance: random.Random) -> bytes:
    spoilt = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(spoilt))
        match chance.randrange(4):
            case 0:
                spoilt[place] ^= 1 << chance.randrange(8)
            case 1:
                del spoilt[place : place + chance.randint(1, 40)]
            case 2:
                spoilt[place:place] = spoilt[place : place + chance.randint(1, 40)]
            case _:
                spoilt[place] = chance.choice(b'\0"\\{}[],:-=AZaz09 \n')
    return bytes(spoilt)


def test_thousands_of_hostile_answers_install_nothing_that_is_not_ours(world: World) -> None:
    """F-31, G5: of ten thousand spoilt answers, what is taken has our key, our names and our root."""
    taken = 0
    for body in islice(_mutations(world, random.Random(31)), 10_000):
        _, result = _talk(world.wish(), Answered(status=200, media_type=JSON_TYPE, body=body))
        if isinstance(result, Loaded):
            taken += 1
            assert _is_ours(result, world), body
        else:
            assert result.problem.cause_id == "unusable-answer"

    # Some mutations leave a good answer: another unused field, a space. Were there none, the mutations would be blind.
    assert 0 < taken < 4000


@given(
    status=st.integers(100, 599),
    media_type=st.sampled_from([JSON_TYPE, PROBLEM_TYPE, HTML, ""]),
    body=st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", _refusal("no-seat-left").body]),
    enrolled=st.booleans(),
)
def test_any_answer_ends_in_a_problem_people_can_read(
    world: World, status: int, media_type: str, body: bytes, enrolled: bool
) -> None:
    """I-8: whatever comes back, the try ends with one code of the catalogue and whole sentences."""
    answered = Answered(status=status, media_type=media_type, body=body)
    wish = world.wish(enrolment=ENROLMENT if enrolled else None)
    conversation = load(wish, lambda: Counter(boot=1, count=1), lambda: TODAY)
    next(conversation)
    with pytest.raises(StopIteration) as ended:
        for _ in range(4):
            conversation.send(answered)
    result = ended.value.value

    assert isinstance(result, NotLoaded)
    assert result.problem.problem in problems.CATALOGUE
    assert "{" not in result.problem.meaning(str) + (result.problem.cause_meaning(str) or "")


# What the zone answers beyond the usual


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, ()),
        ([], ()),
        (["shared"], (ZoneOption.SHARED,)),
        (["link-local", "shared"], (ZoneOption.SHARED, ZoneOption.LINK_LOCAL)),
        (["of-tomorrow", "shared"], (ZoneOption.SHARED,)),
    ],
    ids=["an older service", "nothing", "one", "both", "a newer service"],
)
def test_a_box_learns_what_the_zone_answers_with_its_enrolment_and_each_certificate(
    world: World, told: list[str] | None, expected: tuple[ZoneOption, ...]
) -> None:
    """Older and newer services and boxes understand each other; what was told last counts."""
    also = {} if told is None else {"also_answered": told}
    enrolled = replace(ENROLLED, body=json.dumps({**json.loads(ENROLLED.body), **also}).encode())

    _, by_certificate = _talk(world.wish(), world.answer(**also))
    _, by_enrolment = _talk(world.wish(enrolment=None), enrolled, _refusal("no-iot-box-line"))
    _, taken_back = _talk(world.wish(enrolment=by_certificate.enrolment), world.answer())

    assert by_certificate.enrolment == replace(ENROLMENT, also_answered=expected)
    assert by_enrolment.enrolment == replace(ENROLMENT, also_answered=expected)
    assert taken_back.enrolment == ENROLMENT
