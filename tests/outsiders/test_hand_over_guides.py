"""The guides of the hand-over do what they say: their settings, configurations and program are run as they are printed.

Only paths, ports and the account become those of the test. What systemd does there, the lines of the unit are run for.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from faults.handover import NAMES, Box
from tests.peers.handshakes import under_load
from tests.peers.web_servers import Haproxy, Nginx, WebServer

from lancert.box.deploy.outcome import Outcome, Why
from lancert.box.deploy.reading import KEYS, parse_targets
from lancert.box.deploy.targets import Target

DEPLOY = "/var/lib/lancert/deploy"


def _block(page: Path, language: str, number: int = 0) -> str:
    """Give a block of a page, without the indentation of the list it stands in."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.M | re.S)
    indent, block = blocks[number]
    return re.sub(rf"^{indent}", "", str(block), flags=re.M)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What /var/lib/lancert/deploy is in this test."""
    made = tmp_path / "deploy"
    made.mkdir(mode=0o755)
    return made


def _target(text: str, place: Path, ports: dict[str, int]) -> Target:
    text = text.replace(DEPLOY, str(place))
    for port, own in ports.items():
        text = text.replace(port, str(own))
    (target,), complaints = parse_targets(tomllib.loads(f"{text}\ntimeout = 2\n")["deploy"], is_posix=True)
    assert complaints == ()
    return target


@pytest.fixture
def program_port() -> Iterator[int]:
    """Where the program behind the server answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(10)


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _unit(sources: Path, target: Target, reload: Callable[[], bool]) -> Iterator[None]:
    """Do what lancert-deploy@.path and .service do, in a thread: take the request away, then reload."""
    watched = re.findall(r"^PathExists=(.*)$", (sources / "lancert-deploy@.path").read_text(), re.M)
    assert watched == [f"{DEPLOY}/%i/reload"]
    service = (sources / "lancert-deploy@.service").read_text(encoding="utf-8")
    remove, reloads = re.findall(r"^ExecStart=\+?(.*)$", service, re.M)
    (tell,) = re.findall(r"^ExecStopPost=/bin/sh -c '(.*)'$", service, re.M)
    assert reloads == "/bin/systemctl try-reload-or-restart %i.service"
    assert target.request is not None
    over, request = threading.Event(), target.request

    def own(line: str) -> str:
        return line.replace("%i", target.name).replace(DEPLOY, str(target.folder.parent)).replace("$$", "$")

    def watch() -> None:
        while not over.wait(0.02):
            if request.exists():
                subprocess.run(own(remove).split(), check=True)
                result = "success" if reload() else "exit-code"
                subprocess.run(["sh", "-c", own(tell)], check=True, env={"SERVICE_RESULT": result})

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def _configured(kind: type[WebServer], program: str, place: Path, port: int, written: str) -> WebServer:
    """Give a server whose configuration is its own preamble and then what the guide prints."""
    preamble = re.compile(r"  server \{.*\}\n\}\n\Z|frontend https.*\Z", re.S)
    server = kind(program, place.parent / "server", port, "")
    head = preamble.sub("", server.settings.read_text(encoding="ascii"))
    tail = written.replace(DEPLOY, str(place)).replace("listen 9443", f"listen 127.0.0.1:{port}")
    tail = tail.replace("bind :9443", f"bind 127.0.0.1:{port}")
    server.settings.write_text(head + tail + ("}\n" if kind is Nginx else ""), encoding="ascii")
    return server


@pytest.mark.parametrize(("name", "kind"), [("nginx", Nginx), ("haproxy", Haproxy)])
def test_the_guide_of_a_server_works_as_printed(
    name: str,
    kind: type[WebServer],
    root: Path,
    place: Path,
    tool: Callable[[str], str],
    free_port: Callable[[], int],
    program_port: int,
    tmp_path: Path,
) -> None:
    """First the files without the server, then the server, then renewals without a lost handshake."""
    page, port, box = root / "docs" / "guides" / f"{name}.md", free_port(), Box(tmp_path)
    target = _target(_block(page, "toml"), place, {"9443": port})
    server = _configured(kind, tool(name), place, port, _block(page, name).replace("8069", str(program_port)))

    def reload() -> bool:
        if isinstance(server, Nginx):
            return subprocess.run(server.reload_command, check=False).returncode == 0
        check = subprocess.run([server.program, "-c", "-q", "-f", server.settings], check=False)
        if check.returncode == 0:
            os.kill(int(server.pid_file.read_text()), signal.SIGUSR2)
        return check.returncode == 0

    with _unit(root / "packaging" / "debian", target, lambda: True):
        assert box.hand_over(target, box.renew()) is Outcome.KEPT
    with server, _unit(root / "packaging" / "debian", target, reload):
        assert box.hand_over(target, box.latest()) is Outcome.DONE
        with under_load(port, NAMES[1], box.root, threads=2) as seen:
            for _ in range(2):
                seen.until(seen.handshakes + 20)
                assert box.hand_over(target, box.renew()) is Outcome.DONE
            seen.until(seen.handshakes + 20)
            server.settings.write_text(f"{server.settings.read_text()}nonsense\n", encoding="ascii")
            outcome, failure = box.hand_over_saying(target, box.renew())

    assert seen.failed == []
    assert len(seen.certificates) == 3
    assert outcome is Outcome.ROLLED_BACK
    assert failure is not None
    assert (failure.why, failure.facts["result"]) == (Why.REQUEST_FAILED, "exit-code")


@pytest.mark.parametrize(("name", "number"), [("nginx", 1), ("haproxy", 1)])
def test_the_other_way_of_a_guide_is_a_sound_setting(name: str, number: int, root: Path) -> None:
    """What is printed for machines without the package can be put in place of the request."""
    page = root / "docs" / "guides" / f"{name}.md"
    kept = [line for line in _block(page, "toml").splitlines() if not line.startswith("reload_request")]
    written = "\n".join([*kept, _block(page, "toml", number)])
    (target,), complaints = parse_targets(tomllib.loads(written)["deploy"], is_posix=True)

    assert complaints == ()
    assert target.reload is not None


def test_the_program_of_the_guide_serves_each_renewal(
    root: Path, place: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    """The Python program of the page, as printed: it notices by itself and loses no handshake."""
    page, port, box = root / "docs" / "guides" / "application.md", free_port(), Box(tmp_path)
    settings = _block(page, "toml").replace('group = "till"', f'group = "{os.getegid()}"')
    target = _target(settings, place, {"9443": port})
    box.hand_over(target, box.renew())
    program = tmp_path / "till.py"
    text = _block(page, "python").replace(DEPLOY, str(place)).replace('("", 9443)', f'("127.0.0.1", {port})')
    program.write_text(text, encoding="utf-8")

    with _running(program, tmp_path), under_load(port, NAMES[1], box.root, threads=2) as seen:
        for _ in range(3):
            seen.until(seen.handshakes + 20)
            assert box.hand_over(target, box.renew()) is Outcome.DONE
        seen.until(seen.handshakes + 20)

    assert seen.failed == []
    assert len(seen.certificates) == 4


@contextmanager
def _running(program: Path, place: Path) -> Iterator[None]:
    import socket
    import time

    (port,) = re.findall(r'ADDRESS = \("127.0.0.1", (\d+)\)', program.read_text(encoding="utf-8"))
    with (place / "till.log").open("wb") as log, subprocess.Popen([sys.executable, program], stderr=log) as process:
        try:
            end = time.monotonic() + 20
            while True:
                assert process.poll() is None, (place / "till.log").read_text()
                try:
                    socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < end
                    time.sleep(0.02)
            yield
        finally:
            process.kill()


def test_the_table_of_the_guide_names_every_setting(root: Path) -> None:
    """A setting without a line in the guide, or a line without a setting, fails here."""
    page = (root / "docs" / "guides" / "application.md").read_text(encoding="utf-8")
    table = page.partition("| setting | default | meaning |")[2]
    named = [name for cell in re.findall(r"^\| (`[^|]*) \|", table, re.M) for name in re.findall(r"`(\w+)`", cell)]

    assert sorted(named) == sorted(KEYS)


def test_the_package_brings_the_guides_and_the_units(our_program: Callable[[str], object], root: Path) -> None:
    """What the pages and the units name is in the package."""
    deb = our_program("deb")

    assert {"nginx.md", "haproxy.md", "application.md"} <= set(vars(deb)["GUIDES"])
    assert {"lancert-deploy@.path", "lancert-deploy@.service"} <= set(vars(deb)["PLACES"])


def test_systemd_has_nothing_to_say_against_the_units(tool: Callable[[str], str], root: Path, tmp_path: Path) -> None:
    """As systemd reads them when they are enabled for a service."""
    for kind in ("path", "service"):
        shutil.copy(
            root / "packaging" / "debian" / f"lancert-deploy@.{kind}", tmp_path / f"lancert-deploy@nginx.{kind}"
        )
    command = [tool("systemd-analyze"), "verify", "--man=no", *map(str, tmp_path.glob("*@*"))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
