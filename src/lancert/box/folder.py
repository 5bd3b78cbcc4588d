"""The folder of a box: one private directory, one fact per file, each written beside and renamed over.

The agent, the command line and tests read and write these files through this module only. A file that cannot be
read counts as absent and is reported; nothing is deleted because of it.
"""

import contextlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lancert.box.facts import Enrolment, LastTry, NotAServer, Outcome, Ports, Server, parse_server
from lancert.kit.clock import from_text, to_text
from lancert.kit.files import private_directory, read_limited, write_private
from lancert.kit.logs import LEVELS, Log
from lancert.kit.secret import Secret
from lancert.protocol.credential import (
    Credential,
    NotACredential,
    NotAToken,
    parse_contract,
    parse_database_uuid,
    parse_fingerprint,
)
from lancert.protocol.names import Label, NotAZone, is_label, parse_zone
from lancert.protocol.problems import CATALOGUE, Criterion, Occurrence, Reason

_LIMIT = 65_536

log = Log("box.folder")


class Folder:
    """Every fact a box keeps between two starts."""

    def __init__(self, path: Path) -> None:
        self.path = private_directory(path)
        self.identity = path / "identity.pem"
        self.certificates = path / "certificates"
        self.stop_gap = path / "stop-gap.pem"
        self.log_file = path / "log" / "box.log"
        self.pin = path / "pin.json"
        self._root = path / "root.pem"

    def stamp(self) -> tuple[int, ...]:
        """Give a value that changes when the server or the credential is changed, by whatever process."""
        return tuple(self._changed(name) for name in ("server.json", "credential.json", "root.pem"))

    def ask_for_renewal(self) -> None:
        """Ask the agent for a new certificate although the old one will do."""
        self._write("renewal-asked.json", {})

    def renewal_asked(self) -> int:
        """Give a value that differs for each wish for a new certificate; 0 when there is none."""
        return self._changed("renewal-asked.json")

    def forget_renewal(self) -> None:
        """Note that the wish for a new certificate was taken up."""
        with contextlib.suppress(OSError):
            (self.path / "renewal-asked.json").unlink(missing_ok=True)

    def _changed(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_mtime_ns
        except OSError:
            return 0

    def server(self) -> Server | None:
        """Read the server this box is connected to."""
        read = self._read("server.json")
        if read is None:
            return None
        try:
            fingerprint = read.get("root_fingerprint")
            return parse_server(
                _text(read["url"]), None if fingerprint is None else parse_fingerprint(_text(fingerprint))
            )
        except (KeyError, TypeError, NotAServer, NotAToken):
            log.error("the server address cannot be read")
            return None

    def roots(self) -> list[x509.Certificate]:
        """Read the roots the server and the certificates are expected to come from; none: the system's roots count."""
        try:
            return x509.load_pem_x509_certificates(read_limited(self._root, _LIMIT))
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            log.error("the root certificate cannot be read")
            return []

    def connect(self, server: Server, roots: list[x509.Certificate]) -> None:
        """Remember the server, with the roots it is trusted by."""
        if roots:
            pem = b"".join(root.public_bytes(serialization.Encoding.PEM) for root in roots)
            write_private(self._root, pem)
        else:
            self._root.unlink(missing_ok=True)
        known = self.server()
        if known is None or known.url != server.url:
            self.forget_enrolment()
        self._write("server.json", asdict(server))

    def credential(self) -> Credential:
        """Read the credential, whole or in part."""
        read = self._read("credential.json") or {}
        contract: Secret | None = None
        database: Secret | None = None
        with contextlib.suppress(NotACredential):
            contract = parse_contract(str(read["contract"])) if read.get("contract") else None
        with contextlib.suppress(NotACredential):
            database = parse_database_uuid(str(read["database"])) if read.get("database") else None
        return Credential(contract=contract, database=database)

    def change_credential(self, credential: Credential) -> None:
        """Remember the credential; an enrolment made with another one no longer counts."""
        if credential != self.credential():
            self.forget_enrolment()
        self._write(
            "credential.json",
            {
                "contract": credential.contract.reveal() if credential.contract else None,
                "database": credential.database.reveal() if credential.database else None,
            },
        )

    def enrolment(self) -> Enrolment | None:
        """Read who this box is to its server."""
        read = self._read("enrolment.json")
        try:
            if read is None or not is_label(str(read["label"])):
                return None
            return Enrolment(box=str(read["box"]), label=Label(str(read["label"])), zone=parse_zone(str(read["zone"])))
        except (KeyError, NotAZone):
            log.error("the enrolment cannot be read")
            return None

    def enrolled(self, enrolment: Enrolment) -> None:
        """Remember who this box is to its server."""
        if enrolment != self.enrolment():
            self._write("enrolment.json", asdict(enrolment))

    def forget_enrolment(self) -> None:
        """Enrol again with the next load."""
        (self.path / "enrolment.json").unlink(missing_ok=True)

    def raise_boot(self, now: datetime) -> int:
        """Raise the number of this start above the last one, on the disk before anything is signed with it.

        The seconds since 1970 are a lower bound, so that a file that was lost or came back from a backup does not
        leave the box behind what the service has seen; where the clock is wrong, the number before decides.
        """
        read = self._read("boot.json") or {}
        known = read.get("boot")
        boot = max((known if isinstance(known, int) and known >= 0 else 0) + 1, int(now.timestamp()))
        self._write("boot.json", {"boot": boot})
        return boot

    def proven_moment(self) -> datetime | None:
        """Read the last moment a proven server told: the clock cannot be earlier (F-20)."""
        try:
            return from_text((self._read("time.json") or {})["proven"])
        except (KeyError, ValueError, TypeError):
            return None

    def proved(self, moment: datetime) -> None:
        """Remember what a proven server told, once a day at most (F-13)."""
        known = self.proven_moment()
        if known is None or moment < known or moment - known >= timedelta(days=1):
            self._write("time.json", {"proven": to_text(moment)})

    def log_level(self) -> str:
        """Read the chosen log level."""
        level = (self._read("log-level.json") or {}).get("level")
        return level if level in LEVELS else "info"

    def set_log_level(self, level: str) -> None:
        """Remember the log level."""
        self._write("log-level.json", {"level": level})

    def listening(self) -> Ports | None:
        """Read where a running agent listens, as it last said; whether it still does is another question."""
        read = self._read("listening.json")
        try:
            return None if read is None else Ports(http=int(read["http"]), https=int(read["https"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def listens(self, ports: Ports) -> None:
        """Say where this agent listens."""
        if ports != self.listening():
            self._write("listening.json", asdict(ports))

    def last_try(self) -> LastTry | None:
        """Read how the last try to load ended."""
        read = self._read("last-try.json")
        try:
            return None if read is None else _last_try(read)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
            return None

    def tried(self, last: LastTry) -> None:
        """Remember how the last try ended."""
        problem = last.problem
        self._write(
            "last-try.json",
            {
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
            },
        )

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            read = json.loads(read_limited(self.path / name, _LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            log.error("a file of the folder cannot be read", file=name)
            return None
        return read if isinstance(read, dict) else None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        write_private(self.path / name, json.dumps(content, indent=1).encode() + b"\n")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _last_try(read: dict[str, Any]) -> LastTry:
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
