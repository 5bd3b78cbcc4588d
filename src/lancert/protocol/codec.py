"""Messages to JSON and back: the one strict decoder both sides use.

A message is a frozen dataclass; what each field may hold stands beside its type. Nothing is coerced: a number is not a
text, a key that appears twice is refused, and so are fields nobody knows, unless the reader asks for indulgence. How
a field is read is worked out once for each kind of message.
"""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar


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


Message = TypeVar("Message")


def encode(message: Any) -> bytes:
    """Write a message as JSON."""
    return _ENCODER.encode(message).encode()


def _fields_of(message: Any) -> dict[str, Any]:
    # ``dataclasses.asdict`` copies every value deeply, which costs more than everything else about an answer. What may
    # be left out and holds nothing is left out: an older reader does not know the field.
    kind: Any = type(message)
    values = {name: getattr(message, name) for name in shape_of(kind)}
    return {name: value for name, value in values.items() if value is not None or shape_of(kind)[name][1]}


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_fields_of)


def decode(kind: type[Message], body: bytes, *, ignore_unknown: bool = False) -> Message:
    """Read a message of this kind. Raises NotAMessage, and nothing else, for anything else."""
    try:
        read = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotAMessage("", "the body is not UTF-8") from None
    except RecursionError:
        raise NotAMessage("", "the body is nested too deeply") from None
    except NotAMessage:
        raise
    except ValueError:
        raise NotAMessage("", "the body is not JSON") from None
    wanted: Any = kind
    made: Message = _reader(wanted)(read, "", not ignore_unknown)
    return made


@cache
def shape_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Give each field of a message with its annotated type and whether it is required."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotAMessage("", "a key appears twice")
    return made


def _no_constant(name: str) -> Any:
    raise NotAMessage("", f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)

Reader = Callable[[Any, str, bool], Any]
"""Reads one value of the field named, strictly or ignoring what it does not know."""


@cache
def _reader(kind: Any, rule: Any = None) -> Reader:
    """Work out how a kind of value is read."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, rule = typing.get_args(kind)
        return _reader(inner, rule)
    if origin is types.UnionType:
        inner = next(option for option in typing.get_args(kind) if option is not types.NoneType)
        return _or_nothing(_reader(inner, rule))
    if origin is list:
        return _list_reader(_reader(*typing.get_args(kind)), rule)
    if origin is dict:
        return _read_facts
    if dataclasses.is_dataclass(kind):
        return _object_reader(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _choice_reader(kind)
    return _number_reader(rule) if kind is int else _text_reader(rule)


def _or_nothing(read: Reader) -> Reader:
    return lambda value, field, strict: None if value is None else read(value, field, strict)


def _object_reader(kind: Any) -> Reader:
    readers = {name: (_reader(shape), is_required) for name, (shape, is_required) in shape_of(kind).items()}

    def read(value: Any, field: str, strict: bool) -> Any:
        if not isinstance(value, dict):
            raise NotAMessage(field, "must be an object")
        inside = f"{field}." if field else ""
        if strict and not value.keys() <= readers.keys():
            unknown = min(set(value) - set(readers))
            raise NotAMessage(inside + _printable(unknown), "is not a field of this message")
        made = {}
        for name, (reader, is_required) in readers.items():
            if name in value:
                made[name] = reader(value[name], inside + name, strict)
            elif is_required:
                raise NotAMessage(inside + name, "is missing")
        return kind(**made)

    return read


def _list_reader(read_item: Reader, rule: Many | None) -> Reader:
    def read(value: Any, field: str, strict: bool) -> list[Any]:
        if not isinstance(value, list):
            raise NotAMessage(field, "must be a list")
        if rule is not None and len(value) > rule.most:
            raise NotAMessage(field, f"has more than {rule.most} items")
        return [read_item(item, f"{field}[{index}]", strict) for index, item in enumerate(value)]

    return read


def _read_facts(value: Any, field: str, strict: bool) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 16:
        raise NotAMessage(field, "must be an object of at most 16 texts")
    return {_FACT_NAME(name, field, strict): _FACT(item, field, strict) for name, item in value.items()}


def _choice_reader(kind: type[StrEnum]) -> Reader:
    choices = {str(choice): choice for choice in kind}

    def read(value: Any, field: str, _strict: bool) -> StrEnum:
        if not isinstance(value, str) or value not in choices:
            raise NotAMessage(field, f"must be one of {', '.join(choices)}")
        return choices[value]

    return read


def _number_reader(rule: Number | None) -> Reader:
    def read(value: Any, field: str, _strict: bool) -> int:
        if type(value) is not int:
            raise NotAMessage(field, "must be a whole number")
        if rule is not None and not rule.least <= value <= rule.most:
            raise NotAMessage(field, f"must be from {rule.least} to {rule.most}")
        return value

    return read


def _text_reader(rule: Text | None) -> Reader:
    pattern = None if rule is None or rule.pattern is None else re.compile(rule.pattern)

    def read(value: Any, field: str, _strict: bool) -> str:
        if not isinstance(value, str):
            raise NotAMessage(field, "must be a text")
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise NotAMessage(field, "holds half a character")
        if rule is not None and not rule.least <= len(value) <= rule.most:
            raise NotAMessage(field, f"must have {rule.least} to {rule.most} characters")
        if pattern is not None and not pattern.fullmatch(value):
            raise NotAMessage(field, f"must match {pattern.pattern}")
        return value

    return read


_FACT_NAME = _text_reader(Text(64))
_FACT = _text_reader(Text(200, 0))


def _printable(text: str) -> str:
    return text[:40].encode("ascii", "backslashreplace").decode()
