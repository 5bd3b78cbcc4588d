"""Bad input at the doors of the service: a clear error each time, and nothing is lost or written."""

import json
import socket
import ssl
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.service.harness import RunningService, SmallBox, csr_pem, problem

from lancert.protocol.messages import BODY_LIMIT

PATHS = ["/api/v1/enrolments", "/api/v1/certificates", "/api/v1/reports"]


@pytest.fixture(scope="module")
def box(shared: RunningService) -> SmallBox:
    """An enrolled box."""
    return shared.enrolled()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff\xfe{}",
        b'{"counter": {"boot": 1, "count": NaN}}',
        b'{"a": 1, "a": 2}',
        b"[" * 8000,
        b'{"counter": {"boot": "1", "count": 1}}',
        b'{"counter": {"boot": -1, "count": 1}}',
        b'{"counter": {"boot": 1e3, "count": 1}}',
        b'{"counter": {"boot": true, "count": 1}}',
        b'{"counter": {"boot": 99999999999999999999, "count": 1}}',
    ],
)
def test_a_body_that_is_not_the_message_is_refused(box: SmallBox, path: str, body: bytes) -> None:
    """No JSON, not UTF-8, wrong types, keys twice, too deep: 400 with the place (S-53)."""
    document = problem(box.post(path, body), 400, "malformed")

    assert document["detail"]


def test_unknown_and_missing_fields_are_named(shared: RunningService, box: SmallBox) -> None:
    """The answer says which field it is."""
    honest = box.enrolment(shared.customer())
    more = {**honest, "admin": True}
    less = {name: value for name, value in honest.items() if name != "kind"}

    assert "admin" in problem(box.post(PATHS[0], more), 400, "malformed")["detail"]
    assert "kind" in problem(box.post(PATHS[0], less), 400, "malformed")["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "red \x1b[31m"},
        {"name": "two\r\nlines"},
        {"name": "\ud800"},
        {"kind": "toaster"},
        {"version": "1 2"},
        {"contract": "ab"},
        {"database": "short"},
        {"contract": "C\x00D"},
    ],
)
def test_values_that_cannot_be_are_refused(shared: RunningService, box: SmallBox, change: dict[str, str]) -> None:
    """Nothing that could upset a terminal or a log gets in (F-64)."""
    answer = box.post(PATHS[0], {**box.enrolment(shared.customer()), **change})

    assert answer.status_code in (400, 403), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": ["localhost"]},
        {"addresses": ["http://10.0.0.1/"]},
        {"addresses": ["3232235777"]},
        {"addresses": ["192.168.001.005"]},
        {"addresses": ["fe80::1%eth0"]},
        {"addresses": ["x" * 300]},
        {"addresses": ["10.0.0.1"] * 17},
        {"addresses": "10.0.0.1"},
        {"addresses": [None]},
        {"problems": ["\x1b[2J"]},
        {"certificate": {"serial": "XYZ", "not_after": "2027-01-04T11:04:59Z"}},
        {"certificate": {"serial": "4c", "not_after": "2027-13-41T11:04:59Z"}},
        {"certificate": {"serial": "4c"}},
    ],
)
def test_a_report_that_cannot_be_is_refused(box: SmallBox, change: dict[str, Any]) -> None:
    """An address that is none, too many of them, moments that do not exist (F-63)."""
    honest: dict[str, Any] = {
        "counter": box.counter(),
        "version": "1",
        "addresses": [],
        "certificate": None,
        "problems": [],
    }

    problem(box.post(PATHS[2], honest | change), 400, "malformed")


@pytest.mark.parametrize(
    ("make", "status", "name"),
    [
        (lambda: csr_pem(ec.generate_private_key(ec.SECP521R1())), 400, "csr-refused"),
        (lambda: csr_pem(rsa.generate_private_key(65537, 1024)), 400, "csr-refused"),
        (lambda: csr_pem(ec.generate_private_key(ec.SECP256R1()), ("google.com",)), 400, "csr-refused"),
        (lambda: csr_pem(ec.generate_private_key(ec.SECP256R1()), (), "google.com"), 400, "csr-refused"),
        (lambda: "x" * 4000, 400, "csr-refused"),
        (lambda: "x" * 4097, 400, "malformed"),
        (lambda: "", 400, "malformed"),
    ],
)
def test_a_signing_request_that_is_not_acceptable_is_refused(box: SmallBox, make: Any, status: int, name: str) -> None:
    """Weak, foreign, oversized: the answer says what is wrong with it (S-44 to S-46)."""
    document = problem(box.ask(make()), status, name)

    assert document["detail"].endswith((".", "characters"))


def test_a_key_of_another_box_is_refused(shared: RunningService) -> None:
    """One key, one box: whoever copies a request gets nothing (S-47)."""
    first, second = shared.enrolled(), shared.enrolled()
    assert first.ask().status_code == 200

    problem(second.ask(csr_pem(first.key)), 409, "key-not-usable")


def test_a_private_key_posted_by_mistake_is_refused_for_ever(
    shared: RunningService, capfd: pytest.CaptureFixture[str]
) -> None:
    """The key left its box: nobody gets a certificate for it any more, and it is nowhere to be read (F-68)."""
    box = shared.enrolled()
    private = box.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    document = problem(box.ask(private), 400, "private-key-posted")
    problem(box.ask(), 409, "key-not-usable")
    problem(shared.enrolled().ask(csr_pem(box.key)), 409, "key-not-usable")

    secret = private.splitlines()[1]
    assert secret not in json.dumps(document)
    for file in shared.folder.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes()
    assert secret not in "".join(capfd.readouterr())


def test_a_stranger_cannot_make_the_list_of_blocked_keys_longer(shared: RunningService) -> None:
    """Only a box that is enrolled is listened to."""
    stranger, box = shared.box(), shared.enrolled()
    private = box.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    problem(stranger.ask(private), 400, "private-key-posted")

    assert box.ask().status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_body_over_the_limit_is_refused(box: SmallBox, path: str) -> None:
    """16 KiB are enough for everything that is honest (S-53)."""
    body = b'{"a": "' + b"x" * BODY_LIMIT + b'"}'

    problem(box.post(path, body), 413, "too-large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_a_body_that_is_not_declared_as_json_is_refused(box: SmallBox, content_type: str) -> None:
    """What a form of a web page can send is not taken."""
    headers = {**box.signed(PATHS[2], b"{}"), "content-type": content_type}

    problem(box.client.post(PATHS[2], content=b"{}", headers=headers), 415, "unsupported-media-type")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_refused(box: SmallBox, path: str, method: str) -> None:
    """The box protocol is POST."""
    answer = box.client.request(method, path)

    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/reports", "/api/v1/reports/", "/healthz/", "/../etc"])
def test_an_address_that_is_not_there_is_a_problem_document(box: SmallBox, path: str) -> None:
    """404 says where to read which addresses there are."""
    assert "/openapi.json" in problem(box.client.get(path), 404, "not-found")["detail"]


def test_a_query_string_is_refused(box: SmallBox) -> None:
    """It is not covered by the signature, so there is none."""
    body = b"{}"
    answer = box.client.post(f"{PATHS[2]}?x=1", content=body, headers=box.signed(PATHS[2], body))

    problem(answer, 400, "malformed")


@pytest.mark.parametrize(
    "change",
    [
        {"signature": None},
        {"signature-input": None},
        {"content-digest": None},
        {"signature": "sig1=:AAAA:"},
        {"signature": "sig2=:" + "A" * 86 + "==:"},
        {"content-digest": "sha-256=:AAAA:"},
        {"content-digest": "md5=:AAAA:"},
    ],
)
def test_a_request_that_is_not_signed_as_it_must_be_is_refused(box: SmallBox, change: dict[str, str | None]) -> None:
    """Missing, cut, of another scheme: 401, and what a signature would need is said."""
    body = json.dumps({"counter": box.counter(), "csr": csr_pem(box.key)}).encode()
    headers = {name: value for name, value in {**box.signed(PATHS[1], body), **change}.items() if value is not None}
    answer = box.client.post(PATHS[1], content=body, headers=headers)

    problem(answer, 401, "not-authenticated")
    assert "signature" in answer.headers["www-authenticate"].lower()


def test_a_second_signature_header_is_refused(shared: RunningService, box: SmallBox) -> None:
    """Two signatures are one list (RFC 9110, 5.3), which is not what was signed."""
    body = json.dumps({"counter": box.counter(), "csr": csr_pem(box.key)}).encode()
    headers = [*box.signed(PATHS[1], body).items()]
    extra = [("signature", dict(headers)["signature"])]

    problem(shared.client.post(PATHS[1], content=body, headers=headers + extra), 401, "not-authenticated")


def raw(service: RunningService, request: bytes) -> bytes:
    """Send bytes over TLS and read until the server closes or says a whole answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", service.ready.https_port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="service.lancert.localhost") as connection,
    ):
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := connection.recv(65_536)):
            answer += more
        return answer


def test_a_body_that_is_longer_than_it_says_is_cut_off(shared: RunningService) -> None:
    """With chunks nobody declares a length; reading stops at the limit all the same."""
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    head = b"POST /api/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"

    answer = raw(shared, head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 3)

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("length", [b"16385", b"99999999999999999999", b"-1", b"abc", b"1 1"])
def test_a_declared_length_that_cannot_be_is_refused_before_the_body(shared: RunningService, length: bytes) -> None:
    """The limit is checked before a byte of the body is read."""
    head = b"POST /api/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"

    answer = raw(shared, head + b"content-length: " + length + b"\r\n\r\n")

    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), answer


def test_guessing_credentials_is_slow(service: RunningService) -> None:
    """Twenty wrong credentials from one address, then a pause that is named (S-42)."""
    shop = service.customer()
    for _ in range(20):
        problem(service.box().enrol(shop, contract="C-guess"), 403, "refused")

    answer = service.box().enrol(shop, contract="C-guess")

    problem(answer, 429, "too-many-requests")
    assert 0 < int(answer.headers["retry-after"]) <= 10
    service.clock.forward(timedelta(seconds=11))
    assert service.box().enrol(shop).status_code == 200


def test_a_box_that_runs_wild_is_slowed_down_and_the_others_are_not(service: RunningService) -> None:
    """Sixty requests at once, then one every two seconds; another box is served meanwhile (S-42)."""
    wild, calm = service.enrolled(), service.enrolled()
    statuses = [wild.report().status_code for _ in range(61)]

    assert statuses[:59] == [200] * 59
    assert statuses[-1] == 429
    assert int(wild.report().headers["retry-after"]) == 2
    assert calm.report().status_code == 200
