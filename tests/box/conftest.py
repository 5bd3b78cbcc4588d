"""What the tests of the box share: no proxy from outside, an authority of our own, a peer that serves with it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from tests.peers.authority import Key, Signer, make_issuing, make_leaf, make_root, make_server, new_key, server_file
from tests.peers.https import HttpsPeer

from lancert.box.facts import Server


@pytest.fixture(autouse=True)
def _no_proxy_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine the tests run on says about proxies."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who signs in these tests."""

    root: Signer
    issuing: Signer

    def chain(self, names: tuple[str, ...], key: Key) -> tuple[x509.Certificate, ...]:
        """Sign a chain for a key, leaf first."""
        return (make_leaf(self.issuing, names, key.public_key()), self.issuing.certificate)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A root and an issuing authority for everything under localhost."""
    root = make_root()
    return Authority(root=root, issuing=make_issuing(root, permitted=["localhost"]))


@pytest.fixture(scope="session")
def a_key() -> Key:
    """A key for certificates."""
    return new_key()


@pytest.fixture
def service_file(authority: Authority, tmp_path: Path) -> Path:
    """What service.localhost serves from."""
    server = make_server(authority.issuing, ["service.localhost"])
    return server_file(tmp_path / "service.pem", server, authority.issuing.certificate)


@pytest.fixture
def peer(service_file: Path) -> Iterator[HttpsPeer]:
    """The service's place on the network, with a control panel."""
    with HttpsPeer(service_file) as running:
        yield running


@pytest.fixture
def server(peer: HttpsPeer) -> Server:
    """The address of the peer as a box knows it."""
    return Server(url=f"https://service.localhost:{peer.port}")
