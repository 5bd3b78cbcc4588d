"""A root, an issuing authority that may sign below one zone, and a chain that is ours."""

from dataclasses import dataclass

import pytest
from cryptography import x509
from tests.peers.authority import Key, Signer, make_issuing, make_leaf, make_root, new_key, public_der

from lancert.protocol.names import Label, Zone, certificate_names

NAMES = certificate_names(Label("k3v7q2m4x5a6b7c2"), Zone("iot.example.com"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Everything a chain is checked against, and a chain that passes."""

    root: Signer
    issuing: Signer
    key: Key
    chain: tuple[x509.Certificate, ...]

    @property
    def public_key(self) -> bytes:
        """Give the public key as SubjectPublicKeyInfo."""
        return public_der(self.key)


@pytest.fixture(scope="session")
def ours() -> Ours:
    """A root with name constraints below it, and our own key."""
    root = make_root()
    issuing = make_issuing(root, permitted=["iot.example.com"])
    key = new_key()
    leaf = make_leaf(issuing, NAMES, key.public_key())
    return Ours(root=root, issuing=issuing, key=key, chain=(leaf, issuing.certificate))
