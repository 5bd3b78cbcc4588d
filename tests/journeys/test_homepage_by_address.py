"""The homepage by IP address: it opens whatever happens to certificates, names and the service."""

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from tests.journeys.world import Box, Service, lancert

NewBox = Callable[[], Box]
PAGES = ("/", "/cogs", "/cogs/credential", "/cogs/server", "/cogs/diagnosis", "/cogs/log", "/cogs/log-level")
PREFIX = "ERR_IOT_HTTPS_"


def _not_connected(service: Service, box: Box, hold: ExitStack) -> None:
    box.start()
    box.until_state("not-connected")


def _loading(service: Service, box: Box, hold: ExitStack) -> None:
    """Ask a server that takes connections and never answers."""
    door = hold.enter_context(socket.create_server(("127.0.0.1", 0)))
    box.connect_to(f"https://service.localhost:{door.getsockname()[1]}", service.root).start()
    box.until_state("loading")


def _refused(service: Service, box: Box, hold: ExitStack) -> None:
    box.connect(service.shop(environment="copy", quantity=None)).start()
    box.until_problem(PREFIX + "LOAD_REQUEST_NO_RESULT", "refused")


def _half_a_credential(service: Service, box: Box, hold: ExitStack) -> None:
    lancert("box", "connect", "--folder", str(box.folder), service.url, "--ca", str(service.root))
    box.start().until_problem(PREFIX + "LOAD_NO_CREDENTIAL", "both")


def _service_down(service: Service, box: Box, hold: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    box.connect_to(f"https://service.lancert.localhost:{port}", service.root).start()
    box.until_problem(PREFIX + "LOAD_REQUEST_EXCEPTION", "refused")


def _damaged(service: Service, box: Box, hold: ExitStack) -> None:
    box.connect(service.shop()).start().until_state("secure")
    box.stop()
    for file in (box.folder / "certificates").glob("generation-*.pem"):
        file.write_bytes(b"\x00" * 900)
    _service_down(service, box, hold)
    box.until_problem(PREFIX + "CHECK_CERT_READ_EXCEPTION", "damaged")


def _secure(service: Service, box: Box, hold: ExitStack) -> None:
    box.connect(service.shop()).start().until_state("secure")


def _every_file_damaged(service: Service, box: Box, hold: ExitStack) -> None:
    """Fill everything the agent remembers with garbage."""
    _secure(service, box, hold)
    box.stop()
    for file in [*box.folder.glob("*.json"), *box.folder.glob("*.pem"), *box.folder.glob("certificates/*")]:
        if file.name not in ("listening.json", "pin.json"):
            file.write_bytes(b"\xff\x00garbage")
    box.start()


STATES: dict[str, Callable[[Service, Box, ExitStack], None]] = {
    "not connected": _not_connected,
    "loading": _loading,
    "refused": _refused,
    "half a credential": _half_a_credential,
    "service down": _service_down,
    "damaged store": _damaged,
    "everything damaged": _every_file_damaged,
    "certificate valid": _secure,
}


def ask(box: Box, method: str, path: str, host: str, *, secure: bool = False) -> tuple[int, bytes]:
    """Send a request with any Host to either door, by address."""
    connection: http.client.HTTPConnection
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", box.ports["https"], timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", box.ports["http"], timeout=10)
    with closing(connection):
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.promise("M10")
@pytest.mark.parametrize("state", STATES)
def test_every_page_opens_by_ip_address_in_every_state(service: Service, new_box: NewBox, state: str) -> None:
    """Nothing that goes wrong takes the homepage away, neither over HTTP nor over HTTPS by address (S-16, S-37)."""
    box = new_box()
    with ExitStack() as hold:
        STATES[state](service, box, hold)

        for path in (*PAGES, "/status.json"):
            assert ask(box, "GET", path, f"127.0.0.1:{box.ports['http']}")[0] == 200, path
            assert ask(box, "GET", path, f"127.0.0.1:{box.ports['https']}", secure=True)[0] == 200, path


@pytest.mark.parametrize(
    "host",
    [
        "rebinding.example.com",
        "rebinding.example.com:{port}",
        "lancert.localhost:{port}",
        "127-0-0-1.aaaaaaaaaaaaaaaa.lancert.localhost:{port}",
        "192.168.1.5:{port}",
        "127.0.0.1:1",
        "127.0.0.1.example.com:{port}",
        "localhost.example.com:{port}",
        "2130706433:{port}",
        "0.0.0.0:{port}",
    ],
)
def test_a_foreign_host_is_answered_with_nothing(service: Service, secure_box: Box, host: str) -> None:
    """A page of a stranger, come under its own name, gets an empty 421 at both doors (S-20, S-22, F-61)."""
    for secure in (False, True):
        port = secure_box.ports["https" if secure else "http"]
        for method, path in (("GET", "/"), ("GET", "/status.json"), ("GET", "/style.css"), ("POST", "/cogs/server")):
            answer = ask(secure_box, method, path, host.format(port=port), secure=secure)

            assert answer == (421, b""), (method, path)


def test_the_own_name_is_not_foreign(secure_box: Box) -> None:
    """The control of the test before."""
    status = secure_box.status()

    for url in (status["url"], status["stable_url"]):
        assert ask(secure_box, "GET", "/", url.split("/")[2], secure=True)[0] == 200


@pytest.fixture(scope="module")
def secure_box(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """An IoT system with its certificate, which no test of this file changes."""
    box = Box(tmp_path_factory.mktemp("secure") / "box").connect(service.shop()).start()
    box.until_state("secure")
    yield box
    box.stop()


def _remembered(box: Box) -> dict[str, bytes]:
    kept = (path for path in sorted(box.folder.rglob("*")) if path.is_file() and path.suffix in (".json", ".pem"))
    return {str(path.relative_to(box.folder)): path.read_bytes() for path in kept}


def test_looking_changes_nothing(secure_box: Box) -> None:
    """Whatever is asked for with GET or HEAD, and whatever stands in the query, nothing is changed (S-23)."""
    before, tries = _remembered(secure_box), secure_box.tries()
    host = f"127.0.0.1:{secure_box.ports['http']}"
    queries = (
        "",
        "?pin=0000000000",
        "?level=debug&pin=1",
        "?server=https://evil.example&root=&pin=1",
        "?run=1&saved=x",
    )

    for path in (*PAGES, "/cogs/log/download", "/status.json", "/no-such-page"):
        for query in queries:
            for method in ("GET", "HEAD", "OPTIONS"):
                assert ask(secure_box, method, path + query, host)[0] in (200, 404, 405)

    assert _remembered(secure_box) == before
    assert secure_box.tries() == tries
    assert json.loads(ask(secure_box, "GET", "/status.json", host)[1])["state"] == "secure"


def test_opening_the_page_a_hundred_times_asks_the_service_once(service: Service, new_box: NewBox) -> None:
    """However often somebody reloads, tries are a minute apart (S-26, F-62)."""
    box = new_box().connect(service.shop(quantity=None)).start()
    box.until_problem(PREFIX + "LOAD_REQUEST_NO_RESULT", "refused")

    for _ in range(100):
        assert box.get("/")[0] == 200

    assert box.tries() == 1
