"""The check of request signatures with libsodium: it agrees with the other library, and is stricter."""

from base64 import b64encode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lancert.protocol.signatures import Check, NotSigned, check_ed25519, identity_of, sign, verify
from lancert.service.ed25519 import check_with_libsodium

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CHECKS = pytest.mark.parametrize("check", [check_ed25519, check_with_libsodium])


@CHECKS
@given(body=st.binary(max_size=200), position=st.integers(0, 63), bit=st.integers(0, 7))
def test_both_checks_accept_what_was_signed_and_nothing_else(
    check: Check, body: bytes, position: int, bit: int
) -> None:
    """One flipped bit anywhere in the signature, and it belongs to nothing."""
    public, signature = KEY.public_key().public_bytes_raw(), bytearray(KEY.sign(body))
    assert check(public, bytes(signature), body)

    signature[position] ^= 1 << bit

    assert not check(public, bytes(signature), body)


@CHECKS
@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_size_is_no_key(check: Check, size: int) -> None:
    """Whatever is handed in, the answer is no, and never an error."""
    assert not check(bytes(size), bytes(64), b"")


SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    b"\xff" * 32,
]


@pytest.mark.parametrize("weak", SMALL_ORDER, ids=lambda key: key.hex()[:8])
def test_a_key_for_which_signatures_can_be_made_up_is_refused(weak: bytes) -> None:
    """With a key of small order anybody can sign anything; the service takes none (S-50)."""
    identity = urlsafe_b64encode(weak).decode().rstrip("=")
    headers = sign(key=KEY, method="POST", authority="x", path="/", body=b"{}")
    headers["signature-input"] = headers["signature-input"].replace(identity_of(KEY), identity)

    for signature in (bytes(64), b"\x01" + bytes(63), weak + bytes(32)):
        made_up = {**headers, "signature": f"sig1=:{b64encode(signature).decode()}:"}
        with pytest.raises(NotSigned):
            verify(headers=made_up, method="POST", authority="x", path="/", body=b"{}", check=check_with_libsodium)
