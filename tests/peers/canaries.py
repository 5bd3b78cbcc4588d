"""Canaries: secrets planted on a box, and a search that finds one in any spelling in which it could leave.

The search knows nothing of the redaction: it spells each canary itself, plain, quoted, escaped, in hexadecimal and in
base64 at each offset, and looks also where line ends and escaped line ends were taken away.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ENDS = re.compile(rb"\\+[nr]|\s|%0[AaDd]")


def spelt(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the ways to write some bytes, each with its name; what is shared with the bytes around is left out."""
    yield "plain", value
    yield "hex", value.hex().encode()
    for encode, name in ((b64encode, "base64"), (urlsafe_b64encode, "base64url")):
        for offset, first in enumerate((0, 2, 3)):
            core = encode(bytes(offset) + value).rstrip(b"=")[first:]
            yield f"{name} at {offset}", core[: len(core) // 4 * 4 - 4] if len(core) > 12 else core[:-1]
    if value.isascii():
        text = value.decode()
        yield "URL", quote(text, safe="").encode()
        yield "form", quote_plus(text).encode()
        yield "JSON", json.dumps(text)[1:-1].encode()
        yield "JSON in JSON", json.dumps(json.dumps(text)[1:-1])[1:-1].encode()
        yield "repr", repr(text)[1:-1].encode()


def found(canaries: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """Say which canary stands in which place, in which spelling."""
    seen = []
    for place, content in places.items():
        looked_at = (content.lower(), _ENDS.sub(b"", content).lower())
        for name, value in canaries.items():
            for spelling, written in spelt(value):
                if any(written.lower() in one or _ENDS.sub(b"", written).lower() in one for one in looked_at):
                    seen.append(f"{name}, {spelling}, in {place}")
    return seen


def of_key(name: str, file: Path) -> dict[str, bytes]:
    """Give what is secret of the private key in a file: its lines, its DER, the number or seed itself."""
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | Ed25519PrivateKey)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    if isinstance(key, Ed25519PrivateKey):
        bare = key.private_bytes_raw()
    else:
        bare = key.private_numbers().private_value.to_bytes(32, "big")
    return {f"{name}: bare": bare, f"{name}: DER": der, f"{name}: line": b64encode(der)[24:64]}
