"""A broken settings file never stops an agent: the real one serves what it served, and says which line it is."""

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import click.testing
import pytest
from cryptography import x509
from tests.box.conftest import Authority
from tests.box.given import LABEL, NAMES
from tests.journeys.world import lancert, until
from tests.peers.authority import TODAY, new_key, pem

from lancert.box.facts import Ports
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
from lancert.cli import group
from lancert.kit.settings import environment_without_settings

NAME = f"192-168-1-5.{LABEL}.lancert.localhost"


@pytest.fixture
def box(authority: Authority, tmp_path: Path, free_port: Callable[[], int]) -> Folder:
    """A box with a certificate, that listened on two ports when it ran last."""
    folder = Folder(tmp_path / "box")
    key = new_key()
    far = TODAY + timedelta(days=20)
    CertificateStore(folder.certificates).install(
        key, authority.chain(NAMES, key), renewal_start=far, renewal_end=far + timedelta(days=5)
    )
    folder.listens(Ports(http=free_port(), https=free_port()))
    return folder


@contextmanager
def running(folder: Folder, *options: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """Run the agent as a unit does, without ports at the command line, until its homepage is served."""
    command = [sys.executable, "-m", "lancert", "box", "run", "--folder", str(folder.path)]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1", "--address", "127.0.0.1", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment_without_settings(), **(env or {})},
    )
    with process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("The homepage of this IoT system"), line + process.stdout.read()
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def _status(port: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_page(port, "/status.json"))
    return document


def _page(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return unescape(connection.getresponse().read().decode())
    finally:
        connection.close()


def _served(port: int, authority: Authority) -> x509.Certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem(authority.root.certificate).decode())
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as tcp,
        context.wrap_socket(tcp, server_hostname=NAME) as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


def _write(content: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content)


BROKEN: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no TOML": (_write(b'name = "Till 2"\nhttp_port = \n'), "settings-line", "Line 2 of box.toml"),
    "no text": (_write(b'name = "Till 2"\nhttp_port = 80 # \xff\n'), "settings-not-text", "Line 2 of box.toml"),
    "an unknown setting": (_write(b'name = "Till 2"\nhttp_prt = 80\n'), "settings-unknown", "Did you mean http_port?"),
    "a port out of range": (_write(b'name = "Till 2"\nhttp_port = 65536\n'), "settings-value", "from 0 to 65535"),
    "a wrong type": (_write(b'name = "Till 2"\nhttps_port = [1]\n'), "settings-value", "https_port = 443"),
    "a directory": (lambda file: file.mkdir(), "settings-no-file", "box.toml is not a file"),
}


@pytest.mark.promise("M10")
@pytest.mark.parametrize(("spoil", "notice", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_settings_file_stops_nothing_and_is_named_everywhere(
    box: Folder, authority: Authority, spoil: Callable[[Path], object], notice: str, says: str
) -> None:
    """The last certificate on the last ports, the settings that can be read, and the same words at every door."""
    spoil(box.path / "box.toml")
    ports = box.listening()
    assert ports is not None
    with running(box):
        served, status, home = _served(ports.https, authority), _status(ports.http), _page(ports.http, "/")
        by_command = _typed("status", box).output
        by_doctor = json.loads(_typed("doctor", box, "--json").output)
        logged = [json.loads(line) for line in box.log_file.read_text().splitlines()]

    assert served == _stored(box)
    assert status["certificate"]["is_valid"]
    assert status["name"] == ("Till 2" if (box.path / "box.toml").is_file() else socket.gethostname().split(".")[0])
    assert [one["id"] for one in status["notices"]] == [notice]
    for sentence in (status["notices"][0]["meaning"], *status["notices"][0]["remedy"]):
        assert sentence in home
        assert sentence in by_command
    assert says in home
    assert [one["because"] for one in by_doctor if one["check"] == "settings-readable"] == [notice]
    assert [one["notice"] for one in logged if one["event"] == "a setting needs attention"] == [notice]
    assert box.listening() == ports


def _typed(command: str, box: Folder, *options: str) -> click.testing.Result:
    words = ["box", command, "--folder", str(box.path), *options]
    return click.testing.CliRunner().invoke(group, words, prog_name="lancert")


def _stored(box: Folder) -> x509.Certificate:
    store = CertificateStore(box.certificates)
    store.check()
    assert store.generation is not None
    return store.generation.chain[0]


def test_a_mended_file_is_noticed_while_the_agent_runs(box: Folder) -> None:
    """What is mended needs no restart where nothing else would count then; otherwise the page asks for one."""
    ports, file = box.listening(), box.path / "box.toml"
    assert ports is not None
    file.write_text(f"name = Till 2\nhttp_port = {ports.http}\n")

    def told() -> list[str]:
        return [one["id"] for one in _status(ports.http)["notices"]]

    with running(box, "--https-port", str(ports.https)):
        seen = [told()]
        file.write_text(f"name = 'Till 2'\nhttp_port = {ports.http}\n")
        until(lambda: told() == ["settings-restart"], "the wish for a restart")
        file.write_text(f"http_port = {ports.http}  # the name of the machine will do\n")
        until(lambda: told() == [], "nothing to tell")
        logged = [json.loads(line)["event"] for line in box.log_file.read_text().splitlines()]

    assert seen == [["settings-line"]]
    assert "the settings are in order again" in logged


def test_a_wrong_variable_of_the_environment_stops_nothing_and_a_wrong_option_does(box: Folder) -> None:
    """Nobody reads the start of a unit, so it goes on; whoever types a command reads why it ended."""
    ports = box.listening()
    assert ports is not None
    with running(box, env={"LANCERT_BOX_HTTPS_PORT": "https", "LANCERT_BOX_MAINTENANCE": "at night"}):
        told = [one["id"] for one in _status(ports.http)["notices"]]
    typed = lancert("box", "run", "--folder", str(box.path), "--maintenance", "at night", check=False)

    assert told == ["environment-value", "environment-value"]
    assert typed.returncode == 2
    assert "02:00-05:00" in typed.stderr


def test_a_file_without_right_to_read_is_named(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The account of the agent may not read the settings, or a file of its own folder: told, and not moved."""
    script = (
        "import sys, pathlib; from lancert.box.folder import Folder; from lancert.box.settings import read_settings;"
        "place = pathlib.Path(sys.argv[1]); folder = Folder(place); folder.check();"
        "print(*(one.id for one in (*read_settings(place, ['name']).notices, *folder.notices())))"
    )
    for name in ("box.toml", "connection.json"):
        (tmp_path / name).write_text("{}")
        (tmp_path / name).chmod(0)
    # Root may read everything; without its capabilities it is an account like any other.
    plain = [tool("setpriv"), "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    said = subprocess.run(
        [*plain, sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )

    assert said.stdout.split() == ["settings-no-right", "file-unreadable"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.toml", "connection.json"]
