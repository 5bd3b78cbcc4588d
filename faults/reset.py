"""S-15: the disk of a box that was reset is searched, block by block, for the secrets it held.

A real file system is used as a box uses it for years: renewals that replace keys, a credential that is changed, a log.
Then it is reset, taken out, and read like the image of a stolen memory card. The control removes the same files without
overwriting them. An ext4 on a plain disk is what is shown here: flash memory that spreads its writes may keep
copies that no file system can reach, and no search like this one would find or exclude them.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.peers.authority import TODAY
from tests.peers.canaries import of_key

from faults._disk import mounted, new_ext4
from faults._table import Row
from faults._writers import WINDOW, a_pair, an_authority
from lancert.box import keys, reset, tls
from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
from lancert.kit.files import write_private
from lancert.protocol.credential import Credential, parse_contract, parse_database_uuid

RENEWALS = 6
CONTRACT, DATABASE = "M-CANARY-20261121", "cafebabe-0000-4000-8000-00000badf00d"


def rows() -> list[Row]:
    return [
        _row("lancert box reset", _reset, is_control=False),
        _row("control, the same files removed", lambda folder: shutil.rmtree(folder), is_control=True),
    ]


def _row(case: str, end: Callable[[Path], object], *, is_control: bool) -> Row:
    with tempfile.TemporaryDirectory() as made:
        secrets, image = _used(Path(made), end)
    found = sorted(name for name, value in secrets.items() if value in image)
    return Row(
        case=case,
        states=len(secrets),
        broken=len(found),
        at_least=3 * RENEWALS,
        is_control=is_control,
        found=f"{len(found)} of {len(secrets)} secrets, {', '.join(found[:3])}" if found else "",
    )


def _used(place: Path, end: Callable[[Path], object]) -> tuple[dict[str, bytes], bytes]:
    """Use a box for some years, end it, and give its secrets and its disk."""
    new_ext4(place / "disk.img")
    with mounted(place / "disk.img", place / "disk", "loop") as disk:
        secrets = _years(disk / "box")
        end(disk / "box")
    return secrets, (place / "disk.img").read_bytes()


def _years(path: Path) -> dict[str, bytes]:
    folder, signer = Folder(path), an_authority()
    folder.connect(Server(url="https://iot.example.com"), [])
    folder.change_credential(Credential(contract=parse_contract(CONTRACT), database=parse_database_uuid(DATABASE)))
    keys.identity_key(folder.identity)
    tls.write_stop_gap(folder.stop_gap, (), TODAY)
    secrets = {"contract": CONTRACT.encode(), "database UUID": DATABASE.encode()}
    secrets |= of_key("identity", folder.identity) | of_key("stop-gap", folder.stop_gap)
    store = CertificateStore(folder.certificates)
    store.check()
    for number in range(RENEWALS):
        key = store.pending_key()
        secrets |= of_key(f"key {number}", folder.certificates / "pending-key.pem")
        store.install(key, a_pair(signer, key).chain, **WINDOW)
    secrets |= of_key("pending key", _pending(store, folder))
    folder.log_file.parent.mkdir(mode=0o700)
    write_private(folder.log_file, b"LOG-CANARY-4711\n" * 10_000)
    return {**secrets, "log": b"LOG-CANARY-4711"}


def _pending(store: CertificateStore, folder: Folder) -> Path:
    store.pending_key()
    return folder.certificates / "pending-key.pem"


def _reset(path: Path) -> None:
    reset.ask(path)
    assert reset.finish(path) == []
