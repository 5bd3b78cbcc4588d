"""The folder of a box: one private directory, one fact per file, each written beside and renamed over.

The agent, the command line and tests read and write these files through this module only. A file that cannot be
read counts as absent and is reported; nothing is deleted because of it.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lancert.box import keys, notices
from lancert.box.facts import Enrolment, LastTry, Ports, Server
from lancert.box.log_level import LONGEST, ChosenLevel
from lancert.box.notices import Notice
from lancert.box.remembered import (
    NOT_UNDERSTOOD,
    Connection,
    boot_of,
    connection_document,
    connection_of,
    credential_of,
    enrolment_of,
    last_try_document,
    last_try_of,
    moment_of,
    pin_of,
    server_of,
)
from lancert.box.setting_aside import aside, plain_file, set_aside
from lancert.kit.clock import from_text, to_text
from lancert.kit.files import (
    FileTooLarge,
    close_to_others,
    is_open_to_others,
    private_directory,
    read_limited,
    write_private,
)
from lancert.kit.logs import LEVELS, NORMAL, Log
from lancert.protocol.certificate import UNREADABLE
from lancert.protocol.credential import Credential
from lancert.protocol.names import Address, parse_address

_LIMIT = 262_144

LOOPBACK = "127.0.0.1"

_UNDERSTOOD: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "connection.json": connection_of,
    # What an earlier version kept in files of their own.
    "server.json": server_of,
    "credential.json": credential_of,
    "enrolment.json": enrolment_of,
    "boot.json": boot_of,
    "time.json": moment_of,
    "pin.json": pin_of,
    # A wrong value in one of these costs nothing, and may come from another version.
    "last-try.json": dict,
    "listening.json": dict,
    "log-level.json": dict,
    "renewal-asked.json": dict,
    "hand-over.json": dict,
}
_EARLIER = ("server.json", "credential.json", "root.pem")
_ALL = (*_UNDERSTOOD, "identity.pem", "root.pem")
_NEEDED = ("connection.json", *_EARLIER)
"""The files whose loss a person has to make good; the others are made anew."""

_NO_KEY = tuple(one for one in UNREADABLE if not issubclass(one, OSError))

Fact = TypeVar("Fact")

log = Log("box.folder")


class State(StrEnum):
    """How a file was found."""

    READABLE = "readable"
    ABSENT = "absent"
    DAMAGED = "damaged"
    WITHHELD = "withheld"
    """The system does not give it back: another owner, or a failing disk. It may be whole."""


class Folder:
    """Every fact a box keeps between two starts."""

    def __init__(self, path: Path) -> None:
        self.path = private_directory(path)
        self.identity = path / "identity.pem"
        self.certificates = path / "certificates"
        self.stop_gap = path / "stop-gap.pem"
        self.log_file = path / "log" / "box.log"
        self.pin = path / "pin.json"
        self._set_aside: list[str] = []
        self._were_open: list[str] = []

    def stamp(self) -> tuple[int, ...]:
        """Give a value that changes when the server or the credential is changed, by whatever process."""
        return tuple(self._changed(name) for name in ("connection.json", *_EARLIER))

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

    def check(self) -> None:
        """Close what is open to others and set aside what is damaged: for the agent, which then goes on without it."""
        for name in _ALL:
            state = self._state(name)
            if state is State.DAMAGED:
                self.make_way(name)
            elif state is State.READABLE:
                self._close(name)

    def make_way(self, name: str) -> None:
        """Set a file aside that cannot be read and is about to be replaced."""
        if self._state(name) not in (State.DAMAGED, State.WITHHELD):
            return
        try:
            set_aside(self.path / name)
        except OSError as error:
            log.error("a file that cannot be read could not be set aside", file=name, detail=str(error))
        else:
            log.error("a file that cannot be read was set aside", file=name)
            self._set_aside.append(name)

    def _close(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if is_open_to_others(self.path / name):
                close_to_others(self.path / name)
                log.warning("a file was open to other accounts and was closed", file=name)
                self._were_open.append(name)

    def notices(self) -> tuple[Notice, ...]:
        """Say which files cannot be used, and what that means; nothing is changed."""
        found = {name: self._state(name) for name in _ALL}
        lost = [name for name in _NEEDED if found[name] is State.ABSENT and aside(self.path / name).exists()]
        if found["connection.json"] is State.READABLE:
            lost = []
        made_anew = [name for name in self._set_aside if name not in _NEEDED]
        return (
            *(notices.file_set_aside(name) for name in dict.fromkeys([*lost, *made_anew])),
            *(notices.unreadable_file(name) for name in found if found[name] in (State.DAMAGED, State.WITHHELD)),
            *(notices.file_was_open(name) for name in dict.fromkeys(self._were_open)),
        )

    def _connection(self) -> Connection:
        connection = self._fact("connection.json", connection_of)
        if connection is not None:
            return connection
        try:
            roots = read_limited(self.path / "root.pem", _LIMIT).decode("ascii", "replace")
        except OSError:
            roots = ""
        return Connection(
            server=self._fact("server.json", server_of),
            roots=roots,
            credential=self._fact("credential.json", credential_of) or Credential(),
        )

    def _connect(self, connection: Connection) -> None:
        self._write("connection.json", connection_document(connection))
        for name in _EARLIER:
            with contextlib.suppress(OSError):
                (self.path / name).unlink(missing_ok=True)

    def server(self) -> Server | None:
        """Read the server this box is connected to."""
        return self._connection().server

    def roots(self) -> list[x509.Certificate]:
        """Read the roots the server and the certificates are expected to come from; none: the system's roots count."""
        written = self._connection().roots
        try:
            return x509.load_pem_x509_certificates(written.encode()) if written else []
        except ValueError:
            log.error("the root certificate cannot be read")
            return []

    def connect(self, server: Server, roots: list[x509.Certificate], credential: Credential | None = None) -> None:
        """Remember the server, with the roots it is trusted by and the credential for it, or the one that is known.

        All of it is one file, so that a kill leaves the old connection or the new one.
        """
        known = self._connection()
        pem = b"".join(root.public_bytes(serialization.Encoding.PEM) for root in roots).decode("ascii")
        new = Connection(server=server, roots=pem, credential=credential or known.credential)
        if known.server is None or known.server.url != server.url or known.credential != new.credential:
            self.forget_enrolment()
        self._connect(new)

    def credential(self) -> Credential:
        """Read the credential, whole or in part."""
        return self._connection().credential

    def change_credential(self, credential: Credential) -> None:
        """Remember the credential; an enrolment made with another one no longer counts."""
        known = self._connection()
        if credential != known.credential:
            self.forget_enrolment()
        self._connect(replace(known, credential=credential))

    def enrolment(self) -> Enrolment | None:
        """Read who this box is to its server."""
        return self._fact("enrolment.json", enrolment_of)

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
        boot = max((self._fact("boot.json", boot_of) or 0) + 1, int(now.timestamp()))
        self._write("boot.json", {"boot": boot})
        return boot

    def proven_moment(self) -> datetime | None:
        """Read the last moment a proven server told: the clock cannot be earlier (F-20)."""
        return self._fact("time.json", moment_of)

    def proved(self, moment: datetime) -> None:
        """Remember what a proven server told, once a day at most (F-13)."""
        known = self.proven_moment()
        if known is None or moment < known or moment - known >= timedelta(days=1):
            self._write("time.json", {"proven": to_text(moment)})

    def log_level(self) -> ChosenLevel | None:
        """Read the log level that was chosen in place of the normal one."""
        read = self._read("log-level.json")
        try:
            if read is None or read["level"] not in LEVELS or read["level"] == NORMAL:
                return None
            left = timedelta(seconds=min(int(read["left_seconds"]), int(LONGEST.total_seconds())))
            return ChosenLevel(level=read["level"], until=from_text(read["until"]), left=left)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def choose_log_level(self, choice: ChosenLevel | None) -> None:
        """Remember the log level; None is the normal one."""
        if choice is None:
            (self.path / "log-level.json").unlink(missing_ok=True)
            return
        left = int(choice.left.total_seconds())
        self._write("log-level.json", {"level": choice.level, "until": to_text(choice.until), "left_seconds": left})

    def hand_over(self) -> dict[str, Any] | None:
        """Read how the last hand-over to each target went, as it was written."""
        return self._read("hand-over.json")

    def remember_hand_over(self, record: dict[str, Any]) -> None:
        """Remember how the hand-overs went. Raises OSError."""
        self._write("hand-over.json", record)

    def hand_over_stamp(self) -> int:
        """Give a value that changes with what is remembered, by whatever process."""
        return self._changed("hand-over.json")

    def listening(self) -> Ports | None:
        """Read where a running agent listens, as it last said; whether it still does is another question."""
        read = self._read("listening.json")
        try:
            return None if read is None else Ports(http=int(read["http"]), https=int(read["https"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def listens(self, ports: Ports, host: str = LOOPBACK, addresses: Sequence[Address] = ()) -> None:
        """Say where this agent listens, and which addresses it was told to publish."""
        said = {**asdict(ports), "host": host, "addresses": [str(one) for one in addresses]}
        if said != self._read("listening.json"):
            self._write("listening.json", said)

    def told_by_agent(self) -> tuple[str, tuple[Address, ...]]:
        """Read an address a running agent listens on, and those it was told to publish, as it last said."""
        read = self._read("listening.json") or {}
        host, texts = read.get("host"), read.get("addresses")
        found = [parse_address(text) for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
        is_host = isinstance(host, str) and parse_address(host) is not None
        return str(host) if is_host else LOOPBACK, tuple(one for one in found if one is not None)

    def last_try(self) -> LastTry | None:
        """Read how the last try to load ended."""
        return self._fact("last-try.json", last_try_of)

    def tried(self, last: LastTry) -> None:
        """Remember how the last try ended."""
        self._write("last-try.json", last_try_document(last))

    def _state(self, name: str) -> State:
        try:
            self._understand(name)
        except FileNotFoundError:
            return State.ABSENT
        except (FileTooLarge, RecursionError, *NOT_UNDERSTOOD, *_NO_KEY):
            return State.DAMAGED
        except OSError:
            return State.WITHHELD
        return State.READABLE

    def _understand(self, name: str) -> None:
        match name:
            case "identity.pem":
                keys.read_identity(plain_file(self.path / name))
            case "root.pem":
                x509.load_pem_x509_certificates(read_limited(plain_file(self.path / name), _LIMIT))
            case _:
                _UNDERSTOOD[name](self._load(name))

    def _fact(self, name: str, understand: Callable[[dict[str, Any]], Fact]) -> Fact | None:
        read = self._read(name)
        try:
            return None if read is None else understand(read)
        except NOT_UNDERSTOOD:
            log.error("a file of the folder makes no sense", file=name)
            return None

    def _load(self, name: str) -> dict[str, Any]:
        """Read a document. Raises OSError, ValueError or RecursionError."""
        read = json.loads(read_limited(plain_file(self.path / name), _LIMIT))
        if not isinstance(read, dict):
            raise ValueError("not a document")
        return read

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return self._load(name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            log.error("a file of the folder cannot be read", file=name)
            return None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self.make_way(name)
        write_private(self.path / name, json.dumps(content, indent=1).encode() + b"\n")
