"""Factory settings: what is removed, what is kept, and that a reset once begun is completed, whenever it is killed."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.peers.killing import kill_everywhere

from lancert.box import reset
from lancert.box.folder import Folder
from lancert.box.pin import exists, new_pin
from lancert.kit.files import private_directory, write_private

_RESET = """
import os, sys, pathlib
from lancert.box import reset
folder = pathlib.Path(sys.argv[1])
os.getppid()
assert reset.finish(folder) == []
os.getppid()
"""

_WITHOUT_A_MARKER = """
import os, sys, pathlib
from lancert.kit.files import erase
folder = pathlib.Path(sys.argv[1])
os.getppid()
(folder / "reset.json").unlink()
for path in sorted(folder.iterdir()):
    erase(path) if path.is_file() else [erase(inner) for inner in path.iterdir()]
os.getppid()
"""

KEY = b"-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n"


def _fill(folder: Path) -> None:
    """Put a key there, and something in a folder."""
    private_directory(folder / "log")
    write_private(folder / "identity.pem", KEY)
    write_private(folder / "log" / "box.log", b"CANARY\n")


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A box that was used, with settings somebody wrote."""
    made = Folder(tmp_path / "box").path
    _fill(made)
    new_pin(made / "pin.json")
    private_directory(made / "certificates")
    write_private(made / "certificates" / "generation-000001.pem", KEY)
    write_private(made / ".identity.pem.1234.new", KEY)
    write_private(made / "connection.json", b'{"contract": "CANARY"}')
    write_private(made / "box.toml", b'name = "till"\n')
    return made


def test_a_reset_leaves_the_settings_and_the_new_pin(folder: Path) -> None:
    """S-15: keys, credential, certificates and log are gone; the PIN that was told is the one that counts."""
    before = (folder / "pin.json").read_bytes()

    pin = reset.ask(folder)
    asked_for = (folder / reset.MARKER).read_bytes()

    assert reset.finish(folder) == []
    assert _names(folder) == {"box.toml", "pin.json"}
    assert (folder / "box.toml").read_bytes() == b'name = "till"\n'
    assert (folder / "pin.json").read_bytes() == asked_for != before
    assert exists(Folder(folder).pin)
    assert len(pin) == 10
    assert reset.asked(folder) == 0


def test_what_is_removed_and_kept_is_said_before(folder: Path) -> None:
    """Whoever resets a box reads the names, the settings among those that stay."""
    said = reset.contents(folder)

    assert said.kept == ("box.toml",)
    assert {"identity.pem", "certificates/", "connection.json", "log/", "pin.json"} <= set(said.removed)
    reset.ask(folder)
    reset.finish(folder)
    assert {name.rstrip("/") for name in said.removed} & _names(folder) == {"pin.json"}


def test_keys_are_overwritten_before_they_are_removed(folder: Path) -> None:
    """S-15: whoever still holds the file open, as a disk holds its blocks, finds no key in it any more."""
    with (folder / "identity.pem").open("rb") as held:
        reset.ask(folder)
        reset.finish(folder)

        assert os.fstat(held.fileno()).st_nlink == 0
        left = held.read()
    assert len(left) == len(KEY)
    assert b"CANARY" not in left


def test_a_link_is_removed_and_not_followed(folder: Path, tmp_path: Path) -> None:
    """What lies elsewhere is not the box's to remove."""
    elsewhere = private_directory(tmp_path / "elsewhere")
    write_private(elsewhere / "theirs", b"theirs")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "linked-file").symlink_to(elsewhere / "theirs")
    os.mkfifo(folder / "pipe")

    reset.ask(folder)

    assert reset.finish(folder) == []
    assert _names(folder) == {"box.toml", "pin.json"}
    assert (elsewhere / "theirs").read_bytes() == b"theirs"


def test_what_cannot_be_removed_is_named_and_tried_again(folder: Path) -> None:
    """The wish stays until everything is gone."""
    _nest(folder / "deep", 20)
    reset.ask(folder)
    left = reset.finish(folder)

    assert [name[:6] for name in left] == ["deep/d"]
    assert reset.asked(folder) != 0
    assert {path.name for path in folder.iterdir()} == {"box.toml", "deep", reset.MARKER}
    shutil.rmtree(folder / "deep")
    assert reset.finish(folder) == []
    assert _names(folder) == {"box.toml", "pin.json"}


def _nest(top: Path, depth: int) -> None:
    """Make folders in one another until no path leads to the innermost any more."""
    top.mkdir()
    at = os.open(top, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d" * 250, dir_fd=at)
        inner = os.open("d" * 250, os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


def _kill(script: str, judge: Callable[[], str], tmp_path: Path, strace: str) -> Counter[str]:
    def prepare() -> Sequence[str]:
        shutil.rmtree(tmp_path / "box", ignore_errors=True)
        _fill(private_directory(tmp_path / "box"))
        reset.ask(tmp_path / "box")
        return [str(tmp_path / "box")]

    killed = kill_everywhere(strace, script, prepare=prepare, judge=judge, notes=tmp_path / "notes")
    return Counter(one.verdict for one in killed)


@pytest.mark.timeout(300)
def test_a_kill_at_every_system_call_of_a_reset_ends_in_a_complete_one(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """S-15: from the moment it was asked for, whatever happens, the next start completes it."""
    folder = tmp_path / "box"

    def judge() -> str:
        was_asked = reset.asked(folder)
        if was_asked:
            assert reset.finish(folder) == []
        if _names(folder) != {"pin.json"} or not exists(folder / "pin.json"):
            return f"broken: {_names(folder)}"
        return "completed at the next start" if was_asked else "complete"

    verdicts = _kill(_RESET, judge, tmp_path, tool("strace"))

    assert verdicts.keys() == {"completed at the next start", "complete"}, verdicts
    assert verdicts["completed at the next start"] >= 20


@pytest.mark.timeout(300)
def test_a_reset_without_its_marker_is_caught(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The harness sees: who just removes file by file leaves half a box behind."""
    folder = tmp_path / "box"

    def judge() -> str:
        left = _names(folder) & {"identity.pem", "log/box.log"}
        return "half" if len(left) == 1 and not reset.asked(folder) else "whole"

    assert _kill(_WITHOUT_A_MARKER, judge, tmp_path, tool("strace"))["half"] >= 1
