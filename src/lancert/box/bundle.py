"""Everything that helps somebody else find a cause, in one zip file that may be sent around: no secret is in it.

What is collected is written out here, fact by fact; nothing is taken because it happens to lie there (S-35, S-95). Of
the credential it says that it is set, of a key the fingerprint of its public half, of every other file its name, size
and rights. Everything written passes the redaction on its way all the same.
"""

import contextlib
import io
import json
import platform
import shutil
import ssl
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lancert import __version__
from lancert.box.diagnosis.result import Finding
from lancert.box.facts import BoxFacts
from lancert.box.folder import Folder
from lancert.box.hops import Unreachable
from lancert.box.proxies import Proxies
from lancert.box.settings import read_settings
from lancert.box.status import status_document
from lancert.kit.clock import to_text
from lancert.kit.files import read_limited
from lancert.kit.logs import lines_of, log_files
from lancert.kit.redaction import keep_out, redact
from lancert.protocol.certificate import UNREADABLE, public_bytes

FILE_NAME = "lancert-box-logs.zip"

_FOLDER = "lancert-box-logs"
_LIBRARIES = (
    *("cryptography", "starlette", "uvicorn", "h11", "jinja2"),
    *("httpx2", "truststore", "ifaddr", "segno", "click"),
)
_SETTINGS = ("http_port", "https_port", "listen", "address", "name", "kind", "maintenance", "public_resolver")
"""What is told of the settings; ``proxy`` may hold a password and ``deploy`` a command with one."""

_FILE_LIMIT = 131_072
_MOST_FILES = 500
_README = """What an IoT system knows about itself, to find out why its HTTPS does not work as it should.

status.json     what /status.json of its homepage says
doctor.txt      what each check of the doctor found
versions.json   the program, its libraries, the system, the disk and the clock
settings.json   how it is set up; of the contract and the database UUID only whether they are there
folder.json     the files of its folder: names, sizes, rights, fingerprints of certificates and public keys
log/            the log and the older logs, one event a line

No private key, no contract, no database UUID, no PIN and no password is in here.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the bundle tells besides what lies in the folder; ``findings`` is None when the doctor had no time.

    ``status`` is what a running agent said, which knows more than the folder.
    """

    facts: BoxFacts
    now: datetime
    findings: Sequence[Finding] | None
    status: Mapping[str, Any] | None = None
    proxies: Proxies = field(default_factory=Proxies)


def make_bundle(folder: Folder, told: Told) -> bytes:
    """Give the zip file; reads the disk, a second or two on a small board."""
    credential = folder.credential()
    keep_out(half for half in (credential.contract, credential.database) if half is not None)
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as bundle:
        for name, pieces in _texts(folder, told):
            about = ZipInfo(f"{_FOLDER}/{name}", told.now.astimezone(UTC).timetuple()[:6])
            about.external_attr = (stat.S_IFREG | 0o600) << 16
            about.compress_type = ZIP_DEFLATED
            with bundle.open(about, "w") as file:
                for piece in pieces:
                    file.write(redact(piece).encode("utf-8", errors="replace"))
    return written.getvalue()


def _texts(folder: Folder, told: Told) -> Iterator[tuple[str, Iterable[str]]]:
    """Give the files by name, in pieces, so that five megabytes of log are never in memory at once."""
    yield "README.txt", (_README,)
    yield "status.json", (_json(told.status or status_document(told.facts, told.now, str)),)
    yield "doctor.txt", (_doctor(told.findings),)
    yield "versions.json", (_json(_versions(folder, told.now)),)
    yield "settings.json", (_json(_settings(folder, told)),)
    yield "folder.json", (_json(inventory(folder.path)),)
    for file in log_files(folder.log_file):
        yield f"log/{file.name}", lines_of(file)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def _doctor(findings: Sequence[Finding] | None) -> str:
    if findings is None:
        return "The doctor did not come to an end in time.\n"
    lines = [
        line
        for finding in findings
        for line in (
            f"{finding.verdict.value:<10} {finding.check}: {finding.words(str)}",
            *(f"{'':<10}   -> {step}" for step in finding.steps(str)),
        )
    ]
    return "".join(f"{line}\n" for line in lines)


def _versions(folder: Folder, now: datetime) -> dict[str, object]:
    disk = shutil.disk_usage(folder.path)
    return {
        "lancert": __version__,
        "python": sys.version,
        "openssl": ssl.OPENSSL_VERSION,
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "system": {name: getattr(platform, name)() for name in ("system", "release", "version", "machine")},
        "disk": {"bytes": disk.total, "free": disk.free},
        "time": {"of_the_machine": to_text(datetime.now(UTC)), "gone_by": to_text(now)},
    }


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _settings(folder: Folder, told: Told) -> dict[str, object]:
    facts, read = told.facts, read_settings(folder.path, _SETTINGS)
    return {
        "kind": facts.kind.value,
        "ports": {"http": facts.ports.http, "https": facts.ports.https},
        "addresses": [str(address) for address in facts.addresses],
        "server": facts.server.url if facts.server else None,
        "root_fingerprint": facts.server.root_fingerprint if facts.server else None,
        "credential": {
            "contract": "set" if facts.credential.contract else "missing",
            "database_uuid": "set" if facts.credential.database else "missing",
        },
        "enrolment": None
        if facts.enrolment is None
        else {"box": facts.enrolment.box, "label": facts.enrolment.label, "zone": facts.enrolment.zone},
        "log_level": facts.log_level,
        "set": {name: value for name, value in read.values.items() if name in _SETTINGS},
        "notices": [notice.document(str) for notice in read.notices],
        "proxy": _proxy(told),
    }


def _proxy(told: Told) -> str | None:
    """Name the proxy that the way to the server leads through: host and port, and never an account."""
    server = told.facts.server
    if server is None:
        return None
    try:
        proxy = told.proxies.proxy_for(server.host, server.port)
    except Unreachable:
        return "cannot be used"
    return None if proxy is None else proxy.name


def inventory(folder: Path) -> list[dict[str, object]]:
    """List what lies in a folder: path, kind, size, rights, moment of the last change, fingerprints."""
    found: list[dict[str, object]] = []
    for path in _walk(folder, 3):
        if len(found) == _MOST_FILES:
            break
        with contextlib.suppress(OSError):
            found.append(_entry(path, path.relative_to(folder).as_posix()))
    return found


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            yield path
            if depth > 1 and path.is_dir() and not path.is_symlink():
                yield from _walk(path, depth - 1)


def _entry(path: Path, name: str) -> dict[str, object]:
    about = path.lstat()
    entry: dict[str, object] = {
        "path": name,
        "mode": stat.filemode(about.st_mode),
        "owner": about.st_uid,
        "bytes": about.st_size,
        "changed": to_text(datetime.fromtimestamp(about.st_mtime, UTC)),
    }
    if stat.S_ISREG(about.st_mode) and path.suffix == ".pem":
        with contextlib.suppress(OSError):
            entry |= _fingerprints(read_limited(path, _FILE_LIMIT))
    return entry


def _fingerprints(pem: bytes) -> dict[str, object]:
    """Name the certificates of a file, and the public half of its key, by their SHA-256."""
    named: dict[str, object] = {}
    with contextlib.suppress(*UNREADABLE):
        chain = x509.load_pem_x509_certificates(pem)
        named["certificates"] = [
            {"sha256": one.fingerprint(hashes.SHA256()).hex(), "until": to_text(one.not_valid_after_utc)}
            for one in chain
        ]
    with contextlib.suppress(*UNREADABLE):
        key = serialization.load_pem_private_key(pem, password=None)
        if isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
            named["public_key_sha256"] = sha256(public_bytes(key.public_key())).hexdigest()
    return named
