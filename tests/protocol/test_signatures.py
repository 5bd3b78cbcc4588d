"""Signed requests: what is covered, what is refused, and that a foreign library agrees in both directions."""

import hashlib
from base64 import b64encode, urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import ED25519
from http_message_signatures.structures import PreparedSignature
from hypothesis import given
from hypothesis import strategies as st

from lancert.protocol.signatures import (
    TAG,
    NotSigned,
    content_digest,
    identity_of,
    is_identity,
    sign,
    verify,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AUTHORITY, PATH, BODY = "service.lancert.localhost:8443", "/api/v1/reports", b'{"counter":{"boot":1,"count":1}}'
URL = f"https://{AUTHORITY}{PATH}"


@dataclass
class Message:
    """A request as the foreign library wants it."""

    method: str = "POST"
    url: str = URL
    headers: dict[str, str] = field(default_factory=dict)


class OurKeys(HTTPSignatureKeyResolver):
    """The key of an identity is the identity itself."""

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        """Read the key out of its name."""
        return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(key_id + "="))

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        """There is one."""
        return KEY


def signed(**other: Any) -> dict[str, str]:
    """The headers of an honest request."""
    return sign(**{"key": KEY, "method": "POST", "authority": AUTHORITY, "path": PATH, "body": BODY, **other})


def verified(headers: dict[str, str], **other: Any) -> str:
    """Verify an honest request, or one that differs."""
    request = {"method": "POST", "authority": AUTHORITY, "path": PATH, "body": BODY, **other}
    return verify(headers=headers, **request)


def test_what_was_signed_verifies_and_names_who_signed() -> None:
    """The identity is the key itself, so nothing has to be looked up (S-50)."""
    assert verified(signed()) == identity_of(KEY) == identity_of(KEY.public_key())


def test_the_case_of_the_host_does_not_matter() -> None:
    """A host name has no case (RFC 9421, 2.2.3)."""
    assert verified(signed(authority=AUTHORITY.upper())) == identity_of(KEY)


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PUT"},
        {"authority": "other.example"},
        {"authority": "service.lancert.localhost"},
        {"path": "/api/v1/certificates"},
        {"path": PATH + "/"},
        {"body": BODY + b" "},
        {"body": b""},
    ],
)
def test_a_request_that_differs_does_not_verify(other: dict[str, Any]) -> None:
    """Method, host with port, path and every byte of the body are covered (S-50, F-59)."""
    with pytest.raises(NotSigned):
        verified(signed(), **other)


@pytest.mark.parametrize(
    ("header", "change"),
    [
        ("signature", lambda text: ""),
        ("signature", lambda text: text.replace("sig1", "sig2")),
        ("signature", lambda text: text[:-2] + ":"),
        ("signature", lambda text: text + ", sig2=:AAAA:"),
        ("signature", lambda text: text.replace("sig1=:", "sig1=:A")),
        ("signature-input", lambda text: ""),
        ("signature-input", lambda text: text.replace("ed25519", "hmac-sha256")),
        ("signature-input", lambda text: text.replace(TAG, "another-tag")),
        ("signature-input", lambda text: text.replace(' "content-digest"', "")),
        ("signature-input", lambda text: text.replace('"@method" ', "")),
        ("signature-input", lambda text: text.replace('"@method" "@authority"', '"@authority" "@method"')),
        ("signature-input", lambda text: text + ";created=1700000000"),
        ("signature-input", lambda text: text.replace(";alg", "; alg")),
        ("signature-input", lambda text: text + "\n"),
        ("content-digest", lambda text: ""),
        ("content-digest", lambda text: text.replace("sha-256", "sha-512")),
        ("content-digest", lambda text: text + ", sha-512=:AAAA:"),
        ("content-digest", lambda text: content_digest(b"other")),
    ],
)
def test_there_is_one_spelling_and_nothing_to_negotiate(header: str, change: Any) -> None:
    """Another algorithm, fewer components, another order, more parameters: all refused."""
    headers = signed()

    with pytest.raises(NotSigned):
        verified({**headers, header: change(headers[header])})


def test_somebody_else_cannot_sign_in_the_name_of_an_identity() -> None:
    """The keyid is covered by the signature and is the key that verifies it."""
    other = Ed25519PrivateKey.generate()
    forged = signed(key=other)
    forged["signature-input"] = forged["signature-input"].replace(identity_of(other), identity_of(KEY))

    with pytest.raises(NotSigned):
        verified(forged)


def test_an_identity_has_one_spelling() -> None:
    """The last character has two spare bits; only one of the four spellings is an identity."""
    identity = identity_of(KEY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = [identity[:-1] + sign for sign in alphabet if is_identity(identity[:-1] + sign)]

    assert identity in same
    assert len(same) == 16
    assert not is_identity(identity + "=")
    assert not is_identity(identity[:-1])
    assert not is_identity(identity + "\n")


@given(st.binary(max_size=300), st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_no_header_makes_the_verifier_fail(body: bytes, signature: str, signature_input: str, digest: str) -> None:
    """Whatever is sent: NotSigned, and nothing else."""
    headers = {"signature": signature, "signature-input": signature_input, "content-digest": digest}

    with pytest.raises(NotSigned):
        verify(headers=headers, method="POST", authority=AUTHORITY, path=PATH, body=body)


def test_the_digest_is_the_one_of_the_standard() -> None:
    """RFC 9530: the SHA-256 of the body, as a byte sequence."""
    assert content_digest(b"{}") == f"sha-256=:{b64encode(hashlib.sha256(b'{}').digest()).decode()}:"


def foreign_verifier() -> HTTPMessageVerifier:
    """The verifier of the foreign library."""
    verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=OurKeys())
    verifier.require_created = False
    return verifier


def test_a_foreign_library_verifies_our_signature() -> None:
    """What we sign is RFC 9421 to others: base, parameters, digest."""
    (result,) = foreign_verifier().verify(
        Message(headers=signed()),
        max_age=None,
        expect_tag=TAG,
        require_components=("@method", "@authority", "@path", "content-digest"),
        body=BODY,
    )

    assert result.parameters == {"keyid": identity_of(KEY), "alg": "ed25519", "tag": TAG}


@pytest.mark.parametrize(
    "message",
    [
        Message(headers=signed(), url=URL + "x"),
        Message(headers=signed(), url=URL.replace("service", "other")),
        Message(headers=signed(), method="PUT"),
        Message(headers=signed(body=b"other")),
    ],
    ids=["path", "host", "method", "body"],
)
def test_a_foreign_library_refuses_what_we_refuse(message: Message) -> None:
    """The control of the test above: it does look."""
    with pytest.raises(InvalidSignature):
        foreign_verifier().verify(message, max_age=None, expect_tag=TAG, body=BODY)


def test_we_verify_the_signature_of_a_foreign_library() -> None:
    """It builds the signature base itself and refuses ours where they differ; its headers are read by us."""
    message = Message(headers={"content-digest": content_digest(BODY)})
    parameters = (
        f'("@method" "@authority" "@path" "content-digest");keyid="{identity_of(KEY)}";alg="ed25519";tag="{TAG}"'
    )
    base = (
        f'"@method": POST\n"@authority": {AUTHORITY}\n"@path": {PATH}\n'
        f'"content-digest": {content_digest(BODY)}\n"@signature-params": {parameters}'
    ).encode()
    signer = HTTPMessageSigner(signature_algorithm=ED25519)
    prepared = PreparedSignature(base, parameters, "sig1", "ed25519")
    signer.apply(message, prepared, KEY.sign(base))

    assert verified({name.lower(): value for name, value in message.headers.items()}) == identity_of(KEY)
