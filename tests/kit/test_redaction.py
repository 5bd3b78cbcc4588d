"""Redaction: what is secret goes, in any spelling; what helps to find a cause stays."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lancert.kit.redaction import keep_out, redact
from lancert.kit.secret import Secret

CONTRACT = "M26/1120-Canary.77"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

SPELLINGS: dict[str, Callable[[bytes], str]] = {
    "plain": bytes.decode,
    "capitals": lambda raw: raw.decode().upper(),
    "repr": lambda raw: repr(raw.decode()),
    "JSON": lambda raw: json.dumps({"x": raw.decode()}),
    "JSON in JSON": lambda raw: json.dumps(json.dumps(raw.decode())),
    "URL": lambda raw: quote(raw.decode(), safe=""),
    "form": lambda raw: quote_plus(raw.decode()),
    "hex": bytes.hex,
    "HEX": lambda raw: raw.hex().upper(),
    "base64": lambda raw: b64encode(raw).decode(),
    "base64, one on": lambda raw: b64encode(b"x" + raw).decode(),
    "base64, two on": lambda raw: b64encode(b"xy" + raw + b"z").decode(),
    "base64url": lambda raw: urlsafe_b64encode(b"{" + raw + b"}").decode(),
}


@pytest.fixture
def _kept_out() -> Iterator[None]:
    """Name what this box holds."""
    keep_out([Secret(CONTRACT), Secret(UUID)])
    yield
    keep_out([])


def _pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, form: serialization.PrivateFormat) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _der(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


CERTIFYING, IDENTITY = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
KEYS = {
    "of a certificate": _pem(CERTIFYING, serialization.PrivateFormat.PKCS8),
    "of a certificate, old form": _pem(CERTIFYING, serialization.PrivateFormat.TraditionalOpenSSL),
    "of the identity": _pem(IDENTITY, serialization.PrivateFormat.PKCS8),
}


@pytest.mark.usefixtures("_kept_out")
@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("value", [CONTRACT, UUID])
def test_what_this_box_holds_goes_in_every_spelling(value: str, spell: Callable[[bytes], str]) -> None:
    """S-95: a contract has no shape of its own, so its values are looked for, encoded too."""
    told = redact(f"before {spell(value.encode())} after")

    assert told.startswith("before ")
    assert told.endswith(" after")
    assert "••••" in told
    for canary in (value, value.upper(), value.encode().hex(), b64encode(value.encode()).decode()[4:-4]):
        assert canary not in told


@pytest.mark.parametrize("spell", [one for name, one in SPELLINGS.items() if name != "capitals" and "on" not in name])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_no_private_key_stays_in_any_spelling(key: bytes, spell: Callable[[bytes], str]) -> None:
    """S-05, S-95: not as PEM in an exception, in a URL, in hexadecimal or in base64."""
    written = spell(key)
    middle = "".join(key.decode().splitlines()[1:-1])[20:60]

    told = redact(f"before {written}")
    assert middle not in told
    assert middle.encode().hex() not in told.lower()
    assert written[60:90] not in told
    assert told.startswith("before")


@pytest.mark.parametrize("key", [CERTIFYING, IDENTITY], ids=["of a certificate", "of the identity"])
@pytest.mark.parametrize("spell", [bytes.hex, lambda raw: b64encode(raw).decode()], ids=["hex", "base64"])
def test_no_bare_key_stays(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, spell: Callable[[bytes], str]) -> None:
    """S-05: a key without its armour is known by how it begins."""
    assert redact(f"key {spell(_der(key))}") == "key ••••"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("proxy http://shop:s3cr3t@192.168.1.3:3128 failed", "proxy http://••••@192.168.1.3:3128 failed"),
        ("HTTPS_PROXY=https://u:p%40ss@proxy", "HTTPS_PROXY=https://••••@proxy"),
        ("http://token@proxy/", "http://••••@proxy/"),
        ("http://u:p@ss@proxy/", "http://••••@proxy/"),
        ("Proxy-Authorization: Basic c2hvcDpzM2NyM3Q=\r\nHost: a", "Proxy-Authorization: Basic ••••\r\nHost: a"),
        ("{'authorization': 'Bearer abc.def-1'}", "{'authorization': 'Bearer ••••'}"),
        ('{"Authorization": "s3cr3t"}', '{"Authorization": "••••"}'),
        ("sent basic c2hvcDpzM2NyM3Q=", "sent basic ••••"),
        ("Its PIN, shown only now: 482 915 7306", "Its PIN, shown only now: 482 915 7306"),
        ("pin=4829157306", "pin=••••"),
        ("PIN: 482 915 7306.", "PIN: ••••."),
        ("connect LCT1.eyJzIjoiaHR0cHM6", "connect ••••"),
    ],
)
def test_what_stands_behind_a_word(written: str, told: str) -> None:
    """S-95: passwords in URLs, authorization headers, a PIN behind its name, tokens."""
    assert redact(written) == told


@pytest.mark.usefixtures("_kept_out")
@pytest.mark.parametrize(
    "text",
    [
        "https://192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com:8443/cogs?a=b@c",
        "no answer within 15 s from 2001:db8::1",
        "basic constraints: not an authority; bearer of bad news",
        "AUTHORIZATION is asked for by the proxy",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "-----BEGIN CERTIFICATE-----\nMIIBtest\n-----END CERTIFICATE-----",
        "0f8fad5b-d9cb is half of one; lct1 is a prefix; 2026-11-20T09:30:00+00:00",
        "boot 1795253400 count 3",
        "mail to somebody@example.com",
    ],
)
def test_what_helps_to_find_a_cause_stays(text: str) -> None:
    """Addresses, names, fingerprints, moments and ordinary sentences are not touched."""
    assert redact(text) == text


def test_a_value_that_is_too_short_is_not_looked_for() -> None:
    """A contract of three letters would take words out of every line; such values are kept out by not being written."""
    keep_out([Secret("box")])
    try:
        assert redact("the box was started") == "the box was started"
    finally:
        keep_out([])


@given(text=st.text(max_size=400))
def test_any_text_is_read_to_its_end(text: str) -> None:
    """Nothing that can be written breaks it, and what was redacted stays redacted."""
    once = redact(text)

    assert redact(once) == once
