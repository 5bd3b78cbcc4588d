"""The one strict decoder: what it reads, what it refuses, and that it refuses in one way only."""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lancert.protocol import messages
from lancert.protocol.messages import (
    CertificateRequest,
    Counter,
    EnrolmentRequest,
    Kind,
    Many,
    NotAMessage,
    Number,
    ProblemAnswer,
    ReportAnswer,
    ReportRequest,
    Text,
    decode,
    encode,
    shape_of,
)

ENROLMENT = {
    "counter": {"boot": 1, "count": 2},
    "contract": "M240719-1",
    "database": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "kind": "iot-box",
    "name": "Shop at the corner",
    "version": "0.1.0",
}
MESSAGES = [
    kind
    for kind in vars(messages).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in (Text, Number, Many)
]


def _values(kind: Any, rules: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Draw values that a field of this annotated type may hold."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *more = typing.get_args(kind)
        return _values(inner, tuple(more))
    if origin is types.UnionType:
        return st.one_of([st.none() if one is types.NoneType else _values(one) for one in typing.get_args(kind)])
    if origin is list:
        return st.lists(_values(typing.get_args(kind)[0]), max_size=min(4, *(rule.most for rule in rules)))
    if origin is dict:
        return st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=200), max_size=3)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        made: Callable[..., Any] = kind
        return st.builds(made, **{name: _values(shape) for name, (shape, _) in shape_of(kind).items()})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    (rule,) = rules
    if kind is int:
        return st.integers(rule.least, rule.most)
    if rule.pattern is not None:
        return st.from_regex(rule.pattern, fullmatch=True).filter(lambda text: rule.least <= len(text) <= rule.most)
    return st.text(min_size=rule.least, max_size=min(rule.most, 300))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_message_comes_back_from_its_json(kind: type, data: st.DataObject) -> None:
    """What one side writes the other reads, field by field, whatever the fields hold."""
    message = data.draw(_values(kind))

    assert decode(kind, encode(message)) == message


def _json(**changed: object) -> bytes:
    return json.dumps({**ENROLMENT, **changed}).encode()


REFUSED: list[tuple[str, bytes, str]] = [
    ("empty", b"", ""),
    ("not JSON", b"<html>", ""),
    ("two documents", _json() + _json(), ""),
    ("cut off", _json()[:-1], ""),
    ("not UTF-8", b'{"a": "\xff"}', ""),
    ("UTF-16", _json().decode().encode("utf-16"), ""),
    ("BOM", b"\xef\xbb\xbf" + _json(), ""),
    ("a list", b"[]", ""),
    ("null", b"null", ""),
    ("a text", b'"counter"', ""),
    ("NaN", _json().replace(b'"boot": 1', b'"boot": NaN'), ""),
    ("Infinity", _json().replace(b'"boot": 1', b'"boot": -Infinity'), ""),
    ("a key twice", _json()[:-1] + b', "kind": "iot-box"}', ""),
    ("a key twice below", _json().replace(b'"boot": 1', b'"boot": 1, "boot": 1'), ""),
    ("nested deeply", b"[" * 100_000, ""),
    ("nested deeply in a field", _json()[:-1] + b', "x": ' + b'{"a":' * 100_000, ""),
    ("a number of a million digits", _json().replace(b'"boot": 1', b'"boot": ' + b"9" * 1_000_000), ""),
    ("unknown field", _json(extra=1), "extra"),
    ("unknown field below", _json(counter={"boot": 1, "count": 2, "x": 1}), "counter.x"),
    ("missing field", json.dumps({k: v for k, v in ENROLMENT.items() if k != "kind"}).encode(), "kind"),
    ("missing field below", _json(counter={"boot": 1}), "counter.count"),
    ("null for an object", _json(counter=None), "counter"),
    ("list for an object", _json(counter=[1, 2]), "counter"),
    ("bool for a number", _json(counter={"boot": True, "count": 2}), "counter.boot"),
    ("text for a number", _json(counter={"boot": "1", "count": 2}), "counter.boot"),
    ("fraction for a number", _json(counter={"boot": 1.0, "count": 2}), "counter.boot"),
    ("negative", _json(counter={"boot": -1, "count": 2}), "counter.boot"),
    ("2**53", _json(counter={"boot": 1, "count": 2**53}), "counter.count"),
    ("number for a text", _json(name=7), "name"),
    ("null for a text", _json(name=None), "name"),
    ("list for a text", _json(name=["a"]), "name"),
    ("empty text", _json(name=""), "name"),
    ("too long", _json(name="a" * 65), "name"),
    ("too short", _json(contract="ab"), "contract"),
    ("half a character", _json(name="\ud800"), "name"),
    ("the other half", _json(name="\udfff"), "name"),
    ("against its pattern", _json(version="1.0 <b>"), "version"),
    ("a line more than its pattern", _json(version="1.0\n"), "version"),
    ("digits of another script", _json(version="١"), "version"),
    ("unknown choice", _json(kind="toaster"), "kind"),
    ("choice of another case", _json(kind="IOT-BOX"), "kind"),
    ("number for a choice", _json(kind=1), "kind"),
]


@pytest.mark.parametrize(("body", "field"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_the_message_is_refused_and_the_place_is_named(body: bytes, field: str) -> None:
    """S-19, S-53: nothing is coerced, nothing is guessed, nothing appears twice."""
    with pytest.raises(NotAMessage) as refused:
        decode(EnrolmentRequest, body)

    assert refused.value.field == field
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("report", "field"),
    [
        ({"addresses": ["10.0.0.1"] * 17}, "addresses"),
        ({"addresses": "10.0.0.1"}, "addresses"),
        ({"addresses": ["10.0.0.1", 7]}, "addresses[1]"),
        ({"addresses": ["x" * 46]}, "addresses[0]"),
        ({"certificate": {}}, "certificate.serial"),
        ({"certificate": {"serial": "AB", "not_after": "2026-11-20T09:30:00Z"}}, "certificate.serial"),
        ({"certificate": {"serial": "ab", "not_after": "2026-11-20"}}, "certificate.not_after"),
        ({"problems": None}, "problems"),
    ],
)
def test_lists_and_objects_within_are_held_to_their_rules(report: dict[str, object], field: str) -> None:
    """The place inside a list is named by its number."""
    good: dict[str, object] = {
        "counter": {"boot": 1, "count": 1},
        "version": "1",
        "addresses": [],
        "certificate": None,
        "problems": [],
    }
    assert decode(ReportRequest, json.dumps(good).encode()).certificate is None

    with pytest.raises(NotAMessage) as refused:
        decode(ReportRequest, json.dumps({**good, **report}).encode())

    assert refused.value.field == field


@pytest.mark.parametrize(
    "facts",
    [[], None, {"a": 1}, {"a": None}, {"": "x"}, {"a" * 65: "x"}, {"a": "x" * 201}, {str(n): "" for n in range(17)}],
)
def test_the_facts_of_a_reason_are_texts(facts: object) -> None:
    """At most sixteen short texts, so that no sentence is flooded."""
    reason = {"criterion": "no-seat-left", "facts": facts, "meaning": "x", "remedy": "y"}
    body = {"type": "x", "title": "x", "status": 403, "reasons": [reason]}

    with pytest.raises(NotAMessage, match=r"reasons\[0\].facts"):
        decode(ProblemAnswer, json.dumps(body).encode())


def test_fields_with_a_default_may_be_absent() -> None:
    """A problem document without detail and reasons is one."""
    answer = decode(ProblemAnswer, b'{"type": "about:blank", "title": "Not found", "status": 404}')

    assert (answer.detail, answer.reasons) == ("", [])


def test_a_box_ignores_fields_of_a_newer_service() -> None:
    """Unknown fields of an answer are passed over, at every depth; all other rules stay."""
    body = b'{"commands": [], "next_report": 60, "new": {"deep": [NULL]}}'.replace(b"NULL", b"null")

    assert decode(ReportAnswer, body, ignore_unknown=True) == ReportAnswer(commands=[], next_report=60)
    with pytest.raises(NotAMessage):
        decode(ReportAnswer, body)
    with pytest.raises(NotAMessage, match="twice"):
        decode(ReportAnswer, body.replace(b'"new"', b'"commands"'), ignore_unknown=True)
    with pytest.raises(NotAMessage, match="next_report"):
        decode(ReportAnswer, body.replace(b"60", b"5"), ignore_unknown=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from(MESSAGES), st.booleans())
def test_any_bytes_are_the_message_or_are_refused_in_one_way(body: bytes, kind: type, ignore_unknown: bool) -> None:
    """F-71: no input reaches the code behind the decoder as another exception."""
    try:
        decode(kind, body, ignore_unknown=ignore_unknown)
    except NotAMessage as refused:
        assert str(refused)


@given(st.sampled_from(sorted(ENROLMENT)), JSON)
def test_any_value_in_any_field_is_right_or_refused(name: str, value: object) -> None:
    """A message that is read again writes the very same values: none was changed into another type."""
    body = json.dumps({**ENROLMENT, name: value}).encode()
    try:
        message = decode(EnrolmentRequest, body)
    except NotAMessage:
        return
    assert json.loads(encode(message)) == {**ENROLMENT, name: value}


def test_enrolment_reads_into_its_types() -> None:
    """A good message is what it says."""
    message = decode(EnrolmentRequest, _json())

    assert message.kind is Kind.BOX
    assert message.counter == Counter(boot=1, count=2)
    assert Counter(boot=1, count=9) < Counter(boot=2, count=0) < Counter(boot=2, count=1)


# No message can carry a private key (S-01)

# A CSR and a chain are read as what they are before anything is done with them; the others are sentences for people.
ROOMY = {
    "CertificateRequest.csr",
    "CertificateAnswer.chain",
    "CertificateAnswer.url_suffix",
    "EnrolmentAnswer.zone",
    "ProblemAnswer.type",
    "ProblemAnswer.title",
    "ProblemAnswer.detail",
    "RefusedCriterion.facts",
    "RefusedCriterion.meaning",
    "RefusedCriterion.remedy",
}
SENT_BY_A_BOX = (EnrolmentRequest, CertificateRequest, ReportRequest)


def _fields(kind: Any) -> list[tuple[str, Any, tuple[Any, ...]]]:
    return [(f"{kind.__name__}.{name}", *_inner(shape)) for name, (shape, _) in shape_of(kind).items()]


def _inner(shape: Any, rules: tuple[Any, ...] = ()) -> tuple[Any, tuple[Any, ...]]:
    if typing.get_origin(shape) is Annotated:
        inner, *more = typing.get_args(shape)
        return _inner(inner, tuple(more))
    if typing.get_origin(shape) is list:
        return _inner(typing.get_args(shape)[0])
    return shape, rules


def _holds(shape: Any, rules: tuple[Any, ...], text: str) -> bool:
    if typing.get_origin(shape) is dict:
        return True
    return shape is str and all(
        rule.least <= len(text) <= rule.most and (rule.pattern is None or re.fullmatch(rule.pattern, text))
        for rule in rules
    )


def _shortest_key() -> str:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


def test_no_field_of_any_message_could_carry_a_private_key() -> None:
    """S-01: what is roomy enough for the shortest private key is listed here, and of what a box sends only the CSR."""
    key = _shortest_key()
    roomy = {name for kind in MESSAGES for name, shape, rules in _fields(kind) if _holds(shape, rules, key)}

    assert roomy == ROOMY
    assert {name for name in roomy if name.startswith(tuple(kind.__name__ for kind in SENT_BY_A_BOX))} == {
        "CertificateRequest.csr"
    }


def test_no_field_is_called_a_key() -> None:
    """S-01: there is no place for one by name either."""
    names = [name for kind in MESSAGES for name, _, _ in _fields(kind)]

    assert len(names) > 30
    assert [name for name in names if re.search(r"key|private|secret|pkcs", name.partition(".")[2], re.I)] == []


def test_the_rule_above_sees_every_kind_of_field() -> None:
    """A message with a roomy field that is not listed would be found."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Leaky:
        note: Annotated[str, Text(4000)]
        facts: dict[str, str]
        notes: Annotated[list[Annotated[str, Text(4000)]], Many(3)]
        short: Annotated[str, Text(40)]

    key = _shortest_key()
    assert [name for name, shape, rules in _fields(Leaky) if _holds(shape, rules, key)] == [
        "Leaky.note",
        "Leaky.facts",
        "Leaky.notes",
    ]
