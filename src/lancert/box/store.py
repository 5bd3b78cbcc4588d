"""The certificates of a box on its disk: complete generations, flipped by one rename.

A generation is one file with the private key and its chain, because what must agree is one file. ``current`` names
the generation in use; it is a small text file and not a link, so that it works on Windows too. Whatever happens at
whatever moment, ``current`` names a complete generation, and two older ones are kept (F-01). A file that cannot be
used is set aside, never deleted, and the reason stays known until a new certificate is installed. Its first line is
a checksum of the rest, so that one flipped bit, or a chain that lost its last certificate, does not reach a client.
"""

import contextlib
import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.box.facts import InstalledCertificate, StoredCertificate
from lancert.box.keys import pending_key, private_pem, read_pending_key
from lancert.box.setting_aside import set_aside
from lancert.kit.clock import from_text, to_text
from lancert.kit.files import (
    FileTooLarge,
    close_to_others,
    erase,
    is_open_to_others,
    private_directory,
    read_limited,
    sync_directory,
    write_private,
)
from lancert.kit.logs import Log
from lancert.protocol.certificate import CHAIN_LIMIT, UNREADABLE, NotAChain, facts_of, public_bytes, read_chain
from lancert.protocol.problems import CHECK_CERT_READ_EXCEPTION

_GENERATION = re.compile(r"generation-([0-9]{6,12})\.pem")
_FILE = re.compile(
    rb"sha-256: ([0-9a-f]{64})\n"
    rb"renewal: (\S{20}) (\S{20})\n"
    rb"(-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n)"
    rb"(-----BEGIN CERTIFICATE-----\n.*)",
    re.DOTALL,
)
_FILE_LIMIT = CHAIN_LIMIT + 4096
_CAUSES = {cause.id for cause in CHECK_CERT_READ_EXCEPTION.causes}
_OLDER_KEPT = 2
_SET_ASIDE_KEPT = 5

log = Log("box.store")


class Damaged(Exception):
    """A generation cannot be used; ``cause`` is a cause of ERR_IOT_HTTPS_CHECK_CERT_READ_EXCEPTION."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A usable generation: the file to serve from, what is in it, and the chain it holds."""

    path: Path
    installed: InstalledCertificate
    chain: tuple[x509.Certificate, ...]


class CertificateStore:
    """The folder of generations; one process uses it at a time (the agent holds the lock of the box's folder)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._make_folder()
        except OSError as error:
            # What can be read is served all the same; before anything is written it is tried again.
            log.error("the folder of the certificates cannot be made", detail=str(error))
        self._current = folder / "current"
        self._damage = folder / "damage"
        self._pending = folder / "pending-key.pem"
        self._number = 0  # the highest that was tried; a retry gets a new name
        self.generation: Generation | None = None
        self.stored = StoredCertificate(damage=self._known_damage())
        """What is stored, as of the last ``check`` or ``install``; every page asks, so asking reads nothing."""

    def look(self) -> StoredCertificate:
        """Say what a ``check`` would find, and change nothing: for a second process beside a running agent."""
        damage = self._known_damage()
        for path in self._candidates():
            try:
                return StoredCertificate(usable=read_generation(path).installed, damage=damage)
            except Damaged as damaged:
                damage = damaged.cause
        return StoredCertificate(damage=damage)

    def newest(self) -> Generation:
        """Give the generation a ``check`` would find, and change nothing. Raises Damaged when there is none."""
        for path in self._candidates():
            with contextlib.suppress(Damaged):
                return read_generation(path)
        raise Damaged("damaged", "there is no certificate that can be used")

    def check(self) -> StoredCertificate:
        """Read what is there: the current generation, or the newest older one that is whole.

        What cannot be used is closed to others, set aside and remembered as the damage.
        """
        self.generation = None
        self._clear_away()
        for path in self._candidates():
            try:
                self.generation = read_generation(path)
            except Damaged as damaged:
                self._set_aside(path, damaged)
            else:
                if path != self._named_by_current():
                    # A disk that cannot be written to is no reason not to serve what was read from it.
                    with contextlib.suppress(OSError):
                        write_private(self._current, f"{path.name}\n".encode())
                break
        if self.generation is not None and self._waits_for(self.generation):
            self._forget(self._pending)
        return self._taken_down()

    def _waits_for(self, generation: Generation) -> bool:
        """Say whether the waiting key already has its certificate: the next one gets a key of its own (S-03)."""
        try:
            waiting = read_pending_key(self._pending).public_key()
        except (OSError, *UNREADABLE):
            return False
        return public_bytes(waiting) == public_bytes(generation.chain[0].public_key())

    def _clear_away(self) -> None:
        """Remove what an interrupted write left, which may hold a key, and what stands where the pointer belongs."""
        for rest in self._folder.glob(".*.new"):
            self._forget(rest)
        if self._current.is_dir():
            with contextlib.suppress(OSError):
                set_aside(self._current)

    def _candidates(self) -> list[Path]:
        """Give the generations worth reading, best first."""
        current = self._named_by_current()
        found = self._newest_first()
        if current is None:
            return found
        # A newer file than the one named is the rest of an interrupted installation: whole, or not there at all.
        return [current, *(path for path in found if path != current)]

    def pending_key(self) -> ec.EllipticCurvePrivateKey:
        """Give the key of the certificate asked for; it is on the disk before its CSR can leave. Raises OSError."""
        self._make_folder()
        return pending_key(self._pending)

    def _make_folder(self) -> None:
        if not self._folder.is_dir() and (self._folder.exists() or self._folder.is_symlink()):
            set_aside(self._folder)
        private_directory(self._folder)

    def install(
        self,
        key: ec.EllipticCurvePrivateKey,
        chain: Sequence[x509.Certificate],
        *,
        renewal_start: datetime,
        renewal_end: datetime,
    ) -> Generation:
        """Make a new generation the current one. Raises OSError, and then the old one is still current."""
        # Without a look at what is there, a new generation could take the place of the one in service.
        self._number = max([self._number, *(_number(path) for path in self._folder.iterdir())]) + 1
        path, before = self._folder / f"generation-{self._number:06}.pem", self._named_by_current()
        try:
            write_private(path, generation_file(private_pem(key), chain, renewal_start, renewal_end))
            generation = _read_back(path)
            write_private(self._current, f"{path.name}\n".encode())
        except OSError:
            self._take_back(path, before)
            raise
        self.generation = generation
        self._tidy_up()
        self._taken_down()
        return generation

    def _taken_down(self) -> StoredCertificate:
        """Take down what is stored now."""
        usable = self.generation.installed if self.generation else None
        self.stored = StoredCertificate(usable=usable, damage=self._known_damage())
        return self.stored

    def _take_back(self, path: Path, before: Path | None) -> None:
        """Leave nothing of a generation that is not known to be on the disk; its number is not used again (F-04)."""
        if self._named_by_current() == path:
            try:
                if before is None:
                    self._current.unlink()
                    sync_directory(self._folder)
                else:
                    write_private(self._current, f"{before.name}\n".encode())
            except OSError:
                return  # It is whole, and a pointer to it is better than a pointer to nothing.
        self._forget(path)

    def _tidy_up(self) -> None:
        """Forget what the installed generation replaces; that it fails says nothing against the new one."""
        self._forget(self._damage)
        self._forget(self._pending)
        with contextlib.suppress(OSError):
            for older in self._newest_first()[1 + _OLDER_KEPT :]:
                self._forget(older)
            sync_directory(self._folder)

    def _named_by_current(self) -> Path | None:
        try:
            name = read_limited(self._current, 100).decode("ascii", "replace").strip()
        except OSError:
            return None
        # Only a name of a generation is followed: never a path that leads out of the folder (F-10).
        return self._folder / name if _GENERATION.fullmatch(name) else None

    def _newest_first(self) -> list[Path]:
        found = [path for path in self._listed() if _GENERATION.fullmatch(path.name)]
        return sorted(found, key=_number, reverse=True)

    def _listed(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError as error:
            log.error("the folder of the certificates cannot be read", detail=str(error))
            return []

    def _set_aside(self, path: Path, damaged: Damaged) -> None:
        log.error("a stored certificate cannot be used", file=path.name, cause=damaged.cause, detail=str(damaged))
        with contextlib.suppress(OSError):
            write_private(self._damage, damaged.cause.encode())
        aside = [p for p in self._listed() if p.name.startswith("set-aside-generation-")]
        for old in sorted(aside, key=lambda p: p.name)[: max(0, len(aside) - _SET_ASIDE_KEPT + 1)]:
            self._forget(old)
        with contextlib.suppress(OSError):
            close_to_others(path)
        with contextlib.suppress(OSError):
            path.replace(self._folder / f"set-aside-{path.name}")

    def _known_damage(self) -> str | None:
        try:
            cause = read_limited(self._damage, 100).decode("ascii", "replace")
        except FileNotFoundError:
            return None
        except OSError:
            return "damaged"
        return cause if cause in _CAUSES else "damaged"

    @staticmethod
    def _forget(path: Path) -> None:
        # A key that is not needed any more is overwritten too, so that a reset leaves none behind (S-15).
        with contextlib.suppress(OSError):
            erase(path)


def _number(path: Path) -> int:
    found = _GENERATION.fullmatch(path.name)
    return int(found.group(1)) if found else 0


def _read_back(path: Path) -> Generation:
    """Read what was just written. Raises OSError when it did not become what it should be."""
    try:
        return read_generation(path)
    except Damaged as damaged:
        raise OSError(errno.EIO, f"{path.name} cannot be read back: {damaged}") from damaged


def generation_file(
    key_pem: bytes, chain: Sequence[x509.Certificate], renewal_start: datetime, renewal_end: datetime
) -> bytes:
    """Write the content of a generation: checksum, renewal window, key, chain."""
    rest = f"renewal: {to_text(renewal_start)} {to_text(renewal_end)}\n".encode() + key_pem
    rest += b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    return f"sha-256: {sha256(rest).hexdigest()}\n".encode() + rest


def read_generation(path: Path) -> Generation:
    """Read a generation completely and check that its parts agree. Raises Damaged."""
    try:
        if not path.is_file():
            raise Damaged("damaged", "the file is missing")
        if is_open_to_others(path):
            raise Damaged("open-to-others", "the file can be read by other accounts")
        content = read_limited(path, _FILE_LIMIT)
    except FileTooLarge as error:
        raise Damaged("damaged", str(error)) from error
    except OSError as error:
        raise Damaged("unreadable", str(error)) from error
    parts = _FILE.fullmatch(content)
    if parts is None:
        raise Damaged("damaged", "the file is not a key followed by certificates")
    checksum, start, end, key_pem, chain_pem = parts.groups()
    generation = _understood(path, start, end, key_pem, chain_pem)
    if sha256(content[parts.start(2) - len("renewal: ") :]).hexdigest().encode() != checksum:
        raise Damaged("damaged", "the checksum does not match")
    return generation


def _understood(path: Path, start: bytes, end: bytes, key_pem: bytes, chain_pem: bytes) -> Generation:
    try:
        renewal = from_text(start.decode()), from_text(end.decode())
        key = serialization.load_pem_private_key(key_pem, password=None)
        chain = read_chain(chain_pem)
        facts = facts_of(chain[0])
        own, certified = public_bytes(key.public_key()), public_bytes(chain[0].public_key())  # type: ignore[arg-type]
    except (NotAChain, *UNREADABLE) as error:
        raise Damaged("damaged", "the key or a certificate cannot be read") from error
    if own != certified:
        raise Damaged("key-mismatch", "the key belongs to another certificate")
    installed = InstalledCertificate(facts=facts, renewal_start=renewal[0], renewal_end=renewal[1])
    return Generation(path=path, installed=installed, chain=chain)
