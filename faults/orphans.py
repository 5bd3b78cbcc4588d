"""F-03: the power is cut while a key is made, asked for and installed: the key that was asked for is found again.

Each kill is at a system call between "make the key" and "installed"; the service's record of orders lies on another
disk, as it does in life. What a power cut at that moment leaves of the box's disk is mounted, and the box tries
again: two keys in the service's record mean that the first was lost and its certificate ordered for nothing. The
control makes its key in memory and keeps it only together with its certificate.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.peers.authority import Key, Signer, key_pem, new_key, pem
from tests.peers.killing import kill_everywhere

from faults._disk import mounted, new_ext4, photograph, tool
from faults._table import Row
from faults._writers import WINDOW, a_pair, an_authority
from faults.power import MODES
from lancert.box.store import CertificateStore
from lancert.protocol.certificate import public_bytes

_LOAD = """
import os, pathlib, sys
from faults.orphans import KEYS, load, signer_in
from lancert.box.store import CertificateStore
folder, service, key = sys.argv[1:]
store, signer = CertificateStore(pathlib.Path(folder)), signer_in(pathlib.Path(service))
store.check()
os.getppid()
load(store, pathlib.Path(service), signer, KEYS[key])
os.getppid()
"""

KEYS: dict[str, Callable[[CertificateStore], Key]] = {
    "kept": lambda store: store.pending_key(),
    "in memory": lambda store: new_key(),
}


def signer_in(service: Path) -> Signer:
    """Read who signs at this service."""
    key = serialization.load_pem_private_key((service / "key.pem").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Signer(certificate=x509.load_pem_x509_certificate((service / "issuing.pem").read_bytes()), key=key)


def load(store: CertificateStore, service: Path, signer: Signer, make: Callable[[CertificateStore], Key]) -> None:
    """Do what a box does: make a key, ask with it, install what comes. Asking again with a key is the same order."""
    key = make(store)
    order = service / "orders" / sha256(public_bytes(key.public_key())).hexdigest()
    order.mkdir(exist_ok=True)
    store.install(key, a_pair(signer, key).chain, **WINDOW)


def rows() -> list[Row]:
    return [_row("lancert, key kept before it is asked with", "kept"), _row("control, key in memory", "in memory")]


def _row(case: str, key: str) -> Row:
    with tempfile.TemporaryDirectory() as made:
        verdicts = _verdicts(Path(made), key)
    kinds = Counter(verdicts)
    return Row(
        case=case,
        states=len(verdicts),
        broken=sum(count for kind, count in kinds.items() if kind.startswith("broken")),
        at_least=40 if key == "kept" else 1,
        is_control=key != "kept",
        found=", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
    )


def _verdicts(place: Path, key: str) -> list[str]:
    base, disk, service = place / "base.img", place / "disk.img", place / "service"
    signer = an_authority()
    service.mkdir()
    (service / "key.pem").write_bytes(key_pem(signer.key))
    (service / "issuing.pem").write_bytes(pem(signer.certificate))
    new_ext4(base)
    with mounted(base, place / "laid", "loop") as laid:
        store = CertificateStore(laid / "box")
        old = store.install(store.pending_key(), a_pair(signer, store.pending_key()).chain, **WINDOW)
    verdicts: list[str] = []

    with ExitStack() as mount:

        def prepare() -> Sequence[str]:
            mount.close()
            shutil.copyfile(base, disk)
            shutil.rmtree(service / "orders", ignore_errors=True)
            (service / "orders").mkdir()
            mount.enter_context(mounted(disk, place / "disk", MODES["writeback"]))
            return [str(place / "disk" / "box"), str(service), key]

        def judge() -> str:
            photograph(disk, place / "after.img")
            with mounted(place / "after.img", place / "after", MODES["writeback"]) as after:
                verdicts.append(_tried_again(after / "box", service, signer, KEYS[key], old.chain))
            return verdicts[-1]

        kill_everywhere(tool("strace"), _LOAD, prepare=prepare, judge=judge, notes=place / "notes")
    return verdicts


def _tried_again(
    folder: Path,
    service: Path,
    signer: Signer,
    make: Callable[[CertificateStore], Key],
    old: tuple[x509.Certificate, ...],
) -> str:
    again = CertificateStore(folder)
    damage = again.check().damage
    if damage is not None or again.generation is None:
        return "broken: nothing is served"
    ordered = len(list((service / "orders").iterdir()))
    if again.generation.chain == old:
        load(again, service, signer, make)
    orders = len(list((service / "orders").iterdir()))
    if orders > 1:
        return "broken: the key that was asked with is lost"
    return "asked before, same key again" if ordered else "not asked before"
