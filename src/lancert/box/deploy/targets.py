"""Whom a certificate is handed over to: one ``Target`` for each ``[[deploy]]`` table of ``box.toml``.

Values only: reading the tables is for ``reading``, judging what lies on the disk for ``places``.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Part(StrEnum):
    """What a file can hold; the value is its name in the settings."""

    CERTIFICATE = "certificate"
    """The certificate of the box alone."""

    KEY = "key"
    """The private key."""

    CHAIN = "chain"
    """The certificates between the one of the box and the root."""

    FULL_CHAIN = "full_chain"
    """Certificate and chain, which is what most servers want."""

    COMBINED = "combined"
    """Certificate, chain and key, as HAProxy wants them."""

    NGINX = "nginx"
    """Two lines of nginx's language, which name full chain and key of one generation."""

    @property
    def holds_key(self) -> bool:
        """Say whether such a file is secret."""
        return self in (Part.KEY, Part.COMBINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that makes the target read its files again: an argument list, never a shell's line (S-12)."""

    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal for the process whose number stands in a file; ``name`` is HUP, USR1 or USR2."""

    name: str
    pid_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A file that asks for a reload; whoever may reload the target, such as a systemd path unit, takes it away.

    How that ended may be told in ``result``: ``success``, or a word for what failed.
    """

    file: Path

    @property
    def result(self) -> Path:
        """Give the file in which the result is told."""
        return self.file.with_name(f"{self.file.name}.result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Where the target serves; ``server_name`` is what a client asks for, by default a name of the certificate."""

    host: str
    port: int
    server_name: str | None = None

    @property
    def address(self) -> str:
        """Give host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A program and what it needs. ``mode`` is for files that hold the key; ``timeout`` is seconds for each step."""

    name: str
    files: tuple[tuple[Part, Path], ...]
    owner: str | None = None
    group: str | None = None
    mode: int = 0o600
    reload: Command | Signal | Request | None = None
    verify: Verify | None = None
    timeout: float = 30.0

    @property
    def folder(self) -> Path:
        """Give the folder all its files lie in."""
        return self.files[0][1].parent

    @property
    def home(self) -> Path:
        """Give the folder of its generations, beside the files."""
        return self.folder / f".{self.name}.lancert"

    @property
    def request(self) -> Path | None:
        """Give the file that asks for a reload, if there is one."""
        return self.reload.file if isinstance(self.reload, Request) else None

    @property
    def mark(self) -> str:
        """Give a value that differs when anything of it was changed in the settings."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]
