"""A folder of certificates that cannot be looked through takes no new certificate."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

from faults._injecting import install_failing, points
from faults._writers import OURS, lay_out_ours


def test_a_new_certificate_never_takes_the_name_of_the_one_in_service(
    tool: Callable[[str], str], tmp_path: Path
) -> None:
    """F-04: when the disk does not even say what is there, the installation is refused and the old one stays."""
    strace, template, folder, new = tool("strace"), tmp_path / "template", tmp_path / "folder", tmp_path / "new"
    judge = lay_out_ours(template, new)
    shutil.copytree(template, folder)
    arguments, notes = [str(folder), str(new)], tmp_path / "notes"
    looking = next(points(strace, OURS.script, arguments, {"openat"}, notes))
    shutil.rmtree(folder)
    shutil.copytree(template, folder)
    ended = install_failing(strace, OURS.script, arguments, looking, "EIO", notes)

    assert (ended.errno, ended.served, judge(folder)) == (errno.EIO, "generation-000001.pem", "old")
