"""The six public codes, each reached by its true trigger through the real agent, and told the same everywhere."""

import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.world import Box, Service, lancert
from tests.peers.authority import TODAY, make_root, make_server, pem, server_file
from tests.peers.https import Behaviour, Close, Hang, HttpsPeer, Reply, Request

PREFIX = "ERR_IOT_HTTPS_"


def told_the_same(box: Box, code: str, problem: dict[str, Any]) -> None:
    """The homepage, the command line and the catalogue tell what status.json tells."""
    _, home = box.get("/")
    shown = unescape(home)
    assert code in shown
    assert problem["title"] in shown
    assert problem["meaning"] in shown
    if problem["cause"] is not None and problem["cause"]["id"] != "refused":
        assert problem["cause"]["meaning"] in shown
    for step in problem["remedy"]:
        assert step in shown
    by_command = json.loads(lancert("box", "status", "--folder", str(box.folder), "--json", check=False).stdout)
    assert problem in by_command["problems"]
    explained = json.loads(lancert("explain", *code.split(), "--json").stdout)
    assert explained["code"] == code.split()[0]
    assert explained["title"] == problem["title"]


@pytest.mark.promise("M12")
def test_a_box_that_nobody_connected_says_so(new_box: Callable[[], Box]) -> None:
    """ERR_IOT_HTTPS_CHECK_NO_SERVER, and only that: what follows from it is not listed too."""
    box = new_box().start()

    problem = box.until_problem(PREFIX + "CHECK_NO_SERVER")

    assert len(box.status()["problems"]) == 1
    told_the_same(box, PREFIX + "CHECK_NO_SERVER", problem)


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:700])


def _garbage(file: Path) -> None:
    file.write_bytes(b"\x00\xffnot a certificate\n" * 40)


def _open_to_others(file: Path) -> None:
    file.chmod(0o644)


@pytest.mark.promise("M13")
@pytest.mark.parametrize(
    ("harm", "cause"),
    [(_truncated, "damaged"), (_garbage, "damaged"), (_open_to_others, "open-to-others"), (None, "key-mismatch")],
)
def test_a_stored_certificate_that_cannot_be_read_is_named_and_replaced(
    own_service: Service, new_box: Callable[[], Box], harm: Callable[[Path], None] | None, cause: str
) -> None:
    """ERR_IOT_HTTPS_CHECK_CERT_READ_EXCEPTION with its cause; the homepage stays up, and a new one heals it."""
    box = new_box().connect(own_service.shop()).start()
    box.until_state("secure")
    box.stop()
    own_service.stop()
    file = next((box.folder / "certificates").glob("generation-*.pem"))
    if harm is None:
        _swap_key(file)
    else:
        harm(file)

    box.start()

    problem = box.until_problem(PREFIX + "CHECK_CERT_READ_EXCEPTION", cause)
    told_the_same(box, PREFIX + "CHECK_CERT_READ_EXCEPTION", problem)
    assert not [path for path in (box.folder / "certificates").iterdir() if path.stat().st_mode & 0o077]
    own_service.start_again()
    box.restart()
    assert box.until_state("secure")["problems"] == []


def _swap_key(file: Path) -> None:
    """Put the key of another certificate into the file, as somebody does who copies files by hand."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from lancert.box.keys import private_pem

    text = file.read_bytes()
    end = b"-----END PRIVATE KEY-----\n"
    head, _, chain = text.partition(end)
    first = head[: head.index(b"-----BEGIN PRIVATE KEY-----")]
    file.write_bytes(first + private_pem(ec.generate_private_key(ec.SECP256R1())) + chain)


@pytest.mark.promise("M14")
@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (["--database", "0f8fad5b-d9cb-469f-a165-70867728950e"], "contract"),
        (["--contract", "M240401"], "database-uuid"),
        ([], "both"),
    ],
)
def test_a_missing_half_of_the_credential_is_named(
    service: Service, new_box: Callable[[], Box], given: list[str], cause: str
) -> None:
    """ERR_IOT_HTTPS_LOAD_NO_CREDENTIAL: contract, database UUID or both."""
    box = new_box()
    lancert("box", "connect", "--folder", str(box.folder), service.url, "--ca", str(service.root), *given)
    box.start()

    problem = box.until_problem(PREFIX + "LOAD_NO_CREDENTIAL", cause)

    told_the_same(box, PREFIX + "LOAD_NO_CREDENTIAL", problem)
    assert box.tries() == 0


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[tuple[HttpsPeer, Path]]:
    """Somebody who answers in the place of the service, trusted by the box, with a control panel."""
    root = make_root()
    (tmp_path / "peer-root.pem").write_bytes(pem(root.certificate))
    server = server_file(tmp_path / "peer.pem", make_server(root, ["service.localhost"]))
    with HttpsPeer(server) as made:
        yield made, tmp_path / "peer-root.pem"


def _box_at(peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box]) -> Box:
    server, root = peer
    return new_box().connect_to(f"https://service.localhost:{server.port}", root).start()


REQUEST_EXCEPTION = PREFIX + "LOAD_REQUEST_EXCEPTION"


@pytest.mark.promise("M9", "M15")
def test_a_service_that_is_not_running_refuses(service: Service, new_box: Callable[[], Box]) -> None:
    """Refused: nobody listens, or a firewall rejects."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    box = new_box().connect_to(f"https://service.lancert.localhost:{port}", service.root).start()

    told_the_same(box, REQUEST_EXCEPTION, box.until_problem(REQUEST_EXCEPTION, "refused"))


@pytest.mark.promise("M15")
def test_an_unknown_name_is_named(service: Service, new_box: Callable[[], Box]) -> None:
    """Name unknown, or no name server to ask: in both cases the look-up is what failed."""
    box = new_box().connect_to("https://no-such-host.invalid", service.root).start()

    problem = box.until_problem(REQUEST_EXCEPTION)

    assert problem["cause"]["id"] in ("name-unknown", "name-server-down")
    told_the_same(box, REQUEST_EXCEPTION, problem)


@pytest.mark.promise("M9", "M15")
def test_a_service_that_does_not_answer_times_out(peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box]) -> None:
    """Timeout: the connection stands and nothing comes back, as behind a firewall that drops."""
    peer[0].before_tls = Hang()
    box = _box_at(peer, new_box)

    told_the_same(box, REQUEST_EXCEPTION, box.until_problem(REQUEST_EXCEPTION, "timeout"))


@pytest.mark.promise("M15")
def test_a_service_that_goes_down_in_the_middle_breaks_off(
    peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box]
) -> None:
    """Broken off: the service is down behind what still takes its connections."""
    peer[0].answer = lambda request: Close()
    box = _box_at(peer, new_box)

    told_the_same(box, REQUEST_EXCEPTION, box.until_problem(REQUEST_EXCEPTION, "broken-off"))


@pytest.mark.promise("M15")
def test_an_impostor_is_not_trusted(peer: tuple[HttpsPeer, Path], service: Service, new_box: Callable[[], Box]) -> None:
    """Untrusted: whoever answers has a certificate from another root (S-09)."""
    box = new_box().connect_to(f"https://service.localhost:{peer[0].port}", service.root).start()

    told_the_same(box, REQUEST_EXCEPTION, box.until_problem(REQUEST_EXCEPTION, "untrusted"))
    assert peer[0].requests == []


@pytest.mark.promise("M15")
def test_a_wrong_clock_is_a_cause_of_its_own(tmp_path: Path, new_box: Callable[..., Box]) -> None:
    """Clock: to a box whose clock is behind, the certificate of the service is not valid yet."""
    root = make_root(not_before=TODAY - timedelta(days=30))
    (tmp_path / "root.pem").write_bytes(pem(root.certificate))
    tomorrow = make_server(root, ["service.localhost"], not_before=TODAY + timedelta(days=1))
    with HttpsPeer(server_file(tmp_path / "server.pem", tomorrow)) as server:
        box = new_box().connect_to(f"https://service.localhost:{server.port}", tmp_path / "root.pem").start()

        told_the_same(box, REQUEST_EXCEPTION, box.until_problem(REQUEST_EXCEPTION, "clock"))


@pytest.mark.promise("M15")
def test_a_sign_in_page_is_recognised(peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box]) -> None:
    """Captive portal: 200 with HTML instead of the service's answer; nothing is stored (F-29)."""
    peer[0].answer = lambda request: Reply(status=200, body=b"<html>Welcome</html>", media_type="text/html")
    box = _box_at(peer, new_box)

    told_the_same(box, REQUEST_EXCEPTION, box.until_problem(REQUEST_EXCEPTION, "captive-portal"))
    assert list((box.folder / "certificates").glob("generation-*")) == []


_HTML = {"body": b"<html>no</html>", "media_type": "text/html"}


@pytest.mark.promise("M16")
@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(status=404, **_HTML), "not-found"),  # type: ignore[arg-type]
        (Reply(status=403, **_HTML), "intermediary"),  # type: ignore[arg-type]
        (Reply(status=500, **_HTML), "intermediary"),  # type: ignore[arg-type]
        (Reply(status=500), None),
        (Reply(status=502, **_HTML), "maintenance"),  # type: ignore[arg-type]
        (Reply(status=503, headers={"retry-after": "120"}), "maintenance"),
    ],
)
def test_an_unexpected_status_is_part_of_the_code(
    peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box], reply: Reply, cause: str | None
) -> None:
    """ERR_IOT_HTTPS_LOAD_REQUEST_STATUS with its three digits; a bare 403 is a proxy's, not a refusal."""
    peer[0].answer = lambda request: reply
    box = _box_at(peer, new_box)
    code = f"{PREFIX}LOAD_REQUEST_STATUS {reply.status}"

    problem = box.until_problem(code)

    assert (problem["cause"] or {"id": None})["id"] == cause
    told_the_same(box, code, problem)


def test_retry_after_is_honoured(peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box]) -> None:
    """A service that asks for two minutes is not asked before, and a fleet comes back spread over a fifth more."""
    from lancert.kit.clock import from_text

    peer[0].answer = lambda request: Reply(status=503, headers={"retry-after": "120"})
    box = _box_at(peer, new_box)
    box.until_problem(f"{PREFIX}LOAD_REQUEST_STATUS 503")

    status = box.status()

    wait = from_text(status["next_try"]) - from_text(status["last_try"]["at"])
    assert timedelta(seconds=119) <= wait <= timedelta(seconds=145)


def test_an_answer_that_is_not_ours_is_never_installed(
    peer: tuple[HttpsPeer, Path], new_box: Callable[[], Box]
) -> None:
    """ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT for a certificate of another key; nothing is stored (F-31)."""
    other = make_server(make_root(), ["*.aaaaaaaaaaaaaaaa.lancert.localhost", "aaaaaaaaaaaaaaaa.lancert.localhost"])

    def answer(request: Request) -> Behaviour:
        if request.path.endswith("/enrolments"):
            body = {"box": "b1", "label": "aaaaaaaaaaaaaaaa", "zone": "lancert.localhost"}
            return Reply(body=json.dumps(body).encode())
        body_of_certificate = {
            "chain": pem(other.certificate).decode(),
            "not_before": "2026-01-01T00:00:00Z",
            "not_after": "2099-01-01T00:00:00Z",
            "renewal": {"start": "2098-01-01T00:00:00Z", "end": "2098-02-01T00:00:00Z"},
            "url_suffix": "aaaaaaaaaaaaaaaa.lancert.localhost",
        }
        return Reply(body=json.dumps(body_of_certificate).encode())

    peer[0].answer = answer
    box = _box_at(peer, new_box)

    problem = box.until_problem(PREFIX + "LOAD_REQUEST_NO_RESULT", "unusable-answer")

    told_the_same(box, PREFIX + "LOAD_REQUEST_NO_RESULT", problem)
    assert list((box.folder / "certificates").glob("generation-*")) == []


def test_a_blip_leaves_no_trace(own_service: Service, new_box: Callable[[], Box]) -> None:
    """What healed disappears: after the service is back, no problem is shown."""
    shop = own_service.shop()
    box = new_box().connect(shop)
    own_service.stop()
    box.start()
    box.until_problem(REQUEST_EXCEPTION, "refused")

    own_service.start_again()
    box.restart()

    assert box.until_state("secure")["problems"] == []
