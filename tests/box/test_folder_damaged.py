"""Nothing in the folder of a box is deleted because it could not be read, and what must agree is one file."""

import json
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.box.given import CONTRACT, CREDENTIAL, ENROLMENT, NOW, SERVER
from tests.peers.authority import make_root, pem
from tests.peers.killing import kill_everywhere

from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.keys import identity_key, pending_key
from lancert.box.setting_aside import set_aside
from lancert.box.store import CertificateStore
from lancert.kit.files import write_private
from lancert.kit.secret import Secret
from lancert.protocol.credential import Credential

DAMAGE = {
    "empty": b"",
    "cut off": b'{"server": {"url": "https://a.exa',
    "zeros": bytes(300),
    "another kind of document": b"[]",
    "too large": b" " * 300_000,
}
FILES = ("connection.json", "enrolment.json", "boot.json", "time.json", "last-try.json", "pin.json", "listening.json")
OTHER = Server(url="https://other.localhost")
OTHER_CREDENTIAL = Credential(contract=CONTRACT, database=Secret("11111111-2222-4333-8444-555555555555"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The folder of a box."""
    return Folder(tmp_path / "box")


def told(folder: Folder) -> list[tuple[str, str]]:
    """Give which notices there are, and about which files."""
    return [(notice.id, notice.facts["file"]) for notice in folder.notices()]


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_set_aside_and_told(folder: Folder, name: str, content: bytes) -> None:
    """F-08: at the start of the agent it is renamed, closed to others and named; not one byte of it is lost."""
    write_private(folder.path / name, content)
    folder.check()

    assert (folder.path / f"set-aside-{name}").read_bytes() == content
    assert not (folder.path / name).exists()
    assert told(folder) == [("file-set-aside", name)]


@pytest.mark.parametrize("name", [*FILES, "identity.pem"])
def test_whatever_stands_in_the_place_of_a_file_is_set_aside(folder: Folder, name: str) -> None:
    """F-10: a directory with something in it, or a pipe nobody writes to, stops nothing and is kept."""
    (folder.path / name).mkdir()
    (folder.path / name / "within").write_text("kept")
    folder.check()
    os.mkfifo(folder.path / name)
    folder.check()

    assert stat.S_ISFIFO((folder.path / f"set-aside-{name}").stat().st_mode)
    assert (folder.path / f"set-aside-{name}.1" / "within").read_text() == "kept"
    assert told(folder) == [("file-set-aside", name)]


def test_a_file_that_is_damaged_while_the_agent_runs_is_not_written_over(folder: Folder) -> None:
    """F-08: what is about to be replaced is looked at first."""
    folder.connect(SERVER, [], CREDENTIAL)
    (folder.path / "connection.json").write_bytes(b"{")
    (folder.path / "boot.json").write_bytes(b"\xff")
    folder.change_credential(CREDENTIAL)
    folder.raise_boot(NOW)

    assert (folder.path / "set-aside-connection.json").read_bytes() == b"{"
    assert (folder.path / "set-aside-boot.json").read_bytes() == b"\xff"


def test_only_so_many_are_kept(folder: Folder) -> None:
    """A card that damages a file at every start does not fill the disk; the newest are kept."""
    for number in range(6):
        write_private(folder.path / "boot.json", b"%d" % number)
        folder.check()

    kept = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    assert kept == {"set-aside-boot.json": b"5", "set-aside-boot.json.1": b"4", "set-aside-boot.json.2": b"3"}


def test_a_lost_connection_is_told_until_there_is_a_new_one(folder: Folder) -> None:
    """The owner reads why the box is not connected, also after a restart, and no longer once it is."""
    write_private(folder.path / "connection.json", b"{")
    folder.check()
    after_a_restart = told(Folder(folder.path))
    folder.connect(SERVER, [], CREDENTIAL)

    assert after_a_restart == [("file-set-aside", "connection.json")]
    assert told(folder) == told(Folder(folder.path)) == []


def test_a_file_the_system_does_not_give_back_is_left_where_it_is(folder: Folder) -> None:
    """What may be whole is told and not moved, because giving it back mends it; before it is replaced, it is kept."""
    os.symlink(folder.path / "connection.json", folder.path / "connection.json")
    folder.check()
    before = told(folder)
    folder.connect(SERVER, [], CREDENTIAL)

    assert before == [("file-unreadable", "connection.json")]
    assert (folder.path / "set-aside-connection.json").is_symlink()
    assert (folder.server(), told(folder)) == (SERVER, [])


@pytest.mark.parametrize("name", ["identity.pem", "connection.json", "pin.json"])
def test_a_file_that_was_open_to_others_is_closed_and_told(folder: Folder, name: str) -> None:
    """F-12: rights that were changed are taken away again at the start, and the owner learns of it."""
    folder.connect(SERVER, [], CREDENTIAL)
    identity_key(folder.identity)
    write_private(folder.pin, json.dumps({"salt": "00", "hash": "00"}).encode())
    (folder.path / name).chmod(0o644)
    folder.check()

    assert (folder.path / name).stat().st_mode & 0o077 == 0
    assert told(folder) == [("file-was-open", name)]


@pytest.mark.parametrize("spoil", ["garbage", "directory", "open to others"])
def test_a_waiting_key_that_cannot_be_used_is_set_aside(folder: Folder, spoil: str) -> None:
    """F-03: the key that was asked with is kept, and the next try has one of its own."""
    place = folder.certificates / "pending-key.pem"
    store = CertificateStore(folder.certificates)
    old = store.pending_key()
    match spoil:
        case "garbage":
            place.write_bytes(b"-----BEGIN")
        case "directory":
            place.unlink()
            place.mkdir()
        case _:
            place.chmod(0o644)
    store.check()
    new = CertificateStore(folder.certificates).pending_key()

    assert new.private_numbers() != old.private_numbers()
    assert (folder.certificates / "set-aside-pending-key.pem").exists()
    assert (folder.certificates / "set-aside-pending-key.pem").is_dir() or not (
        (folder.certificates / "set-aside-pending-key.pem").stat().st_mode & 0o077
    )
    assert pending_key(place).private_numbers() == new.private_numbers()


def test_setting_aside_again_keeps_what_was_set_aside_before(tmp_path: Path) -> None:
    """F-10: a file in the place of the certificates, twice."""
    for content in (b"first", b"second"):
        (tmp_path / "certificates").write_bytes(content)
        CertificateStore(tmp_path / "certificates").check()
        shutil.rmtree(tmp_path / "certificates")

    assert (tmp_path / "set-aside-certificates").read_bytes() == b"second"
    assert (tmp_path / "set-aside-certificates.1").read_bytes() == b"first"
    with pytest.raises(FileNotFoundError):
        set_aside(tmp_path / "nothing")


# What must agree


def test_an_earlier_version_s_three_files_become_one(folder: Folder) -> None:
    """An update keeps server, root and credential; the next change writes them into one file."""
    root = make_root().certificate
    write_private(folder.path / "server.json", json.dumps({"url": SERVER.url, "root_fingerprint": None}).encode())
    halves = {"contract": CONTRACT.reveal(), "database": None}
    write_private(folder.path / "credential.json", json.dumps(halves).encode())
    write_private(folder.path / "root.pem", pem(root))
    before = (folder.server(), folder.roots(), folder.credential())
    folder.change_credential(CREDENTIAL)

    assert before == (SERVER, [root], Credential(contract=CONTRACT))
    assert (folder.server(), folder.roots(), folder.credential()) == (SERVER, [root], CREDENTIAL)
    assert [path.name for path in folder.path.iterdir()] == ["connection.json"]


_CONNECT = """
import os, sys, pathlib
from cryptography import x509
from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.kit.secret import Secret
from lancert.protocol.credential import Credential
folder = Folder(pathlib.Path(sys.argv[1]))
roots = x509.load_pem_x509_certificates(pathlib.Path(sys.argv[2]).read_bytes())
credential = Credential(contract=Secret("M240719-1"), database=Secret("11111111-2222-4333-8444-555555555555"))
os.getppid()
folder.connect(Server(url="https://other.localhost"), roots, credential)
os.getppid()
"""

_PIECEMEAL = """
import os, sys, pathlib
from lancert.kit.files import write_private
folder, new = (pathlib.Path(path) for path in sys.argv[1:3])
os.getppid()
write_private(folder / "root.pem", new.read_bytes())
write_private(folder / "server.json", b'{"url": "https://other.localhost", "root_fingerprint": null}')
os.getppid()
"""


def _killed(folder: Folder, script: str, tmp_path: Path, strace: str) -> Counter[str]:
    """Kill a change of the connection at each of its system calls; say what was left each time."""
    template, roots = tmp_path / "template", [make_root().certificate, make_root().certificate]
    shutil.move(folder.path, template)
    (tmp_path / "new.pem").write_bytes(pem(roots[1]))
    names = {
        (SERVER, roots[0].serial_number, CREDENTIAL): "old",
        (OTHER, roots[1].serial_number, OTHER_CREDENTIAL): "new",
    }
    if script is _PIECEMEAL:
        write_private(template / "root.pem", pem(roots[0]))
    else:
        Folder(template).connect(SERVER, roots[:1], CREDENTIAL)
        Folder(template).enrolled(ENROLMENT)

    def prepare() -> Sequence[str]:
        shutil.rmtree(folder.path, ignore_errors=True)
        shutil.copytree(template, folder.path)
        return [str(folder.path), str(tmp_path / "new.pem")]

    def judge() -> str:
        left = Folder(folder.path)
        left.check()
        server = left.server()
        assert server is not None
        found = names.get((server, left.roots()[0].serial_number, left.credential()), "broken")
        # An enrolment made with the old connection must not outlive it.
        return "broken" if found == "new" and left.enrolment() is not None else found

    killed = kill_everywhere(strace, script, prepare=prepare, judge=judge, notes=tmp_path / "notes")
    return Counter(one.verdict for one in killed)


def test_a_kill_while_connecting_leaves_the_old_connection_or_the_new_one(
    folder: Folder, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """F-01: server, root and credential are never of two connections, at whichever system call the power goes."""
    verdicts = _killed(folder, _CONNECT, tmp_path, tool("strace"))

    assert verdicts.keys() == {"old", "new"}, verdicts
    assert verdicts.total() >= 10


def test_a_connection_in_two_files_is_caught(folder: Folder, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The harness sees: root and server written one after the other are found to be of two servers."""
    write_private(folder.path / "server.json", json.dumps({"url": SERVER.url, "root_fingerprint": None}).encode())
    verdicts = _killed(folder, _PIECEMEAL, tmp_path, tool("strace"))

    assert verdicts["broken"] >= 1
