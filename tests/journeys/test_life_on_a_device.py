"""An IoT system over the years: its log is sent around, its log level forgotten, and one day it changes hands."""

import http.client
import io
import json
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from zipfile import ZipFile

import pytest
from tests.box.given import CREDENTIAL
from tests.journeys.world import Box, Service, lancert, strict_connection, until
from tests.peers.canaries import found, of_key

from lancert.box import keys, reset
from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.log_level import PORTION
from lancert.kit.clock import from_text

NewBox = Callable[..., Box]
PASSWORD = "s3cr3t-canary"


def _file_of(box: Box, path: str, fields: Mapping[str, str], root: Path) -> bytes:
    """Send a form over HTTPS and give the file that comes back."""
    host = urlsplit(box.status()["url"]).netloc
    body = urlencode(fields).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with strict_connection(box, host.partition(":")[0], root) as door:
        door.settimeout(40)
        door.sendall(head.encode() + body)
        answer = http.client.HTTPResponse(door)
        answer.begin()
        assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
        return answer.read()


def _unpacked(name: str, content: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(content)) as bundle:
        return {f"{name}: {one}": bundle.read(one) for one in bundle.namelist()}


def _shown(box: Box) -> str:
    """Give the subject of the certificate that HTTPS shows to whoever verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with closing(http.client.HTTPSConnection("127.0.0.1", box.ports["https"], timeout=10, context=context)) as opened:
        opened.connect()
        assert isinstance(opened.sock, ssl.SSLSocket)
        return ssl.DER_cert_to_PEM_cert(opened.sock.getpeercert(binary_form=True) or b"")


@pytest.mark.promise("M18")
def test_no_secret_of_a_box_stands_in_anything_that_leaves_it(
    service: Service, new_box: NewBox, tmp_path: Path
) -> None:
    """S-95, I-5: log, bundle, journal and status of a box that had bad days hold none of its secrets; they are searched
    in every spelling, and the same search finds the label, which may be known."""
    proxy = f"http://shop:{PASSWORD}@127.0.0.1:9"
    box, shop = new_box({"HTTPS_PROXY": proxy}), service.shop()
    token = shop.token()
    lancert("box", "connect", "--folder", str(box.folder), token)
    box.start().until_state("secure")
    pin = box.pin()
    status, _ = box.post("/cogs/log-level", {"level": "debug", "pin": pin}, root=service.root)
    assert status == 303
    kept = {
        **of_key("identity", box.folder / "identity.pem"),
        **of_key("certificate", next((box.folder / "certificates").glob("generation-*.pem"))),
        **of_key("stop-gap", box.folder / "stop-gap.pem"),
    }

    # Bad days: a server behind the proxy, a file that holds a key where none belongs, a restart.
    lancert("box", "connect", "--folder", str(box.folder), "https://iot.example.com", env={"HTTPS_PROXY": proxy})
    box.until_problem("ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION")
    kept |= of_key("pending key", box.folder / "certificates" / "pending-key.pem")
    (box.folder / "last-try.json").write_bytes((box.folder / "identity.pem").read_bytes())
    box.restart()
    box.until_problem("ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION")

    by_command = tmp_path / "logs.zip"
    said = lancert("box", "logs", "--folder", str(box.folder), "--bundle", str(by_command), env={"HTTPS_PROXY": proxy})
    assert by_command.stat().st_mode & 0o777 == 0o600
    assert box.program is not None
    places = {
        **_unpacked("by command", by_command.read_bytes()),
        **_unpacked("by homepage", _file_of(box, "/cogs/log/bundle", {"pin": pin}, service.root)),
        **{path.name: path.read_bytes() for path in (box.folder / "log").iterdir()},
        "journal": box.program.said().encode(),
        "status.json": json.dumps(box.status()).encode(),
        "homepage": box.get("/")[1].encode() + box.get("/cogs")[1].encode(),
        "commands": b"".join(
            lancert("box", *words, "--folder", str(box.folder), check=False).stdout.encode()
            for words in (("status", "--json"), ("logs",), ("logs", "--json"))
        ),
        "what was said": (said.stdout + said.stderr).encode(),
        "arguments": Path(f"/proc/{box.program.process.pid}/cmdline").read_bytes(),
    }
    canaries = {
        "contract": shop.contract.encode(),
        "database UUID": shop.database.encode(),
        "token": token.encode(),
        "PIN": pin.replace(" ", "").encode(),
        "PIN as shown": pin.encode(),
        "proxy password": PASSWORD.encode(),
        "proxy authorization": b64encode(f"shop:{PASSWORD}".encode()),
        **kept,
    }

    assert found(canaries, places) == []
    label = urlsplit(box.status()["stable_url"]).netloc.partition(".")[0]
    seen = {one.rpartition(", in ")[2] for one in found({"label": label.encode()}, places)}
    assert {"box.log", "status.json", "commands", "by command: lancert-box-logs/log/box.log"} <= seen
    assert "by homepage: lancert-box-logs/status.json" in seen


def test_a_reset_on_the_homepage_makes_another_box(service: Service, new_box: NewBox) -> None:
    """S-15: with the PIN and the word everything is gone, the agent goes on, and the PIN it showed counts."""
    shop = service.shop(quantity=2)
    box = new_box().connect(shop).start()
    before = box.until_state("secure")
    assert box.program is not None
    old_pin, process = box.pin(), box.program.process.pid
    identity = (box.folder / "identity.pem").read_bytes()

    wrong, _ = box.post("/cogs/reset", {"word": "yes", "pin": old_pin}, root=service.root)
    assert wrong == 422
    status, page = box.post("/cogs/reset", {"word": "reset", "pin": old_pin}, root=service.root)
    until(lambda: not reset.asked(box.folder), "the end of what was known")
    until((box.folder / "listening.json").exists, "the homepage")
    box.until_state("not-connected")

    assert status == 200
    shown = re.search(r"<strong>(\d{3} \d{3} \d{4})</strong>", page)
    assert shown is not None
    assert box.program.process.pid == process
    assert box.program.process.poll() is None
    left = {path.relative_to(box.folder).as_posix() for path in box.folder.rglob("*") if path.is_file()}
    assert left == {"lock", "pin.json", "stop-gap.pem", "listening.json", "log/box.log"}
    assert "IoT system without a certificate yet" in _subject(_shown(box))
    assert before["certificate"]["names"][0] not in (box.folder / "log" / "box.log").read_text()
    assert box.post("/cogs/log-level", {"level": "error", "pin": old_pin})[0] == 403
    assert box.post("/cogs/log-level", {"level": "error", "pin": shown[1]})[0] == 303

    box.connect(shop)
    after = box.until_state("secure")
    assert after["url"] != before["url"]
    assert (box.folder / "identity.pem").read_bytes() != identity


def _subject(pem: str) -> str:
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()


def _used(box: Box) -> Box:
    """Give a box that knows something: who it is, a server that does not answer, and a credential."""
    folder = Folder(box.folder)
    keys.identity_key(folder.identity)
    folder.connect(Server(url="https://127.0.0.1:9"), [])
    folder.change_credential(CREDENTIAL)
    (box.folder / "box.toml").write_text('maintenance = "02:00-05:00"\n')
    return box


def test_a_reset_by_command_is_done_by_the_agent_that_runs(new_box: NewBox) -> None:
    """The command says what goes and what stays, waits until it is done, and shows the new PIN."""
    box = _used(new_box()).start()
    box.until_state("blocked")

    asked = lancert("box", "reset", "--folder", str(box.folder), check=False)
    assert asked.returncode == 1
    assert (box.folder / "identity.pem").exists()
    said = lancert("box", "reset", "--folder", str(box.folder), "--yes").stdout

    assert re.search(r"^  identity.pem +its identity$", said, re.MULTILINE)
    assert re.search(r"^  box.toml +the settings you wrote$", said, re.MULTILINE)
    assert "Its agent serves the homepage" in said
    assert not (box.folder / "identity.pem").exists()
    pin = re.search(r"new PIN: (\d{3} \d{3} \d{4})", said)
    assert pin is not None
    box.until_state("not-connected")
    assert (box.folder / "box.toml").exists()
    assert box.post("/cogs/log-level", {"level": "error", "pin": pin[1]})[0] == 303


def test_a_reset_that_was_killed_is_completed_at_the_next_start(new_box: NewBox) -> None:
    """S-15: the power fails right after the wish was written; the box comes back as on the first day."""
    box = _used(new_box()).start()
    box.until_state("blocked")
    assert box.program is not None
    box.program.process.kill()
    box.program.process.wait()
    reset.ask(box.folder)
    (box.folder / "identity.pem").unlink()
    (box.folder / "listening.json").write_text(json.dumps({"http": 0, "https": 0}))

    box.start().until_state("not-connected")

    assert not list((box.folder / "certificates").iterdir())
    assert reset.asked(box.folder) == 0
    events = [event["event"] for event in box.log()]
    assert events[0] == "the box was reset to factory settings"


@pytest.mark.promise("M18")
def test_a_log_level_is_told_with_its_end_and_outlives_a_restart(new_box: NewBox) -> None:
    """Homepage and status say until when; a restart does not put the end off, and costs minutes at most."""
    box = new_box().start()
    assert box.post("/cogs/log-level", {"level": "debug", "pin": box.pin()})[0] == 303
    first = box.status()["log_level"]
    box.restart()
    until(lambda: box.status()["log_level"]["level"] == "debug", "the level after a restart")

    then = from_text(box.status()["log_level"]["until"])
    assert timedelta(0) <= from_text(first["until"]) - then <= PORTION + timedelta(seconds=5)
    assert "then it is Info again by itself" in box.get("/cogs")[1]
