"""The messages of the box protocol, version 1, and the one strict decoder both sides use.

A message is a frozen dataclass; what each field may hold stands beside it. Nothing is coerced: a number is not a
text, a key that appears twice is refused, and the service refuses fields it does not know. The box ignores unknown
fields of an answer, so that a newer service can talk to an older box. No field of any message can carry a
private key (S-01).
"""

import dataclasses
import json
import re
import types
import typing
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

PROBLEM_TYPE = "urn:lancert:problem:"
"""What the ``type`` of every problem document of the service begins with (RFC 9457)."""

BODY_LIMIT = 16_384
"""The largest body of a request, in bytes."""

ANSWER_LIMIT = 65_536
"""The largest answer a box reads, in bytes."""


class NotAMessage(ValueError):
    """A body is not the message it should be; ``field`` names the place, the text is safe to send back."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}" if field else text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Text:
    """What a text field may hold: its length in characters and, if it matters, its pattern."""

    most: int
    least: int = 1
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """What a whole number may be."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Many:
    """How many items a list may have."""

    most: int


class Kind(StrEnum):
    """The two kinds of IoT system of the product."""

    BOX = "iot-box"
    VIRTUAL = "virtual"


Count = Annotated[int, Number(0, 2**53 - 1)]
Moment = Annotated[str, Text(20, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")]
Version = Annotated[str, Text(32, pattern=r"[0-9A-Za-z.+-]+")]
Pem = Annotated[str, Text(32_768)]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Counter:
    """What makes a signed request new without clock or nonce: ``boot`` rises at each start, ``count`` in between."""

    boot: Count
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRequest:
    """First contact: the credential and who the box is. Signed by the identity it names."""

    counter: Counter
    contract: Annotated[str, Text(64, least=3)]
    database: Annotated[str, Text(36, least=36)]
    kind: Kind
    name: Annotated[str, Text(64)]
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentAnswer:
    """Who the box is to the service, and the name space that is its own."""

    box: Annotated[str, Text(64)]
    label: Annotated[str, Text(16, least=16, pattern=r"[a-z2-7]{16}")]
    zone: Annotated[str, Text(180)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A certificate signing request (RFC 2986) in PEM: a public key with proof of possession, nothing else counts."""

    counter: Counter
    csr: Annotated[str, Text(4096)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalWindow:
    """When the service would like the certificate renewed (after RFC 9773, 4.2)."""

    start: Moment
    end: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAnswer:
    """The chain in PEM, leaf first and without the root, with what the box needs to plan."""

    chain: Pem
    not_before: Moment
    not_after: Moment
    renewal: RenewalWindow
    url_suffix: Annotated[str, Text(253)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCertificate:
    """The certificate a box serves: serial in lower-case hexadecimal, and its end."""

    serial: Annotated[str, Text(40, pattern=r"[0-9a-f]+")]
    not_after: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """What a box tells about itself: addresses (default route first), certificate, problems by full code."""

    counter: Counter
    version: Version
    addresses: Annotated[list[Annotated[str, Text(45)]], Many(16)]
    certificate: ReportedCertificate | None
    problems: Annotated[list[Annotated[str, Text(80)]], Many(16)]


class Command(StrEnum):
    """What the service may ask of a box."""

    CHECK_NOW = "check-now"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAnswer:
    """What waits for the box, and when to report next, in seconds."""

    commands: Annotated[list[Annotated[str, Text(40)]], Many(16)]
    next_report: Annotated[int, Number(10, 86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCriterion:
    """One unmet criterion on the wire: its code, the facts of it, and sentences for people without a catalogue."""

    criterion: Annotated[str, Text(64, pattern=r"[a-z][a-z-]*")]
    facts: dict[str, str]
    meaning: Annotated[str, Text(500)]
    remedy: Annotated[str, Text(500)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemAnswer:
    """A problem document (RFC 9457); ``reasons`` are there when the service refused."""

    MEDIA_TYPE: ClassVar[str] = "application/problem+json"
    REFUSED: ClassVar[str] = PROBLEM_TYPE + "refused"

    type: Annotated[str, Text(200)]
    title: Annotated[str, Text(200)]
    status: Annotated[int, Number(100, 599)]
    detail: Annotated[str, Text(1000, least=0)] = ""
    reasons: Annotated[list[RefusedCriterion], Many(16)] = dataclasses.field(default_factory=list)


Message = TypeVar("Message")


def encode(message: Any) -> bytes:
    """Write a message as JSON."""
    return _ENCODER.encode(message).encode()


def _fields_of(message: Any) -> dict[str, Any]:
    # ``dataclasses.asdict`` copies every value deeply, which costs more than everything else about an answer.
    return {name: getattr(message, name) for name in shape_of(type(message))}


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_fields_of)


def decode(kind: type[Message], body: bytes, *, ignore_unknown: bool = False) -> Message:
    """Read a message of this kind. Raises NotAMessage, and nothing else, for anything else."""
    try:
        read = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise NotAMessage("", "the body is not UTF-8") from None
    except RecursionError:
        raise NotAMessage("", "the body is nested too deeply") from None
    except NotAMessage:
        raise
    except ValueError:
        raise NotAMessage("", "the body is not JSON") from None
    made: Message = _read(kind, read, "", not ignore_unknown)
    return made


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotAMessage("", "a key appears twice")
    return made


def _no_constant(name: str) -> Any:
    raise NotAMessage("", f"{name} is not JSON")


def _read(kind: Any, value: Any, field: str, strict: bool, rules: tuple[Any, ...] = ()) -> Any:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *more = typing.get_args(kind)
        return _read(inner, value, field, strict, tuple(more))
    if origin is types.UnionType:
        inner = next(option for option in typing.get_args(kind) if option is not types.NoneType)
        return None if value is None else _read(inner, value, field, strict, rules)
    if origin is list:
        return _read_list(kind, value, field, strict, rules)
    if origin is dict:
        return _read_facts(value, field)
    if dataclasses.is_dataclass(kind):
        return _read_object(kind, value, field, strict)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _read_choice(kind, value, field)
    return _read_number(value, field, rules) if kind is int else _read_text(value, field, rules)


def _read_object(kind: Any, value: Any, field: str, strict: bool) -> Any:
    if not isinstance(value, dict):
        raise NotAMessage(field, "must be an object")
    shapes = shape_of(kind)
    inside = f"{field}." if field else ""
    if strict and (unknown := sorted(set(value) - set(shapes))):
        raise NotAMessage(inside + _printable(unknown[0]), "is not a field of this message")
    read = {}
    for name, (shape, is_required) in shapes.items():
        if name in value:
            read[name] = _read(shape, value[name], inside + name, strict)
        elif is_required:
            raise NotAMessage(inside + name, "is missing")
    return kind(**read)


_SHAPES: dict[Any, dict[str, tuple[Any, bool]]] = {}


def shape_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Give each field of a message with its annotated type and whether it is required."""
    if kind not in _SHAPES:
        hints = typing.get_type_hints(kind, include_extras=True)
        _SHAPES[kind] = {
            field.name: (
                hints[field.name],
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            )
            for field in dataclasses.fields(kind)
        }
    return _SHAPES[kind]


def _read_list(kind: Any, value: Any, field: str, strict: bool, rules: tuple[Any, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise NotAMessage(field, "must be a list")
    for rule in rules:
        if len(value) > rule.most:
            raise NotAMessage(field, f"has more than {rule.most} items")
    (inner,) = typing.get_args(kind)
    return [_read(inner, item, f"{field}[{index}]", strict) for index, item in enumerate(value)]


def _read_facts(value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 16:
        raise NotAMessage(field, "must be an object of at most 16 texts")
    return {
        _read_text(name, field, (Text(64),)): _read_text(item, field, (Text(200, 0),)) for name, item in value.items()
    }


def _read_choice(kind: type[StrEnum], value: Any, field: str) -> StrEnum:
    if not isinstance(value, str) or value not in list(kind):
        raise NotAMessage(field, f"must be one of {', '.join(kind)}")
    return kind(value)


def _read_number(value: Any, field: str, rules: tuple[Any, ...]) -> int:
    if type(value) is not int:
        raise NotAMessage(field, "must be a whole number")
    for rule in rules:
        if not rule.least <= value <= rule.most:
            raise NotAMessage(field, f"must be from {rule.least} to {rule.most}")
    return value


def _read_text(value: Any, field: str, rules: tuple[Any, ...]) -> str:
    if not isinstance(value, str):
        raise NotAMessage(field, "must be a text")
    if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise NotAMessage(field, "holds half a character")
    for rule in rules:
        if not rule.least <= len(value) <= rule.most:
            raise NotAMessage(field, f"must have {rule.least} to {rule.most} characters")
        if rule.pattern is not None and not re.fullmatch(rule.pattern, value):
            raise NotAMessage(field, f"must match {rule.pattern}")
    return value


def _printable(text: str) -> str:
    return text[:40].encode("ascii", "backslashreplace").decode()
