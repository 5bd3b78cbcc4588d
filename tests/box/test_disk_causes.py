"""What a disk refuses is a cause of its own, and its recovery is noticed without writing to it."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.box.given import HOUR, MINUTE, NOW, SECOND, a_box, failed, installed
from tests.peers.small_disk import on_a_small_disk

from lancert.box.disk import DiskWatch, cause_of, trouble
from lancert.box.plan import Load, Wait, next_step
from lancert.box.tries import disk_cause
from lancert.protocol.problems import LOAD_REQUEST_EXCEPTION, Occurrence

CAUSES = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EROFS: "disk-read-only",
    errno.EACCES: "disk-no-right",
    errno.EPERM: "disk-no-right",
    errno.EIO: "disk-failing",
    errno.ENODEV: "disk-failing",
    errno.EMFILE: None,
    errno.ECONNREFUSED: None,
    errno.ENOENT: None,
}


@pytest.mark.parametrize(("number", "cause"), CAUSES.items(), ids=lambda one: errno.errorcode.get(one, one))
def test_an_error_of_the_disk_has_its_cause(number: int, cause: str | None) -> None:
    """F-04 to F-07: told by its number alone; what has nothing to do with a disk is no cause of this kind."""
    assert cause_of(OSError(number, os.strerror(number))) == cause


def test_an_error_without_a_number_has_no_cause() -> None:
    """Some errors of the library come without one."""
    assert cause_of(OSError("no number")) is None


@pytest.mark.parametrize("cause", sorted({cause for cause in CAUSES.values() if cause}))
def test_a_disk_is_never_blamed_on_the_network(cause: str) -> None:
    """Title and meaning are those of the disk: the owner is not sent to the router."""
    facts = {"server": "https://service.example.com", "reference": "12345678"}
    shown = Occurrence(problem=LOAD_REQUEST_EXCEPTION, cause_id=cause, facts=facts)
    words = " ".join([shown.title(str), shown.meaning(str), shown.cause_meaning(str) or "", *shown.remedy(str)])

    assert shown.code == "ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION"
    assert shown.title(str) != LOAD_REQUEST_EXCEPTION.title
    for word in ("service.example.com", "firewall", "router", "reached"):
        assert word not in words


def test_room_is_told_without_writing(tmp_path: Path) -> None:
    """An ordinary folder is no trouble, and asking leaves nothing in it."""
    watch = DiskWatch(tmp_path)

    assert (trouble(tmp_path), watch.look(), watch.notices(None)) == (None, False, ())
    assert list(tmp_path.iterdir()) == []


_WATCH = """
import os, pathlib, sys
from lancert.box.disk import DiskWatch, trouble
place = pathlib.Path(sys.argv[1])
watch, said = DiskWatch(place), []
def fill(with_files):
    made = []
    try:
        while True:
            made.append(place / str(len(made)))
            made[-1].write_bytes(b"" if with_files else bytes(4096))
    except OSError:
        return made
for with_files in (False, True):
    made = fill(with_files)
    said += [watch.look(), watch.trouble, [one.id for one in watch.notices(None)], watch.notices("disk-full")]
    for one in made:
        one.unlink(missing_ok=True)
    said += [watch.look(), watch.trouble]
print(said)
"""


def test_a_full_disk_and_its_relief_are_noticed(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """F-05, F-06: without a byte, and without another file; relieved is told once, and a shown problem not twice."""
    before = on_a_small_disk(tool("unshare"), tmp_path / "disk", "size=256k,nr_inodes=200")
    command = [*before, sys.executable, "-B", "-c", _WATCH, str(tmp_path / "disk")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    assert said.strip() == str([False, "disk-full", ["disk-full"], (), True, None] * 2)


def test_a_try_the_disk_refused_is_made_again_once_there_is_room() -> None:
    """F-05: within ten seconds of the last one and whatever wait was drawn; not while the disk is as it was."""
    full = Occurrence(problem=LOAD_REQUEST_EXCEPTION, cause_id="disk-full", facts={"server": "https://a.example"})
    last = failed(NOW, problem=full, wait=6 * HOUR)
    facts = a_box(stored=installed(), last_try=last)
    relieved = a_box(stored=installed(), last_try=last, disk_takes_writes_again=True)

    assert disk_cause(last) == "disk-full"
    assert next_step(facts, NOW + 10 * MINUTE) == Wait(
        until=NOW + timedelta(hours=6), because="the last try did not succeed"
    )
    assert isinstance(next_step(relieved, NOW + 9 * SECOND), Wait)
    assert isinstance(next_step(relieved, NOW + 10 * SECOND), Load)
    assert disk_cause(failed(NOW)) is None
    assert disk_cause(None) is None
