"""Files are the old ones or the new ones, and private from the first byte."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lancert.kit.files import (
    AlreadyLocked,
    FileTooLarge,
    close_to_others,
    is_open_to_others,
    lock,
    private_directory,
    read_limited,
    write_private,
    write_public,
)

OLD, NEW = b"old" * 50_000, b"new!" * 50_000


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_by_its_new_content(tmp_path: Path) -> None:
    """After writing, the new content is there and nothing lies beside it."""
    path = tmp_path / "fact.json"
    write_private(path, OLD)
    write_private(path, NEW)

    assert path.read_bytes() == NEW
    assert os.listdir(tmp_path) == ["fact.json"]


def test_a_reader_sees_the_old_file_or_the_new_one_never_half(tmp_path: Path) -> None:
    """Whoever reads while the agent writes gets one complete version."""
    path = tmp_path / "fact.json"
    write_private(path, OLD)
    finished = threading.Event()

    def write() -> None:
        for turn in range(60):
            write_private(path, (NEW, OLD)[turn % 2])
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not finished.is_set():
        seen.add(path.read_bytes())
    writer.join()

    assert seen <= {OLD, NEW}


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    """What cannot be put in place is taken away again."""
    path = tmp_path / "fact.json"
    path.mkdir()
    (path / "inside").write_bytes(OLD)

    with pytest.raises(OSError, match="directory"):
        write_private(path, NEW)

    assert os.listdir(tmp_path) == ["fact.json"]
    assert (path / "inside").read_bytes() == OLD


@pytest.mark.usefixtures("careless_umask")
def test_a_private_file_is_private_under_any_umask(tmp_path: Path) -> None:
    """S-04, F-12: neither files nor folders are open to others, even with umask 000."""
    folder = private_directory(tmp_path / "one" / "two")
    write_private(folder / "key.pem", b"key")
    with lock(folder):
        pass

    assert _mode(folder) == 0o700
    assert {_mode(path) for path in folder.iterdir()} == {0o600}
    assert _mode(tmp_path / "one") & 0o022 == 0


@pytest.mark.usefixtures("careless_umask")
def test_a_private_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    """S-04: nobody else can open the new file while it is being written."""
    path = tmp_path / "key.pem"
    finished = threading.Event()

    def write() -> None:
        for _ in range(50):
            write_private(path, NEW)
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not finished.is_set():
        for entry in os.scandir(tmp_path):
            try:
                seen.add(stat.S_IMODE(entry.stat().st_mode))
            except FileNotFoundError:
                continue
    writer.join()

    assert seen == {0o600}


def test_a_public_file_is_readable_under_any_umask(tmp_path: Path) -> None:
    """A root certificate is for everybody, also where umask takes the rights away."""
    before = os.umask(0o077)
    try:
        write_public(tmp_path / "root.pem", b"root")
    finally:
        os.umask(before)

    assert _mode(tmp_path / "root.pem") == 0o644


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    """Rights that somebody gave to others are taken away."""
    tmp_path.chmod(0o755)

    assert _mode(private_directory(tmp_path)) == 0o700


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, True), (0o644, True), (0o601, True)])
def test_rights_of_others_are_seen_and_taken_away(tmp_path: Path, mode: int, is_open: bool) -> None:
    """Any right of group or world counts."""
    path = tmp_path / "key.pem"
    path.write_bytes(b"key")
    path.chmod(mode)

    assert is_open_to_others(path) is is_open
    close_to_others(path)
    assert not is_open_to_others(path)


def test_a_file_larger_than_anything_it_could_hold_is_not_read(tmp_path: Path) -> None:
    """Reading is bounded: the limit itself is read, one byte more is refused."""
    path = tmp_path / "fact.json"
    path.write_bytes(b"x" * 101)

    assert read_limited(path, 101) == b"x" * 101
    with pytest.raises(FileTooLarge, match=r"fact.json is larger than 100 bytes"):
        read_limited(path, 100)


_HOLD = """
import sys, pathlib
from lancert.kit.files import lock
with lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_folder_has_one_agent_and_kill_frees_it(tmp_path: Path) -> None:
    """F-11: a second process is told, and a lock does not outlive the process that held it."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyLocked, match="another process uses"), lock(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=20)

    with lock(tmp_path):
        pass
