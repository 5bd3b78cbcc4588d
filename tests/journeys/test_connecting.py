"""Connecting an IoT system to its server: every way that leads there, and what is said about the ways that do not."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from tests.journeys.world import Box, Service, Shop, lancert, start_service, strict_connection, until

from lancert.protocol.certificate import facts_of

NewBox = Callable[[], Box]


def fingerprint(service: Service) -> str:
    return str(service.facts["root_fingerprint"])


def credential(shop: Shop) -> tuple[str, ...]:
    return ("--contract", shop.contract, "--database", shop.database)


def settings(box: Box) -> dict[str, bytes]:
    """Give what an IoT system remembers of its server."""
    names = ("connection.json", "enrolment.json")
    return {name: (box.folder / name).read_bytes() for name in names if (box.folder / name).exists()}


WAYS: dict[str, Callable[[Service, Shop], tuple[str, ...]]] = {
    "root file": lambda service, shop: (service.url, "--ca", str(service.root), *credential(shop)),
    "fingerprint": lambda service, shop: (service.url, "--root-fingerprint", fingerprint(service), *credential(shop)),
    "fingerprint as openssl prints it": lambda service, shop: (
        *(service.url + "/", "--root-fingerprint"),
        ":".join(re.findall("..", fingerprint(service).upper())),
        *credential(shop),
    ),
    "without https://": lambda service, shop: (
        service.url.removeprefix("https://"),
        *("--ca", str(service.root), *credential(shop)),
    ),
    "token": lambda service, shop: (shop.token(),),
    "token broken over lines by a mail program": lambda service, shop: (
        "\n ".join(re.findall(".{1,40}", shop.token())) + "\n",
    ),
}


@pytest.mark.promise("M2")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_connect_leads_to_the_lock(service: Service, new_box: NewBox, way: str) -> None:
    """Server and root, server and fingerprint, or one token; nothing of the credential is printed."""
    shop, box = service.shop(), new_box()

    done = lancert("box", "connect", "--folder", str(box.folder), *WAYS[way](service, shop))

    assert f"The server of this IoT system is {service.url} now." in done.stdout
    assert shop.contract not in done.stdout
    assert shop.database not in done.stdout
    box.start().until_state("secure")


def test_the_halves_may_come_one_after_the_other(service: Service, new_box: NewBox) -> None:
    """What is still missing is said, and the second command completes the first."""
    shop, box = service.shop(), new_box()
    to_service = ("box", "connect", "--folder", str(box.folder), service.url, "--ca", str(service.root))

    first = lancert(*to_service, "--contract", shop.contract)
    second = lancert(*to_service, "--database", shop.database)

    assert "Still missing: database" in first.stdout
    assert "missing" not in second.stdout
    box.start().until_state("secure")


def test_a_wrong_fingerprint_changes_nothing(service: Service, new_box: NewBox) -> None:
    """Whoever answers with another root is not believed, and the connection there was goes on (S-09)."""
    box = new_box().connect(service.shop()).start()
    box.until_state("secure")
    before = settings(box)

    done = lancert(
        *("box", "connect", "--folder", str(box.folder), service.url, "--root-fingerprint", "ab" * 32),
        *credential(service.shop()),
        check=False,
    )

    assert done.returncode == 1
    assert "could not prove to be it" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert settings(box) == before
    assert box.status()["state"] == "secure"


def test_a_server_that_does_not_answer_changes_nothing(service: Service, new_box: NewBox) -> None:
    """The cause is named as the homepage would name it."""
    box = new_box()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    done = lancert(
        *("box", "connect", "--folder", str(box.folder), f"https://service.localhost:{port}"),
        *("--root-fingerprint", fingerprint(service)),
        check=False,
    )

    assert done.returncode == 1
    assert f"https://service.localhost:{port} refused the connection" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert settings(box) == {}


TOKEN = "lct1.eyJzIjoiaHR0cHM6Ly9pb3QuZXhhbXBsZS5jb20iLCJyIjpudWxs"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ROOT = "ab" * 32


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://iot.example.com",), "The server is reached by HTTPS only: write https:// before the host."),
        (("https://iot.example.com/console",), "A server address is written https://host or https://host:port."),
        (("ftp://iot.example.com",), "A server address is written https://host or https://host:port."),
        (("https://iot.example.com:port",), "A server address is written https://host or https://host:port."),
        ((TOKEN,), "The connection token is damaged or incomplete; copy the whole of it again."),
        ((TOKEN, "--contract", "M240401"), "A connection token says everything: leave the other options out."),
        ((TOKEN, "--root-fingerprint", ROOT), "A connection token says everything: leave the other options out."),
        (("LCT1.eyJz",), "A connection token begins with lct1."),
        (("https://iot.example.com", "--root-fingerprint", "abc"), "A root fingerprint is 64 hexadecimal digits"),
        (("https://iot.example.com", "--contract", "?"), "A contract is 3 to 64 letters and digits"),
        (("https://iot.example.com", "--database", UUID[:-1]), "A database UUID is 32 letters a-f and digits"),
        (("https://iot.example.com", "--ca", "no-such-file.pem"), "no-such-file.pem"),
        ((), "Missing argument 'SERVER|TOKEN'"),
    ],
)
def test_a_mistyped_connection_is_answered_with_what_to_type(
    new_box: NewBox, arguments: tuple[str, ...], sentence: str
) -> None:
    """Exit status 2, the sentence for the mistake, and nothing is remembered of it."""
    box = new_box()

    done = lancert("box", "connect", "--folder", str(box.folder), *arguments, check=False)

    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert settings(box) == {}


def test_a_file_that_is_no_root_is_refused(new_box: NewBox, tmp_path: Path) -> None:
    """Neither a key nor anything else passes for a root certificate."""
    box = new_box()
    file = tmp_path / "root.pem"
    for content in (b"", b"not PEM at all", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"):
        file.write_bytes(content)

        done = lancert(
            "box", "connect", "--folder", str(box.folder), "https://iot.example.com", "--ca", str(file), check=False
        )

        assert done.returncode == 2
        assert "root.pem is not a root certificate in PEM" in done.stderr
        assert settings(box) == {}


def test_a_second_agent_on_the_same_folder_says_so(new_box: NewBox) -> None:
    """The first one goes on, the second names the folder and ends."""
    box = new_box().start()

    second = lancert(
        *("box", "run", "--folder", str(box.folder), "--http-port", "0", "--https-port", "0"),
        *("--listen", "127.0.0.1"),
        check=False,
    )

    assert second.returncode == 1
    assert f"An agent already runs with the folder {box.folder}." in second.stderr
    assert box.status()["state"] == "not-connected"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The port, why, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = lancert(
            *("box", "run", "--folder", str(tmp_path / "box"), "--listen", "127.0.0.1"),
            *("--http-port", port, "--https-port", "0"),
            check=False,
        )

    assert done.returncode == 1
    assert f"port {port} cannot be opened" in done.stderr
    assert "--http-port and --https-port" in done.stderr


def test_a_new_iot_system_is_connected_on_its_homepage(service: Service, new_box: NewBox) -> None:
    """The form of the homepage takes the token, and the PIN decides."""
    box, shop = new_box().start(), service.shop()
    pin = box.pin()

    wrong, page = box.post("/cogs/server", {"token": shop.token(), "pin": "0000000000"})
    assert (wrong, box.status()["state"]) == (403, "not-connected")
    assert "This is not the PIN of this IoT system." in unescape(page)
    right, _ = box.post("/cogs/server", {"token": shop.token(), "pin": pin})

    assert right == 303
    box.until_state("secure")


@pytest.fixture
def other_service(tmp_path: Path) -> Iterator[Service]:
    """A second certificate service with another zone and another root."""
    started = start_service(tmp_path / "other-service", zone="other.localhost")
    yield started
    started.stop()


def served_names(box: Box, name: str, root: Path) -> tuple[str, ...]:
    with strict_connection(box, name, root) as tls:
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return facts_of(x509.load_der_x509_certificate(der)).names


@pytest.mark.promise("M2")
def test_another_server_means_another_certificate(service: Service, other_service: Service, new_box: NewBox) -> None:
    """Moved to another service by its homepage, the IoT system gets a name and a certificate of that one."""
    box = new_box().connect(service.shop()).start()
    old = urlsplit(box.until_state("secure")["url"]).hostname or ""
    assert old.endswith(".lancert.localhost")

    status, _ = box.post("/cogs/server", {"token": other_service.shop().token(), "pin": box.pin()}, root=service.root)

    assert status == 303
    until(lambda: ".other.localhost" in box.status()["url"], "the name of the other service")
    new = urlsplit(box.until_state("secure")["url"]).hostname or ""
    assert f"*.{new.partition('.')[2]}" in served_names(box, new, other_service.root)
    assert box.status()["server"] == other_service.url


def test_the_old_name_works_until_there_is_a_new_one(service: Service, new_box: NewBox) -> None:
    """A credential that is refused takes neither the certificate nor the way to mend it (the grace rule)."""
    box = new_box().connect(service.shop()).start()
    before = box.until_state("secure")
    name, pin = urlsplit(before["url"]).hostname or "", box.pin()

    status, _ = box.post("/cogs/credential", {"contract": "M-mistyped", "database": "", "pin": pin}, root=service.root)

    assert status == 303
    box.until_problem("ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT", "refused")
    now = box.status()
    assert (now["state"], now["url"], now["certificate"]) == ("attention", before["url"], before["certificate"])
    with strict_connection(box, name, service.root) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {urlsplit(before['url']).netloc}\r\nConnection: close\r\n\r\n".encode())
        assert tls.recv(100).startswith(b"HTTP/1.1 200 ")
    mended, _ = box.post("/cogs/server", {"token": service.shop().token(), "pin": pin}, root=service.root)
    assert mended == 303
    assert box.until_state("secure")["problems"] == []


def test_the_status_never_shows_the_credential(service: Service, new_box: NewBox) -> None:
    """What was entered is a secret: no page, no document and no log shows it (S-28)."""
    shop = service.shop()
    box = new_box().connect(shop).start()
    box.until_state("secure")

    shown = [box.get(path)[1] for path in ("/", "/cogs", "/cogs/credential", "/cogs/server", "/status.json")]
    shown += [json.dumps(box.log()), lancert("box", "status", "--folder", str(box.folder)).stdout]

    for secret in (shop.contract, shop.database):
        assert all(secret not in text for text in shown)
