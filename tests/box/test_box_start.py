"""The start of an agent, as a process: what is stored is served at once, whatever state it is in."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests.box.conftest import Authority
from tests.box.given import LABEL, NAMES
from tests.peers.authority import TODAY, new_key, pem
from tests.peers.small_disk import on_a_read_only_disk

from lancert.box.store import CertificateStore
from lancert.kit.settings import environment_without_settings

_RUN = """
import asyncio, pathlib, sys
from ipaddress import ip_address
from lancert.box.app import BoxSettings, run
from lancert.protocol.messages import Kind
settings = BoxSettings(
    folder=pathlib.Path(sys.argv[1]), name="Shop", kind=Kind.BOX, http_port=0, https_port=0,
    listen=("127.0.0.1",), addresses=(ip_address("127.0.0.1"),),
)
asyncio.run(run(settings, lambda started: print(started.ports.http, started.ports.https, started.new_pin, flush=True)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent that runs."""

    process: subprocess.Popen[str]
    http: int
    https: int
    new_pin: str | None


@contextmanager
def _agent(folder: Path, before: Sequence[str] = ()) -> Iterator[Agent]:
    command = [*before, sys.executable, "-c", _RUN, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment_without_settings()
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline().split()
            assert line, process.stderr.read()
            pin = None if line[2] == "None" else line[2]
            yield Agent(process=process, http=int(line[0]), https=int(line[1]), new_pin=pin)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=20)


def _status(agent: Agent) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", agent.http, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def _shown(agent: Agent) -> x509.Certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", agent.https), timeout=20) as tcp,
        context.wrap_socket(tcp, server_hostname=f"{LABEL}.lancert.localhost") as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


@pytest.fixture
def install(authority: Authority, tmp_path: Path) -> Callable[[], tuple[Path, x509.Certificate]]:
    """Store a certificate in the box's folder; gives its file and what it is."""

    def do() -> tuple[Path, x509.Certificate]:
        key = new_key()
        chain = authority.chain(NAMES, key)
        store = CertificateStore(tmp_path / "box" / "certificates")
        window = {"renewal_start": TODAY + timedelta(days=20), "renewal_end": TODAY + timedelta(days=30)}
        return store.install(key, chain, **window).path, chain[0]

    return do


def test_the_first_start_has_a_pin_a_homepage_and_a_stop_gap(tmp_path: Path) -> None:
    """I-1, S-31: the PIN is told once; the homepage answers by HTTP, and by HTTPS after a warning."""
    with _agent(tmp_path / "box") as agent:
        first = (_status(agent), _shown(agent).subject)
        pin = agent.new_pin
    with _agent(tmp_path / "box") as again:
        assert _status(again) == 200
        assert again.new_pin is None

    assert first == (200, x509.Name.from_rfc4514_string("CN=IoT system without a certificate yet"))
    assert pin is not None
    assert len(pin) == 10
    assert pin not in (tmp_path / "box" / "log" / "box.log").read_text()


@pytest.mark.promise("M2", "M10")
def test_a_stored_certificate_is_served_from_the_first_handshake_on(
    tmp_path: Path, install: Callable[[], tuple[Path, x509.Certificate]], authority: Authority
) -> None:
    """M2, S-16: without any server the shop has its lock back, strictly verified, and no stop-gap is made."""
    _, certificate = install()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem(authority.root.certificate).decode())
    with (
        _agent(tmp_path / "box") as agent,
        socket.create_connection(("127.0.0.1", agent.https), timeout=20) as tcp,
        context.wrap_socket(tcp, server_hostname=f"192-168-1-5.{LABEL}.lancert.localhost") as tls,
    ):
        assert x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"") == certificate
        assert _status(agent) == 200
    assert not (tmp_path / "box" / "stop-gap.pem").exists()


@pytest.mark.promise("M10", "M13")
def test_a_damaged_certificate_leaves_the_older_one_in_service(
    tmp_path: Path, install: Callable[[], tuple[Path, x509.Certificate]]
) -> None:
    """F-08, I-2: the newest file is damaged; the shop keeps its lock by the one before."""
    _, older = install()
    newest, _ = install()
    newest.write_bytes(newest.read_bytes()[:500])
    with _agent(tmp_path / "box") as agent:
        assert _shown(agent) == older
        assert _status(agent) == 200
    assert not (tmp_path / "box" / "stop-gap.pem").exists()


@pytest.mark.promise("M10", "M13")
@pytest.mark.parametrize("spoil", [b"", b"\xff" * 3000, b"<html>"], ids=["empty", "garbage", "HTML"])
def test_a_damaged_only_certificate_gives_way_to_the_stop_gap(
    tmp_path: Path, install: Callable[[], tuple[Path, x509.Certificate]], spoil: bytes
) -> None:
    """F-08, I-1: HTTP always answers, HTTPS with the stop-gap."""
    only, _ = install()
    only.write_bytes(spoil)
    with _agent(tmp_path / "box") as agent:
        assert _status(agent) == 200
        assert _shown(agent).subject == x509.Name.from_rfc4514_string("CN=IoT system without a certificate yet")


@pytest.mark.promise("M10", "M13")
def test_a_key_that_others_could_read_is_not_served(
    tmp_path: Path, install: Callable[[], tuple[Path, x509.Certificate]]
) -> None:
    """F-12: at the start the rights are looked at before anything is served."""
    only, certificate = install()
    only.chmod(0o644)
    with _agent(tmp_path / "box") as agent:
        assert _shown(agent) != certificate
        assert _status(agent) == 200


def test_one_folder_has_one_agent_and_kill_blocks_nobody(tmp_path: Path) -> None:
    """F-11: the second agent ends at once; after kill -9 the next one starts."""
    with _agent(tmp_path / "box") as first:
        second = subprocess.run(
            [sys.executable, "-c", _RUN, str(tmp_path / "box")], capture_output=True, text=True, timeout=60, check=False
        )
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(timeout=20)
    with _agent(tmp_path / "box") as third:
        assert _status(third) == 200

    assert second.returncode != 0
    assert "AlreadyLocked" in second.stderr


def test_an_agent_that_is_told_to_stop_stops(tmp_path: Path) -> None:
    """F-75: SIGTERM ends it properly, twice too."""
    with _agent(tmp_path / "box") as agent:
        agent.process.terminate()
        agent.process.terminate()

        assert agent.process.wait(timeout=20) == 0


def _folders(box: Path) -> None:
    for name in ("connection.json", "enrolment.json", "last-try.json", "pin.json", "boot.json", "listening.json"):
        (box / name / "within").mkdir(parents=True)


def _pipes(box: Path) -> None:
    for name in ("connection.json", "pin.json", "identity.pem"):
        os.mkfifo(box / name)


FOLDERS: dict[str, Callable[[Path], object]] = {
    "damaged facts": lambda box: [
        (box / name).write_bytes(b"{\xff")
        for name in ("connection.json", "enrolment.json", "last-try.json", "pin.json", "boot.json", "time.json")
    ],
    "folders for facts": _folders,
    "pipes for facts": _pipes,
    "damaged root": lambda box: (box / "root.pem").write_bytes(b"-----BEGIN"),
    "damaged identity": lambda box: (box / "identity.pem").write_bytes(b"x"),
    "a file for the certificates": lambda box: (box / "certificates").write_bytes(b"x"),
    "a link to nowhere for the certificates": lambda box: (box / "certificates").symlink_to(box / "nowhere"),
    "a file for the folder of the log": lambda box: (box / "log").write_bytes(b"x"),
    "a folder for the lock": lambda box: (box / "lock" / "within").mkdir(parents=True),
    "a folder for the stop-gap": lambda box: (box / "stop-gap.pem" / "within").mkdir(parents=True),
    "a folder for the log": lambda box: (box / "log" / "box.log").mkdir(parents=True),
    "open to others": lambda box: box.chmod(0o777),
    "a folder for the stop-gap's rest": lambda box: (box / ".stop-gap.pem.0000.new").mkdir(),
}


@pytest.mark.promise("M10")
@pytest.mark.parametrize("spoil", FOLDERS.values(), ids=FOLDERS)
def test_no_damage_in_the_folder_keeps_the_homepage_away(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """F-08, F-10, I-1: whatever the memory card did to the folder, the homepage answers, and nothing of it is lost."""
    box = tmp_path / "box"
    box.mkdir()
    spoil(box)
    before = _inodes(box)
    with _agent(box) as agent:
        assert _status(agent) == 200
        assert _shown(agent)
    # An interrupted write, which may hold a key, is what nobody misses.
    lost = {name for name, inode in before.items() if inode not in _inodes(box).values()}
    assert lost <= {str(box / ".stop-gap.pem.0000.new")}


def _inodes(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_ino for path in folder.rglob("*")}


@pytest.mark.promise("M10")
@pytest.mark.parametrize("is_first", [True, False])
def test_a_disk_that_takes_nothing_keeps_the_homepage_away_as_little(
    tmp_path: Path, tool: Callable[[str], str], is_first: bool
) -> None:
    """F-07, I-1: without a PIN, a log, a lock or a certificate of its own the box says what is wrong with its disk."""
    box = tmp_path / "box"
    box.mkdir(mode=0o700)
    if not is_first:
        with _agent(box):
            pass
        (box / "stop-gap.pem").unlink()
    before = _inodes(box)
    with _agent(box, on_a_read_only_disk(tool("unshare"), box)) as agent:
        assert _status(agent) == 200
        assert _shown(agent).subject == x509.Name.from_rfc4514_string("CN=IoT system without a certificate yet")
        assert "The disk of this IoT system can only be read" in _home(agent)
        assert agent.new_pin is None

    assert _inodes(box) == before


def _home(agent: Agent) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", agent.http, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
