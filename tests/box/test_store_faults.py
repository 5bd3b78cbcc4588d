"""A sick, full or read-only disk refuses an installation and harms nothing; ``make faults`` holds the long versions."""

import errno
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.box.given import NAMES
from tests.peers.authority import TODAY, key_pem, pem

from lancert.box.store import CertificateStore

WINDOW = {"renewal_start": TODAY, "renewal_end": TODAY + timedelta(days=1)}
OLD, NEW, NEWER = (f"generation-{number:06}.pem" for number in (1, 2, 3))

_INSTALL = """
import os, sys, pathlib
from datetime import UTC, datetime, timedelta
from cryptography import x509
from lancert.box.store import CertificateStore
store = CertificateStore(pathlib.Path(sys.argv[1]))
store.check()
key = store.pending_key()
chain = x509.load_pem_x509_certificates(pathlib.Path(sys.argv[2]).read_bytes())
window = {"renewal_start": datetime.now(UTC), "renewal_end": datetime.now(UTC) + timedelta(days=1)}
def attempt():
    try:
        return store.install(key, chain, **window) and 0
    except OSError as error:
        return error.errno
    finally:
        os.getppid()
os.getppid()
refused = attempt()
print(refused, store.generation.path.name if store.generation else None)
if refused:
    print(attempt(), store.generation.path.name)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A store with an old certificate, a waiting key, and the answer that certifies it."""

    strace: str
    template: Path
    folder: Path
    answer: Path
    key: bytes

    def install_failing(self, call: str, number: int, error: str) -> list[tuple[str, str]]:
        """Make the n-th call of a name between the marks fail; give how each attempt ended and what it serves."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)
        notes = self.folder.with_suffix(".notes")
        command = [self.strace, "-f", "-o", str(notes), f"--trace={call},getppid"]
        command.append(f"--inject={call}:error={error}:when={number}")
        install = (sys.executable, "-B", "-c", _INSTALL, str(self.folder), str(self.answer))
        ended = subprocess.run(
            [*command, *install],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        marked = re.split(r"getppid\(\)", notes.read_text())
        assert "(INJECTED)" in marked[1], f"{call} {number} is not a call of an installation"
        return [(line.split()[0], line.split()[1]) for line in ended.stdout.splitlines()]


@pytest.fixture
def given(authority: Authority, tmp_path: Path, tool: Callable[[str], str]) -> Given:
    """An old certificate, and a new one that only has to be installed."""
    store = CertificateStore(tmp_path / "template")
    key = store.pending_key()
    store.install(key, authority.chain(NAMES, key), **WINDOW)
    pending = store.pending_key()
    answer = tmp_path / "chain.pem"
    answer.write_bytes(pem(*authority.chain(NAMES, pending)))
    return Given(
        strace=tool("strace"),
        template=tmp_path / "template",
        folder=tmp_path / "folder",
        answer=answer,
        key=key_pem(pending),
    )


@pytest.mark.parametrize(
    ("call", "number", "error"),
    [
        *(("fsync", number, "EIO") for number in (1, 2, 3, 4)),
        *(("write", number, "ENOSPC") for number in (1, 2)),
        *(("rename", number, "EROFS") for number in (1, 2)),
    ],
)
def test_an_installation_that_a_disk_refuses_leaves_the_old_certificate_and_nothing_else(
    given: Given, call: str, number: int, error: str
) -> None:
    """F-04, F-05, F-07: refused is refused, in this process and after a start; the retry takes a new name."""
    refused, retried = given.install_failing(call, number, error)

    assert refused == (str(getattr(errno, error)), OLD)
    assert retried == ("0", NEWER)
    assert sorted(path.name for path in given.folder.iterdir()) == ["current", OLD, NEWER]


def test_a_refused_first_installation_leaves_only_the_key_that_waits(given: Given) -> None:
    """F-04: where there was no certificate before, ``current`` does not name one that may not be on the disk."""
    for name in ("current", OLD):
        (given.template / name).unlink()
    refused, retried = given.install_failing("fsync", 4, "EIO")

    assert refused == (str(errno.EIO), "None")
    assert retried == ("0", NEW)


def test_tidying_up_that_fails_does_not_take_an_installation_back(given: Given) -> None:
    """F-04: once ``current`` is on the disk the new certificate is served, whatever the last sync says."""
    assert given.install_failing("fsync", 5, "EIO") == [("0", NEW)]


def test_a_generation_that_cannot_be_read_back_is_refused_like_any_other(authority: Authority, tmp_path: Path) -> None:
    """F-04: what does not read back as what was written is an error of the disk, and is not left behind."""
    store = CertificateStore(tmp_path / "certificates")
    key, another = store.pending_key(), CertificateStore(tmp_path / "other").pending_key()
    store.install(key, authority.chain(NAMES, key), **WINDOW)
    with pytest.raises(OSError, match="cannot be read back"):
        store.install(key, authority.chain(NAMES, another), **WINDOW)

    assert store.generation is not None
    assert store.generation.path.name == OLD
    assert sorted(path.name for path in (tmp_path / "certificates").iterdir()) == ["current", OLD]


def test_a_new_folder_is_on_the_disk_before_anything_is_kept_in_it(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """F-03: each directory that is made is synced into its parent, so that no power cut takes the key away with it."""
    script = (
        "import sys, pathlib; from lancert.box.store import CertificateStore;"
        " CertificateStore(pathlib.Path(sys.argv[1])).pending_key()"
    )
    notes, made = tmp_path / "notes", tmp_path / "var" / "box" / "certificates"
    command = [tool("strace"), "-f", "-y", "-o", str(notes), "--trace=mkdir,mkdirat,fsync,rename"]
    subprocess.run([*command, sys.executable, "-B", "-c", script, str(made)], check=True, timeout=60)
    seen = notes.read_text()

    for folder in (tmp_path / "var", tmp_path / "var" / "box", made):
        synced_at = [found.start() for found in re.finditer(rf"fsync\(\d+<{re.escape(str(folder.parent))}>", seen)]
        assert synced_at, f"{folder.name} was never synced into its parent"
        assert seen.index(f'mkdir("{folder}"') < synced_at[0] < seen.index("rename(")


_ORDER = """
import os, pathlib, sys
from lancert.box.store import CertificateStore
from lancert.kit.files import AlreadyLocked, lock
folder = pathlib.Path(sys.argv[1])
sys.stdin.readline()
try:
    with lock(folder):
        store = CertificateStore(folder / "certificates")
        store.check()
        store.pending_key()
        print("ordered", flush=True)
        sys.stdin.readline()
        os.kill(os.getpid(), 9)
except AlreadyLocked:
    print("waits", flush=True)
"""


def test_of_two_starts_at_once_one_orders_and_its_death_blocks_nobody(tmp_path: Path) -> None:
    """F-11: four times two starts at the same moment, the one that ordered killed with SIGKILL each time."""
    for _ in range(4):
        pair = [_waiting(tmp_path) for _ in range(2)]
        with pair[0] as one, pair[1] as two:
            for process in (one, two):
                _say(process)
            said = [_line(one), _line(two)]
            for process in (one, two):
                _say(process)
        assert sorted(said) == ["ordered", "waits"]
        assert sorted((one.returncode, two.returncode)) == [-9, 0]

    assert [path.name for path in (tmp_path / "certificates").iterdir()] == ["pending-key.pem"]


def _waiting(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-B", "-c", _ORDER, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _say(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    try:
        process.stdin.write("\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it has ended
