"""The credential of a database: contract and database UUID together, and the token that carries it to a box.

The credential starts an enrolment and nothing more: afterwards every request is signed by the box's identity key.
Both halves are secrets; they show themselves to the wire and to the private file only.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from lancert.kit.language import N_
from lancert.kit.secret import Secret

_CONTRACT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{1,62}[A-Za-z0-9])")
_DATABASE_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_TOKEN_PREFIX = "lct1."  # noqa: S105 - marks a token, is none
_TOKEN_LIMIT = 2000


class NotACredential(ValueError):
    """A contract or database UUID is not written as one; the text says how it is."""


class NotAToken(ValueError):
    """A text is not a connection token; the text says what to do."""


def parse_contract(text: str) -> Secret:
    """Read a contract code: 3 to 64 letters, digits and ``. _ / -``. Raises NotACredential."""
    if not _CONTRACT.fullmatch(text.strip()):
        raise NotACredential(N_("A contract is 3 to 64 letters and digits, with . _ / or - between them."))
    return Secret(text.strip())


def parse_database_uuid(text: str) -> Secret:
    """Read a database UUID in the usual spelling with hyphens (RFC 9562, section 4). Raises NotACredential."""
    lowered = text.strip().lower()
    if not _DATABASE_UUID.fullmatch(lowered):
        raise NotACredential(
            N_(
                "A database UUID is 32 letters a-f and digits in groups of 8-4-4-4-12, such as "
                "0f8fad5b-d9cb-469f-a165-70867728950e."
            )
        )
    return Secret(lowered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a box has of its credential; either half may still be missing."""

    contract: Secret | None = None
    database: Secret | None = None

    @property
    def is_complete(self) -> bool:
        """Say whether both halves are there."""
        return self.contract is not None and self.database is not None

    @property
    def missing(self) -> tuple[str, ...]:
        """Name the halves that are missing: ``contract``, ``database``."""
        return tuple(name for name in ("contract", "database") if getattr(self, name) is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionToken:
    """All that connects a box, in one text: the server, the fingerprint of its root, the credential."""

    server: str
    root_fingerprint: str | None
    contract: Secret
    database: Secret

    def write(self) -> Secret:
        """Give the token as text: ``lct1.`` and base64url (RFC 4648, section 5) without padding."""
        parts = {
            "s": self.server,
            "r": self.root_fingerprint,
            "c": self.contract.reveal(),
            "d": self.database.reveal(),
        }
        compact = json.dumps(parts, separators=(",", ":")).encode()
        return Secret(_TOKEN_PREFIX + urlsafe_b64encode(compact).decode().rstrip("="))


def parse_token(text: str) -> ConnectionToken:
    """Read a connection token. Raises NotAToken."""
    written = "".join(text.split())
    if not written.startswith(_TOKEN_PREFIX) or len(written) > _TOKEN_LIMIT:
        raise NotAToken(N_("A connection token begins with lct1. and is one long word; copy the whole of it."))
    encoded = written.removeprefix(_TOKEN_PREFIX)
    try:
        parts = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        server, root, contract, database = (parts.pop(name) for name in "srcd")
        if parts or not isinstance(server, str) or not (root is None or _FINGERPRINT.fullmatch(root)):
            raise ValueError("unexpected content")
        return ConnectionToken(
            server=server,
            root_fingerprint=root,
            contract=parse_contract(contract),
            database=parse_database_uuid(database),
        )
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotAToken(N_("The connection token is damaged or incomplete; copy the whole of it again.")) from error


def parse_fingerprint(text: str) -> str:
    """Read the SHA-256 fingerprint of a certificate, with or without colons. Raises NotAToken."""
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if not _FINGERPRINT.fullmatch(plain):
        raise NotAToken(N_("A root fingerprint is 64 hexadecimal digits (SHA-256), with or without colons."))
    return plain
