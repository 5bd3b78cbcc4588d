"""What a box remembers between two starts, as values to JSON and back; reading and writing the files is the folder's.

Server, roots and credential must agree, so they are one value and one file: a kill between two files would have the
box trust the root of one server and send its credential to another.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from lancert.box.facts import Enrolment, LastTry, Outcome, Server, known_options, parse_server
from lancert.kit.clock import from_text, to_text
from lancert.kit.secret import Secret
from lancert.protocol.credential import (
    Credential,
    NotACredential,
    parse_contract,
    parse_database_uuid,
    parse_fingerprint,
)
from lancert.protocol.names import Label, is_label, parse_zone
from lancert.protocol.problems import CATALOGUE, Criterion, Occurrence, Reason

NOT_UNDERSTOOD = (KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What is raised by a document that is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The server this box is connected to, the roots it is trusted by in PEM, and the credential for it."""

    server: Server | None = None
    roots: str = ""
    credential: Credential = field(default_factory=Credential)


def connection_document(connection: Connection) -> dict[str, Any]:
    """Write a connection."""
    credential = connection.credential
    return {
        "server": asdict(connection.server) if connection.server else None,
        "roots": connection.roots,
        "credential": {
            "contract": credential.contract.reveal() if credential.contract else None,
            "database": credential.database.reveal() if credential.database else None,
        },
    }


def connection_of(read: dict[str, Any]) -> Connection:
    """Read a connection. Raises one of ``NOT_UNDERSTOOD``."""
    return Connection(
        server=None if read["server"] is None else server_of(read["server"]),
        roots=_text(read["roots"]),
        credential=credential_of(read["credential"]),
    )


def server_of(read: dict[str, Any]) -> Server:
    """Read a server. Raises one of ``NOT_UNDERSTOOD``."""
    fingerprint = read.get("root_fingerprint")
    return parse_server(_text(read["url"]), None if fingerprint is None else parse_fingerprint(_text(fingerprint)))


def credential_of(read: dict[str, Any]) -> Credential:
    """Read a credential, whole or in part: a half that makes no sense counts as missing, and that is a public code."""
    return Credential(
        contract=_half(parse_contract, read.get("contract")), database=_half(parse_database_uuid, read.get("database"))
    )


def _half(parse: Any, written: object) -> Secret | None:
    try:
        half: Secret | None = parse(str(written)) if written else None
    except NotACredential:
        return None
    return half


def enrolment_of(read: dict[str, Any]) -> Enrolment:
    """Read an enrolment. Raises one of ``NOT_UNDERSTOOD``."""
    label = str(read["label"])
    if not is_label(label):
        raise ValueError("not a label")
    return Enrolment(
        box=str(read["box"]),
        label=Label(label),
        zone=parse_zone(str(read["zone"])),
        also_answered=known_options(read.get("also_answered")),
    )


def boot_of(read: dict[str, Any]) -> int:
    """Read the number of the last start. Raises one of ``NOT_UNDERSTOOD``."""
    boot = read["boot"]
    if not isinstance(boot, int) or isinstance(boot, bool) or boot < 0:
        raise ValueError("not a number of starts")
    return boot


def moment_of(read: dict[str, Any]) -> datetime:
    """Read the last moment a server told. Raises one of ``NOT_UNDERSTOOD``."""
    return from_text(read["proven"])


def pin_of(read: dict[str, Any]) -> tuple[bytes, bytes]:
    """Read the salt and the hash of a PIN. Raises one of ``NOT_UNDERSTOOD``."""
    return bytes.fromhex(read["salt"]), bytes.fromhex(read["hash"])


def last_try_document(last: LastTry) -> dict[str, Any]:
    """Write how the last try ended."""
    problem = last.problem
    return {
        "at": to_text(last.at),
        "outcome": last.outcome.value,
        "failures": last.failures,
        "next_at": to_text(last.next_at) if last.next_at else None,
        "problem": None
        if problem is None
        else {
            "code": problem.problem.code,
            "cause": problem.cause_id,
            "facts": dict(problem.facts),
            "reasons": [{"criterion": r.criterion.value, "facts": dict(r.facts)} for r in problem.reasons],
        },
    }


def last_try_of(read: dict[str, Any]) -> LastTry:
    """Read how the last try ended. Raises one of ``NOT_UNDERSTOOD``."""
    next_at: datetime | None = from_text(read["next_at"]) if read["next_at"] else None
    return LastTry(
        at=from_text(read["at"]),
        outcome=Outcome(read["outcome"]),
        failures=int(read["failures"]),
        next_at=next_at,
        problem=None if read["problem"] is None else _occurrence(read["problem"]),
    )


def _occurrence(read: dict[str, Any]) -> Occurrence:
    problem = {row.code: row for row in CATALOGUE}[read["code"]]
    occurrence = Occurrence(
        problem=problem,
        cause_id=read["cause"],
        facts={str(name): str(value) for name, value in read["facts"].items()},
        reasons=tuple(
            Reason(criterion=Criterion(one["criterion"]), facts=dict(one["facts"])) for one in read["reasons"]
        ),
    )
    # A cause or a status that this version does not know must fail here, not on the homepage.
    assert occurrence.cause is not None or occurrence.cause_id is None
    assert occurrence.code
    return occurrence


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
