"""Having a program reload: nothing that is run, signalled or asked lasts, prints or inherits without a limit."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lancert.box.deploy.outcome import Failure, Why
from lancert.box.deploy.reading import parse_targets
from lancert.box.deploy.reloading import reload_target, run_command
from lancert.box.deploy.targets import Target


def _run(script: str, *, timeout: float = 20.0, is_over: bool = False) -> Failure | None:
    return run_command((sys.executable, "-c", script), timeout, lambda: is_over)


def _target(folder: Path, **more: object) -> Target:
    (target,), complaints = parse_targets([{"name": "app", "key": f"{folder}/tls/key.pem", **more}], is_posix=True)
    assert complaints == ()
    target.folder.mkdir(exist_ok=True)
    return target


def test_a_command_is_judged_by_its_status() -> None:
    """What it printed is kept when it fails, whether on the one output or the other."""
    failure = _run("import sys; print('out'); print('[emerg] no', file=sys.stderr); sys.exit(3)")

    assert _run("pass") is None
    assert failure is not None
    assert failure.why is Why.COMMAND_FAILED
    assert failure.facts["status"] == "3"
    assert {"out", "[emerg] no"} == set(failure.said.splitlines())


def test_a_command_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-05: no environment of ours, no input, no terminal, a folder that is everybody's."""
    monkeypatch.setenv("LANCERT_SECRET", "canary")
    failure = _run(
        "import os, sys; print(sorted(os.environ), os.getcwd(), sys.stdin.read(), os.getsid(0) == os.getpid());"
        "sys.exit(1)"
    )

    assert failure is not None
    assert failure.said == "['LC_ALL', 'PATH'] /  True"


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """The time is up for everything it started."""
    note = tmp_path / "child"
    child = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(60)"
    script = f"import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', {child!r}])"
    began = time.monotonic()
    failure = _run(script, timeout=2.0)

    assert failure is not None
    assert (failure.why, failure.said) == (Why.COMMAND_SLOW, "begun")
    assert time.monotonic() - began < 15
    child_number = int(note.read_text())
    while _runs(child_number):
        assert time.monotonic() - began < 30
        time.sleep(0.01)


def _runs(number: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_command_that_prints_without_end_fills_nothing() -> None:
    """The end of it is kept."""
    failure = _run("import sys; sys.stdout.write('x' * 3_000_000 + 'the end'); sys.exit(1)")

    assert failure is not None
    assert failure.said.endswith("the end")
    assert len(failure.said) < 1000


def test_a_daemon_left_behind_is_not_waited_for() -> None:
    """What a reload starts for good may keep the output open."""
    began = time.monotonic()
    script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(8)'])"

    assert _run(script) is None
    assert time.monotonic() - began < 7


def test_a_program_that_is_not_there_is_named() -> None:
    """Neither a traceback nor a silence."""
    failure = run_command(("/no/such/program",), 5, lambda: False)

    assert failure is not None
    assert failure.why is Why.COMMAND_MISSING
    assert failure.facts == {"program": "program", "detail": "No such file or directory"}


def test_stopping_the_agent_ends_a_command() -> None:
    """An agent that is told to stop does not wait for somebody else's program."""
    began = time.monotonic()
    failure = _run("import time; time.sleep(60)", timeout=60, is_over=True)

    assert failure == Failure(why=Why.INTERRUPTED)
    assert time.monotonic() - began < 20


def test_a_signal_reaches_the_process_in_the_file(tmp_path: Path) -> None:
    """By its number in a file, as programs write it."""
    pid_file = tmp_path / "app.pid"
    target = _target(tmp_path, reload_signal="USR1", pid_file=str(pid_file))
    with subprocess.Popen(["sleep", "60"]) as process:
        pid_file.write_text(f"{process.pid}\n")
        failure = reload_target(target, lambda: False)

        assert failure is None
        assert process.wait(20) == -signal.SIGUSR1


@pytest.mark.parametrize(
    ("content", "mode", "detail"),
    [
        (None, 0o644, "No such file"),
        (b"", 0o644, "no process number"),
        (b"1", 0o644, "no process number"),
        (b"-1", 0o644, "no process number"),
        (b"0", 0o644, "no process number"),
        ("٣٤٥".encode(), 0o644, "no process number"),
        (b"9" * 60, 0o644, "?"),
        (b"9" * 90, 0o644, "?"),
        (b"4194304", 0o644, "No such process"),
        (b"4194304", 0o666, "other accounts may write"),
    ],
)
def test_no_signal_is_sent_by_a_file_that_cannot_be_trusted(
    tmp_path: Path, content: bytes | None, mode: int, detail: str
) -> None:
    """Every process, or the wrong one, would be worse than none."""
    pid_file = tmp_path / "app.pid"
    if content is not None:
        pid_file.write_bytes(content)
        pid_file.chmod(mode)
    failure = reload_target(_target(tmp_path, reload_signal="HUP", pid_file=str(pid_file)), lambda: False)

    assert failure is not None
    assert failure.why is Why.SIGNAL
    assert detail in failure.facts["detail"]


def test_a_request_is_done_when_it_was_taken_away(tmp_path: Path) -> None:
    """Whoever may reload takes the file; who never does is told of."""
    target = _target(tmp_path, reload_request=f"{tmp_path}/tls/reload", timeout=1)
    failure = reload_target(target, lambda: False)
    assert failure is not None
    assert (failure.why, failure.facts["seconds"]) == (Why.NOT_TAKEN_UP, "1")

    assert target.request is not None
    request, over = target.request, threading.Event()

    def take() -> None:
        while not over.wait(0.02):
            request.unlink(missing_ok=True)

    taker = threading.Thread(target=take)
    taker.start()
    try:
        assert reload_target(target, lambda: False) is None
    finally:
        over.set()
        taker.join(10)


def test_a_target_that_watches_its_files_is_told_nothing(tmp_path: Path) -> None:
    """No way to reload is no failure."""
    assert reload_target(_target(tmp_path), lambda: False) is None
