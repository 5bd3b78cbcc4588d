"""F-07: at every system call of an installation ext4 finds an error and makes itself read-only, as a worn card does.

The process is stopped after a call, the error is set off through the kernel's own switch for it, and the process
goes on. What it serves then, what a start on the read-only disk finds, and what a start finds after the repair must
be the old or the new certificate, complete. lancert never remounts a disk, so it leaves none writable either.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from faults._disk import mounted, new_ext4, run, tool
from faults._injecting import points
from faults._table import NotPossibleHere, Row
from faults._writers import OURS, lay_out_ours, reaches_new
from lancert.box.store import CertificateStore

CALLS = {"openat", "fchmod", "write", "fsync", "close", "rename", "unlink", "read"}


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        verdicts = _verdicts(Path(made))
    kinds = Counter(verdicts)
    return [
        Row(
            case="ext4 becomes read-only after each call",
            states=len(verdicts),
            broken=sum(count for kind, count in kinds.items() if kind.startswith("broken")),
            at_least=20,
            found=", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        )
    ]


def _verdicts(place: Path) -> list[str]:
    base, disk, new, notes = place / "base.img", place / "disk.img", place / "new", place / "notes"
    new_ext4(base)
    with mounted(base, place / "laid", "loop") as laid:
        judge = lay_out_ours(laid / "box", new)
    arguments = [str(place / "disk" / "box"), str(new)]
    verdicts = []
    shutil.copyfile(base, disk)
    with mounted(disk, place / "disk", "loop"):
        found = list(points(tool("strace"), OURS.script, arguments, CALLS, notes))
    for point in found:
        shutil.copyfile(base, disk)
        with mounted(disk, place / "disk", "loop,errors=remount-ro") as there:
            refused, served = _install_with_an_error_after(point, there, arguments, notes)
            stored = CertificateStore(there / "box").look()
        # The file system notes its error: -p repairs, status 1 says that it did.
        subprocess.run([tool("e2fsck"), "-p", str(disk)], check=False, capture_output=True, timeout=60)
        with mounted(disk, place / "disk", "loop") as there:
            after = judge(there / "box")
            if stored.usable is None or stored.damage is not None:
                verdicts.append("broken: nothing whole is found while the disk is read-only")
            elif served != f"generation-{1 if refused else 2:06}.pem":
                verdicts.append(f"broken: refused {refused}, serves {served}")
            elif after not in ("old", "new") or not reaches_new(there / "box", new):
                verdicts.append(f"broken: after the repair {after}")
            else:
                verdicts.append("refused, old served" if refused else "installed before")
    return verdicts


def _install_with_an_error_after(
    point: tuple[str, int], disk: Path, arguments: list[str], notes: Path
) -> tuple[int, str]:
    call, number = point
    notes.unlink()
    command = [tool("strace"), "-f", "-o", str(notes), f"--trace={call}"]
    command += [f"--inject={call}:signal=STOP:when={number}", sys.executable, "-B", "-c", OURS.script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        stopped = _wait_until_stopped(notes)
        loop = Path(run("findmnt", "-n", "-o", "SOURCE", str(disk)).strip()).name
        try:
            Path(f"/sys/fs/ext4/{loop}/trigger_fs_error").write_text("1")
        except FileNotFoundError as error:
            raise NotPossibleHere("this kernel has no trigger_fs_error") from error
        finally:
            os.kill(stopped, signal.SIGCONT)
        said, _ = process.communicate(timeout=60)
    refused, _, served = said.strip().partition(" ")
    return int(refused), served


def _wait_until_stopped(notes: Path) -> int:
    """Give the process that strace says is stopped; bounded."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for line in notes.read_text(errors="replace").splitlines() if notes.exists() else []:
            if "stopped by SIGSTOP" in line:
                return int(line.split()[0])
        time.sleep(0.005)
    raise RuntimeError("the process was never stopped")
