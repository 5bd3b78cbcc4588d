"""A throw-away Debian 12 with a systemd of its own, in namespaces of this machine: no virtual machine, no image.

It needs root, debootstrap and a kernel with cgroup version 2. Its network is a loopback with one more address, so
that nothing it serves is seen from outside; its processes end with it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "ca-certificates,curl,iproute2,openssl,python3.11,systemd,systemd-sysv"
ADDRESS = "192.168.50.5"
_PATIENCE = 60.0

# What a kernel and an initial file system would have prepared. $1 is the folder of the machine.
_BOOT = r"""
set -e
cd "$1"
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount -t tmpfs -o mode=755 dev "$1/dev"
for name in null zero full random urandom tty; do
    touch "$1/dev/$name"
    mount --bind "/dev/$name" "$1/dev/$name"
done
mkdir "$1/dev/shm" "$1/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
ip link set lo up
ip address add ADDRESS/24 dev lo
cd "$1"
pivot_root . mnt
umount -l /mnt
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target
""".replace("ADDRESS", ADDRESS)


class Machine:
    """A machine that runs."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]", init: int) -> None:
        self.folder = folder
        self._process = process
        self._init = init

    @classmethod
    @contextlib.contextmanager
    def boot(cls, folder: Path) -> Iterator[Self]:
        """Start the machine in this folder and end it."""
        group = _cgroup()
        group.mkdir()
        spaces = ("--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup")
        process = subprocess.Popen(
            ["unshare", *spaces, "sh", "-c", _BOOT, "boot", str(folder)],
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
        )
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            wait_until("its first process starts", lambda: children.read_text().strip() != "")
            machine = cls(folder, process, int(children.read_text().split()[0]))
            wait_until("systemd is up", lambda: machine.says("systemctl is-system-running") in ("running", "degraded"))
            yield machine
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            wait_until("its processes are gone", lambda: _removed(group))

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a shell command in the machine, as its root."""
        spaces = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--root", "--wd")
        clean = ("env", "-i", "HOME=/", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        return subprocess.run(
            [
                "nsenter",
                "--target",
                str(self._init),
                *spaces,
                *clean,
                "DEBIAN_FRONTEND=noninteractive",
                "sh",
                "-c",
                command,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def says(self, command: str) -> str:
        """Run a command and give what it prints, whether it succeeds or not."""
        return self.run(command).stdout.strip()

    def does(self, command: str) -> str:
        """Run a command that must succeed and give what it prints."""
        ended = self.run(command)
        if ended.returncode != 0:
            raise AssertionError(f"{command}\n{ended.stdout}{ended.stderr}")
        return ended.stdout.strip()

    def beside(self, *command: str) -> list[str]:
        """Give the command that runs a program of this machine, with its files, in that one's network."""
        return ["nsenter", "--target", str(self._init), "--net", *command]


def make(folder: Path) -> None:
    """Install a minimal Debian into this folder, unless it is there."""
    done = folder / "etc" / "lancert-try"
    if not done.exists():
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(folder), MIRROR]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        done.touch()


def copy(base: Path, folder: Path) -> None:
    """Lay a fresh machine beside the base."""
    subprocess.run(["cp", "--archive", "--one-file-system", str(base), str(folder)], check=True)


def remove(folder: Path) -> None:
    """Remove the files of a machine that has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def wait_until(what: str, holds: Callable[[], object], patience: float = _PATIENCE) -> float:
    """Wait until something holds and give how many seconds it took. Raises AssertionError."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > patience:
            raise AssertionError(f"waited {patience:.0f} s in vain until {what}")
        time.sleep(0.02)
    return time.monotonic() - started


def _cgroup() -> Path:
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        place, kind = line.split()[1:3]
        if kind == "cgroup2":
            return Path(place, f"lancert-try-{os.getpid()}")
    sys.exit("This kernel has no cgroup version 2, which systemd needs.")


def _removed(group: Path) -> bool:
    for one in sorted(group.rglob("*/"), reverse=True):
        if one.is_dir():
            with contextlib.suppress(OSError):
                one.rmdir()
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()
