"""Make the virtual environment and what goes into it, from a bare Debian with Python 3.11.

``run`` installs what the programs need, ``dev`` what checking and testing need, ``test`` also the Debian packages
the tests drive. Everything comes from the hash locks in ``requirements/``. A second call finds the first one's
work and does nothing. One line per step; the details go to ``.cache/set-up.log`` and are shown when a step fails.
"""

from __future__ import annotations  # lets an older Python read as far as the sentence that says it is too old

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / ".cache" / "set-up.log"
OUTSIDE_TOOLS = ROOT / "tools" / "outside-tools.txt"
# Who is not root has no servers on the path.
WHERE_PROGRAMS_ARE = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))

# What each purpose installs; dev.txt holds everything the others hold, in the same versions.
LOCKS = {"run": ("service.txt", "build.txt"), "dev": ("dev.txt",)}


class StepFailed(Exception):
    """A step ended badly; the text says what to do."""


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):
        print("lancert needs Python 3.11 or newer; name one with: make PYTHON=/usr/bin/python3.11", file=sys.stderr)
        return 2
    if len(arguments) != 1 or arguments[0] not in ("run", "dev", "test"):
        print("usage: python3 tools/set_up.py run|dev|test", file=sys.stderr)
        return 2
    try:
        set_up(arguments[0])
    except StepFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def set_up(purpose: str) -> None:
    """Bring the machine to where the purpose needs it."""
    packages = "run" if purpose == "run" else "dev"
    mark = marker(packages)
    ready = is_marked(packages, mark)
    missing = [] if ready or importlib.util.find_spec("ensurepip") else [f"python3.{sys.version_info.minor}-venv"]
    if purpose == "test":
        missing += missing_outside_tools()
    if missing:
        apt_install(missing)
    if not ready:
        make_environment()
        install(packages, mark)


def missing_outside_tools() -> list[str]:
    """Give the Debian packages whose program is not on the path (or which are not installed, without program)."""
    found = []
    for line in OUTSIDE_TOOLS.read_text(encoding="utf-8").splitlines():
        program, _, package = line.partition(" ")
        if line.startswith("#") or not package:
            continue
        if not (is_installed(package.strip()) if program == "-" else shutil.which(program, path=WHERE_PROGRAMS_ARE)):
            found.append(package.strip())
    return found


def is_installed(package: str) -> bool:
    """Say whether a Debian package is there; where there is no dpkg, it is somebody else's business."""
    if shutil.which("dpkg-query") is None:
        return True
    asked = ["dpkg-query", "-W", "-f=${Status}", package]
    return "ok installed" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout


# What Debian would start at the next boot; on this machine only the tests need the programs.
SERVICES = {"haproxy": "haproxy", "nginx-light": "nginx", "unbound": "unbound"}


def apt_install(packages: list[str]) -> None:
    """Install Debian packages when root; otherwise end with the one line to type."""
    names = " ".join(packages)
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StepFailed(f"missing; on Debian type: sudo apt-get install --no-install-recommends {names}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    step("looking up Debian packages", ["apt-get", "update"], quiet)
    with services_not_started(packages):
        step(f"installing {names}", ["apt-get", "install", "-y", "--no-install-recommends", *packages], quiet)


@contextlib.contextmanager
def services_not_started(packages: list[str]) -> Iterator[None]:
    """Let no server run on this machine because the tests drive its program (deb-systemd-invoke(1p))."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink(missing_ok=True)
    if shutil.which("systemctl"):
        for package in set(packages) & SERVICES.keys():
            disabling = ["systemctl", "disable", "--quiet", SERVICES[package]]
            subprocess.run(disabling, stderr=subprocess.DEVNULL, check=False)


def make_environment() -> None:
    """Make ``.venv``, anew when it is of another Python or was moved."""
    if VENV.exists() and not works():
        shutil.rmtree(VENV)
    if not VENV.exists():
        step("making the virtual environment .venv", [sys.executable, "-m", "venv", str(VENV)])


def works() -> bool:
    """Say whether the environment's pip starts and lies where we think it does."""
    asked = [str(VENV / "bin" / "pip"), "--version"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return str(VENV) in said


def install(packages: str, mark: str) -> None:
    """Install the locked packages and lancert itself, then leave the mark that says so."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    locks = [part for name in LOCKS[packages] for part in ("-r", str(ROOT / "requirements" / name))]
    said = " and ".join(f"requirements/{name}" for name in LOCKS[packages])
    step(f"installing {said}", [*pip, "--require-hashes", "--only-binary", ":all:", *locks])
    step("installing lancert", [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    mark_file(packages).write_text(mark, encoding="utf-8")
    if packages == "dev":
        mark_file("run").write_text(marker("run"), encoding="utf-8")


def mark_file(packages: str) -> Path:
    return VENV / f"set-up-{packages}"


def marker(packages: str) -> str:
    """Sum up what the environment depends on: Python, place, locks, the project's own description."""
    inputs = [ROOT / "requirements" / name for name in LOCKS[packages]] + [ROOT / "pyproject.toml"]
    summed = hashlib.sha256(f"{sys.version}\n{ROOT}\n".encode())
    for path in inputs:
        if not path.is_file():
            raise StepFailed(f"{path.relative_to(ROOT)} is missing; make lock writes the requirements")
        summed.update(path.read_bytes())
    return summed.hexdigest()


def is_marked(packages: str, mark: str) -> bool:
    """Say whether an earlier call installed just this."""
    file = mark_file(packages)
    return file.is_file() and file.read_text(encoding="utf-8") == mark and works()


def step(what: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run one command with its output in the log; one line says what and how long."""
    print(f"set-up: {what} ...", end="", flush=True)
    started = time.monotonic()
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a+b") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        before = log.tell()
        ended = subprocess.run(command, stdout=log, stderr=log, env=environment, cwd=ROOT, check=False)
        log.seek(before)
        said = log.read().decode("utf-8", "replace").strip().splitlines()
    if ended.returncode != 0:
        print(" failed", flush=True)
        tail = "\n".join(f"    {line}" for line in said[-15:])
        raise StepFailed(f"{tail}\nset-up stopped while {what}; the whole output is in .cache/set-up.log")
    print(f" {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
