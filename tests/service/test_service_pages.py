"""What anybody may read of the service: root, revocation list, health; and what plain HTTP is for."""

import hashlib
import ssl
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
from cryptography import x509
from tests.service.harness import RunningService, problem


@pytest.fixture
def plain(shared: RunningService) -> Iterator[httpx2.Client]:
    """A client on the port without TLS."""
    base_url = f"http://127.0.0.1:{shared.ready.http_port}"
    with httpx2.Client(base_url=base_url, trust_env=False, timeout=20) as client:
        yield client


def leaf_of(service: RunningService) -> x509.Certificate:
    """A certificate the service has issued."""
    pem = service.enrolled().ask().json()["chain"]
    return x509.load_pem_x509_certificate(pem.encode())


def test_the_root_can_be_fetched_by_a_box_that_only_knows_its_fingerprint(shared: RunningService) -> None:
    """Over a connection nobody vouches for: what comes is held against the fingerprint."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    with httpx2.Client(verify=unverified, trust_env=False) as stranger:
        answer = stranger.get(f"https://127.0.0.1:{shared.ready.https_port}/root.pem")

    der = ssl.PEM_cert_to_DER_cert(answer.text)
    assert hashlib.sha256(der).hexdigest() == shared.ready.root_fingerprint
    assert "PRIVATE" not in answer.text


def test_the_list_of_revoked_certificates_is_where_the_certificates_say(
    shared: RunningService, plain: httpx2.Client
) -> None:
    """A verifier follows the pointer in the leaf, over plain HTTP, and finds a list of the right issuer (S-77)."""
    leaf = leaf_of(shared)
    (point,) = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name is not None
    url = httpx2.URL(point.full_name[0].value)

    answer = plain.get(url.path)
    revoked = x509.load_der_x509_crl(answer.content)

    assert (url.scheme, url.port) == ("http", shared.ready.http_port)
    assert answer.headers["content-type"] == "application/pkix-crl"
    assert revoked.issuer == leaf.issuer
    assert revoked.next_update_utc is not None
    assert revoked.next_update_utc - shared.clock.now() > timedelta(days=6)


def test_the_list_is_signed_anew_before_it_is_old(service: RunningService) -> None:
    """Twelve hours later there is another list, with a greater number."""

    def read() -> x509.CertificateRevocationList:
        paths = service.client.get("/openapi.json").json()["paths"]
        (path,) = [path for path in paths if path.startswith("/crl/")]
        return x509.load_der_x509_crl(service.client.get(path).content)

    def number(crl: x509.CertificateRevocationList) -> int:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    first, again = read(), read()
    service.clock.forward(timedelta(hours=12))
    later = read()

    assert first == again
    assert number(later) > number(first)


@pytest.mark.parametrize("path", ["/api/v1/enrolments", "/api/v1/certificates", "/api/v1/reports"])
def test_the_box_protocol_is_not_spoken_without_tls(plain: httpx2.Client, path: str) -> None:
    """A credential never travels in the clear because of a wrong port."""
    answer = plain.post(path, content=b"{}", headers={"content-type": "application/json"})

    problem(answer, 404, "not-found")


def test_the_pages_say_what_this_is_and_that_it_works(shared: RunningService) -> None:
    """A person who opens the address in a browser is not left with an error; nothing is loaded from elsewhere."""
    index, health = shared.client.get("/"), shared.client.get("/healthz")

    assert "certificate service" in index.text
    assert index.headers["content-security-policy"].startswith("default-src 'none'")
    assert health.json()["status"] == "ok"


def test_answers_of_the_api_are_never_stored(shared: RunningService) -> None:
    """A cache in between keeps no certificate and no refusal."""
    box = shared.enrolled()

    for answer in (box.ask(), box.ask("x"), box.report()):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
