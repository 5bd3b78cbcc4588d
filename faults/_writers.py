"""Ways to put a renewed certificate on a disk: lancert's own, a naive one, and one in the manner of certbot.

Each is a script that marks its stretch with ``os.getppid()`` (see ``tests.peers.killing``), the files it starts from,
and a judge that says what a start afterwards would find: ``old``, ``new``, or ``broken`` and why.
The one in the manner of certbot is written here from the described behaviour (new files beside the old ones, then
each of four links removed and made again, nothing synced); it is not certbot, and shares no code with it.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from tests.peers.authority import TODAY, Key, Signer, key_pem, make_issuing, make_leaf, make_root, new_key, pem

from lancert.box.store import CertificateStore

NAMES = ("*.k3v7q2m4x5a6b7c2.lancert.localhost", "k3v7q2m4x5a6b7c2.lancert.localhost")
WINDOW = {"renewal_start": TODAY, "renewal_end": TODAY + timedelta(days=1)}
FOUR = ("cert", "privkey", "chain", "fullchain")

Chain = tuple[x509.Certificate, ...]

_OURS = """
import os, sys, pathlib
from datetime import UTC, datetime, timedelta
from cryptography import x509
from lancert.box.store import CertificateStore
folder, new = (pathlib.Path(path) for path in sys.argv[1:3])
store = CertificateStore(folder)
store.check()
key = store.pending_key()
chain = x509.load_pem_x509_certificates((new / "chain.pem").read_bytes())
now = datetime.now(UTC)
refused = 0
os.getppid()
try:
    store.install(key, chain, renewal_start=now, renewal_end=now + timedelta(days=1))
except OSError as error:
    refused = error.errno
os.getppid()
served = store.generation.path.name if store.generation else "nothing"
print(refused, served)
"""

_NAIVE = """
import os, sys, pathlib
folder, new = (pathlib.Path(path) for path in sys.argv[1:3])
key, chain = (new / "key.pem").read_bytes(), (new / "chain.pem").read_bytes()
os.getppid()
(folder / "key.pem").write_bytes(key)
(folder / "chain.pem").write_bytes(chain)
os.getppid()
"""

_FOUR_LINKS = """
import os, sys, pathlib
folder, new = (pathlib.Path(path) for path in sys.argv[1:3])
key, chain = (new / "key.pem").read_bytes(), (new / "chain.pem").read_bytes()
leaf, rest = (new / "leaf.pem").read_bytes(), (new / "rest.pem").read_bytes()
os.getppid()
(folder / "archive" / "privkey2.pem").write_bytes(key)
(folder / "archive" / "cert2.pem").write_bytes(leaf)
(folder / "archive" / "chain2.pem").write_bytes(rest)
(folder / "archive" / "fullchain2.pem").write_bytes(chain)
for kind in ("cert", "privkey", "chain", "fullchain"):
    os.unlink(folder / "live" / f"{kind}.pem")
    os.symlink(f"../archive/{kind}2.pem", folder / "live" / f"{kind}.pem")
os.getppid()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A key and its chain."""

    key: Key
    chain: Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """One way of storing: ``lay_out`` makes the old state and the files to install from, and gives its judge."""

    name: str
    script: str
    lay_out: Callable[[Path, Path], Callable[[Path], str]]


def an_authority() -> Signer:
    """Make an authority that signs for these proofs."""
    return make_issuing(make_root())


def a_pair(authority: Signer, key: Key | None = None) -> Pair:
    """Sign a certificate for a key."""
    key = key or new_key()
    return Pair(key=key, chain=(make_leaf(authority, NAMES, key.public_key()), authority.certificate))


def lay_out_ours(folder: Path, new: Path) -> Callable[[Path], str]:
    """Install an old certificate and make the key of the new one wait; what is judged is the store's own start."""
    authority, store = an_authority(), CertificateStore(folder)
    key = store.pending_key()
    old = store.install(key, a_pair(authority, key).chain, **WINDOW).chain
    pending = store.pending_key()
    renewed = a_pair(authority, pending)
    _write(new, renewed)

    def judge(found_in: Path) -> str:
        again = CertificateStore(found_in)
        damage = again.check().damage
        found = again.generation.chain if again.generation else None
        if damage is not None or found not in (old, renewed.chain):
            return f"broken: damage {damage}, {'nothing served' if found is None else 'another served'}"
        if left := [path.name for path in found_in.iterdir() if path.name.startswith(".") or not path.stat().st_size]:
            return f"broken: left {left}"
        if found == old:
            return "old" if key_pem(again.pending_key()) == key_pem(pending) else "broken: the pending key is lost"
        return "new"

    return judge


def reaches_new(folder: Path, new: Path) -> bool:
    """Run the installation again, as the next try does; say whether the new certificate is there after a start."""
    chain = tuple(x509.load_pem_x509_certificates((new / "chain.pem").read_bytes()))
    store = CertificateStore(folder)
    store.check()
    if store.generation is None or store.generation.chain != chain:
        store.install(store.pending_key(), chain, **WINDOW)
    last = CertificateStore(folder)
    return last.check().damage is None and last.generation is not None and last.generation.chain == chain


def _lay_out_naive(folder: Path, new: Path) -> Callable[[Path], str]:
    authority = an_authority()
    old, renewed = a_pair(authority), a_pair(authority)
    _write(folder, old)
    _write(new, renewed)
    return lambda found_in: _served(found_in / "chain.pem", found_in / "key.pem", old, renewed)


def _lay_out_four_links(folder: Path, new: Path) -> Callable[[Path], str]:
    authority = an_authority()
    old, renewed = a_pair(authority), a_pair(authority)
    _write(new, renewed)
    live, archive = folder / "live", folder / "archive"
    live.mkdir(parents=True)
    archive.mkdir()
    contents = (pem(old.chain[0]), key_pem(old.key), pem(*old.chain[1:]), pem(*old.chain))
    for kind, content in zip(FOUR, contents, strict=True):
        (archive / f"{kind}1.pem").write_bytes(content)
        (live / f"{kind}.pem").symlink_to(f"../archive/{kind}1.pem")
    return lambda found_in: _served(found_in / "live/fullchain.pem", found_in / "live/privkey.pem", old, renewed)


def _write(folder: Path, pair: Pair) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.pem").write_bytes(key_pem(pair.key))
    (folder / "chain.pem").write_bytes(pem(*pair.chain))
    (folder / "leaf.pem").write_bytes(pem(pair.chain[0]))
    (folder / "rest.pem").write_bytes(pem(*pair.chain[1:]))


def _served(chain: Path, key: Path, old: Pair, renewed: Pair) -> str:
    """Start like a web server does: with the chain and the key as they are found."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        return f"broken: a web server does not start ({type(error).__name__})"
    return "old" if leaf == old.chain[0] else "new" if leaf == renewed.chain[0] else "broken: another served"


OURS = Writer(name="lancert", script=_OURS, lay_out=lay_out_ours)
NAIVE = Writer(name="naive, two files", script=_NAIVE, lay_out=_lay_out_naive)
FOUR_LINKS = Writer(name="four links (like certbot)", script=_FOUR_LINKS, lay_out=_lay_out_four_links)
