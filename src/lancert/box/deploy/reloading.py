"""Has a target read its files again, with limits on everything: time, output, environment.

No shell, no inherited environment, no terminal, no wait without an end. What a program prints is kept by its last few
lines, and redacted where it is shown. A program that leaves a daemon behind is not waited for longer than itself.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lancert.box.deploy.outcome import Failure, Why, bounded
from lancert.box.deploy.targets import Command, Request, Signal, Target
from lancert.kit.files import read_limited, write_for

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_OUTPUT_BYTES = 4096
_LOOK = 0.05

IsOver = Callable[[], bool]
"""Says whether the agent is being stopped."""


def reload_target(target: Target, is_over: IsOver) -> Failure | None:
    """Have the target read its files again; gives what failed."""
    match target.reload:
        case Command(arguments=arguments):
            return run_command(arguments, target.timeout, is_over)
        case Signal() as wanted:
            return _send(wanted)
        case Request() as request:
            return _request(request, target.timeout, is_over)
        case None:
            return None


def run_command(arguments: tuple[str, ...], timeout: float, is_over: IsOver) -> Failure | None:
    """Run a program to its end and judge it by its exit status; it is killed with its children when it is slow."""
    program = {"program": Path(arguments[0]).name}
    try:
        process = subprocess.Popen(  # noqa: S603 - an argument list of the settings, no shell
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return Failure(why=Why.COMMAND_MISSING, facts={**program, "detail": error.strerror or "?"})
    said, status = _watch(process, time.monotonic() + timeout, is_over)
    if status is None and is_over():
        return Failure(why=Why.INTERRUPTED)
    if status is None:
        return Failure(why=Why.COMMAND_SLOW, facts={**program, "seconds": f"{timeout:g}"}, said=said)
    if status != 0:
        return Failure(why=Why.COMMAND_FAILED, facts={**program, "status": str(status)}, said=said)
    return None


def _watch(process: subprocess.Popen[bytes], end: float, is_over: IsOver) -> tuple[str, int | None]:
    """Give the last of what a program printed, and its exit status; None when it had to be ended."""
    assert process.stdout is not None
    said = bytearray()
    with selectors.DefaultSelector() as selector, process.stdout as pipe:
        os.set_blocking(pipe.fileno(), False)
        selector.register(pipe, selectors.EVENT_READ)
        while process.poll() is None and time.monotonic() < end and not is_over():
            if selector.select(_LOOK) and not _take(pipe.fileno(), said):
                selector.unregister(pipe)  # it closed its output and works on
                break
        status = _status_by(process, end, is_over)
        if status is None:
            _end(process)
        _take(pipe.fileno(), said)
    return bounded(said.decode("utf-8", "replace")), status


def _status_by(process: subprocess.Popen[bytes], end: float, is_over: IsOver) -> int | None:
    while time.monotonic() < end and not is_over():
        try:
            return process.wait(_LOOK)
        except subprocess.TimeoutExpired:
            continue
    return process.poll()


def _take(descriptor: int, said: bytearray) -> bool:
    """Read what is there and keep the last of it; says whether more may come."""
    try:
        read = os.read(descriptor, 65_536)
    except BlockingIOError:
        return True
    said += read
    del said[:-_OUTPUT_BYTES]
    return bool(read)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.wait()


def _send(wanted: Signal) -> Failure | None:
    facts = {"file": str(wanted.pid_file)}
    try:
        found = wanted.pid_file.stat()
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            return Failure(why=Why.SIGNAL, facts={**facts, "detail": "other accounts may write in it"})
        text = read_limited(wanted.pid_file, 64).strip()
        if not text.isdigit() or int(text) < 2:
            return Failure(why=Why.SIGNAL, facts={**facts, "detail": "there is no process number in it"})
        os.kill(int(text), getattr(signal, f"SIG{wanted.name}"))
    except (OSError, OverflowError) as error:
        return Failure(why=Why.SIGNAL, facts={**facts, "detail": getattr(error, "strerror", None) or "?"})
    return None


def refused_request(target: Target) -> Failure | None:
    """Say whether whoever took the request away has told by now that the reload failed."""
    if not isinstance(target.reload, Request):
        return None
    try:
        result = read_limited(target.reload.result, 64).decode("ascii", "replace").strip()
    except OSError:
        return None
    if result in ("", "success"):
        return None
    return Failure(why=Why.REQUEST_FAILED, facts={"result": result, "file": str(target.reload.result)})


def _request(request: Request, timeout: float, is_over: IsOver) -> Failure | None:
    """Ask by a file, and wait until it is taken away: nothing is lost when nobody looks at that moment."""
    file = request.file
    try:
        request.result.unlink(missing_ok=True)
        write_for(file, b"", 0o644)
    except OSError as error:
        return Failure(why=Why.PLACE, facts={"detail": f"{file}: {error.strerror}"})
    end = time.monotonic() + timeout
    while file.exists():
        if is_over():
            return Failure(why=Why.INTERRUPTED)
        if time.monotonic() >= end:
            return Failure(why=Why.NOT_TAKEN_UP, facts={"file": str(file), "seconds": f"{timeout:g}"})
        time.sleep(_LOOK)
    return None
