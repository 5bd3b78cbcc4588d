"""What is handed over: the key and the chain of the generation in use, as each kind of file wants them."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lancert.box.deploy.targets import Part
from lancert.box.store import Damaged, Generation, read_generation
from lancert.kit.files import read_limited

GENERATION = b"@GENERATION@"
"""Stands for the folder of the generation in what is written to it."""

BESIDE_NGINX = {Part.FULL_CHAIN: "nginx-full-chain.pem", Part.KEY: "nginx-key.pem"}
"""What a file for nginx names, and how it is called in the generation."""

_NGINX = b"".join(
    b"%s %s/%s;\n" % (directive, GENERATION, BESIDE_NGINX[part].encode())
    for directive, part in ((b"ssl_certificate", Part.FULL_CHAIN), (b"ssl_certificate_key", Part.KEY))
)
_LIMIT = 65_536
_KEY = b"-----BEGIN PRIVATE KEY-----"
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Key and chain in PEM, leaf first, and what is asked about them. ``repr`` does not show the key."""

    key: bytes
    chain: tuple[bytes, ...]
    shown: tuple[bytes, ...]
    """The chain in DER, as a client sees it."""

    fingerprint: str
    server_name: str

    def __repr__(self) -> str:
        """Name it by its fingerprint."""
        return f"Material({self.fingerprint})"

    def content(self, part: Part) -> bytes:
        """Give what a file holds."""
        leaf, rest = self.chain[0], b"".join(self.chain[1:])
        match part:
            case Part.CERTIFICATE:
                return leaf
            case Part.KEY:
                return self.key
            case Part.CHAIN:
                return rest
            case Part.FULL_CHAIN:
                return leaf + rest
            case Part.COMBINED:
                return leaf + rest + self.key
            case Part.NGINX:
                return _NGINX


def material_of(generation: Generation) -> Material:
    """Read what is to be handed over out of the store's file. Raises OSError or Damaged."""
    whole = read_generation(generation.path)
    written = read_limited(generation.path, _LIMIT)
    key, mark, _ = written[written.index(_KEY) :].partition(_CERTIFICATE)
    if not mark or whole.installed.facts.fingerprint != generation.installed.facts.fingerprint:
        raise Damaged("damaged", "the file is not the one that was installed")
    names = whole.installed.facts.names
    return Material(
        key=key,
        chain=tuple(one.public_bytes(serialization.Encoding.PEM) for one in whole.chain),
        shown=tuple(one.public_bytes(serialization.Encoding.DER) for one in whole.chain),
        fingerprint=whole.installed.facts.fingerprint,
        server_name=next((name for name in names if not name.startswith("*")), names[0] if names else ""),
    )


def is_usable(contents: bytes, now: datetime) -> bool:
    """Say whether the first certificate in a file is valid at this moment."""
    begin = contents.find(_CERTIFICATE)
    try:
        leaf = x509.load_pem_x509_certificate(contents[begin:] if begin >= 0 else b"")
        return leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc
    except ValueError:
        return False
