"""The chains of the embedded authority before foreign judges: verifiers that accept them and refuse a thief's; linters.

The verifiers are told to trust the root and nothing else, as a payment terminal would be.
"""

import json
import socket
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.outsiders.foreign import Done, run

from lancert.protocol.certificate import NotOurs, check_chain, public_bytes, read_chain
from lancert.service.authority import EmbeddedAuthority, RevocationReason, Revoked


class ServerFiles(Protocol):
    """What a TLS server is configured with, as conftest writes it."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def chain(self) -> Path: ...
    @property
    def key(self) -> Path: ...


class Served(Protocol):
    """A running HTTPS server of conftest."""

    @property
    def port(self) -> int: ...


Steal = Callable[..., ServerFiles]
Serve = Callable[[ServerFiles], Served]
Tool = Callable[[str], str]


def asked_name(files: ServerFiles) -> str:
    """Give a name the certificate should be good for: an address name where it has a wildcard."""
    return files.names[0].replace("*", "192-168-1-5", 1)


# Each judge says whether it accepts a server for a name, and prints why not.


def by_openssl_verify(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    issuing = files.chain.with_name("issuing.pem")
    issuing.write_bytes(read_chain(files.chain.read_bytes())[1].public_bytes(serialization.Encoding.PEM))
    strict = ("-x509_strict", "-purpose", "sslserver", "-verify_hostname", name)
    return run(tool("openssl"), "verify", *strict, "-CAfile", root, "-untrusted", issuing, files.chain)


def by_openssl_connecting(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    strict = ("-x509_strict", "-verify_return_error", "-verify_hostname", name, "-servername", name)
    address = f"127.0.0.1:{serve(files).port}"
    return run(tool("openssl"), "s_client", *strict, "-connect", address, "-CAfile", root)


def by_certtool(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    wanted = (f"--verify-hostname={name}", "--verify-purpose=1.3.6.1.5.5.7.3.1", "--verify-profile=medium")
    return run(tool("certtool"), "--verify", *wanted, "--load-ca-certificate", root, "--infile", files.chain)


def by_gnutls_connecting(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    wanted = (f"--verify-hostname={name}", f"--sni-hostname={name}", f"--x509cafile={root}", "--logfile=/dev/stderr")
    return run(tool("gnutls-cli"), *wanted, "-p", serve(files).port, "127.0.0.1")


def by_curl(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    port = serve(files).port
    to_us = ("--resolve", f"{name}:{port}:127.0.0.1", "--noproxy", "*")
    return run(tool("curl"), "-q", "-sS", *to_us, "--cacert", root, f"https://{name}:{port}/")


def by_python(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    context = ssl.create_default_context(cafile=root)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", serve(files).port), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                return Done("python", 0, secured.version() or "", "")
        except ssl.SSLCertVerificationError as error:
            return Done("python", 1, "", error.verify_message)


def by_pyca(tool: Tool, root: Path, files: ServerFiles, name: str, serve: Serve) -> Done:
    chain = read_chain(files.chain.read_bytes())
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    roots, wanted = read_chain(root.read_bytes()), public_bytes(key.public_key())
    try:
        check_chain(chain, names=files.names or (name,), public_key=wanted, roots=roots, now=datetime.now(UTC))
    except NotOurs as error:
        return Done("pyca", 1, "", f"{error}: {error.__cause__}")
    return Done("pyca", 0, "", "")


Judge = Callable[[Tool, Path, ServerFiles, str, Serve], Done]
JUDGES: dict[str, Judge] = {
    "openssl verify": by_openssl_verify,
    "openssl s_client": by_openssl_connecting,
    "certtool": by_certtool,
    "gnutls-cli": by_gnutls_connecting,
    "curl": by_curl,
    "Python": by_python,
    "pyca": by_pyca,
}
every_judge = pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)


@pytest.mark.promise("M1")
@every_judge
def test_a_client_that_knows_the_root_alone_accepts_the_certificate_of_a_box(
    judge: Judge, tool: Tool, root_file: Path, box_files: ServerFiles, serve: Serve
) -> None:
    """Strict clients open the address name of a box without being told to trust anything but the root."""
    done = judge(tool, root_file, box_files, asked_name(box_files), serve)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promise("M1")
@every_judge
def test_the_stable_name_of_a_box_is_accepted_too(
    judge: Judge, tool: Tool, root_file: Path, box_files: ServerFiles, serve: Serve
) -> None:
    """The certificate covers the name without an address as well."""
    done = judge(tool, root_file, box_files, box_files.names[1], serve)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("judge", [judge for name, judge in JUDGES.items() if name != "pyca"])
def test_the_certificate_of_a_box_is_good_for_no_other_box(
    judge: Judge, tool: Tool, root_file: Path, box_files: ServerFiles, serve: Serve
) -> None:
    """The control of the judges: a name of another label is refused by each of them."""
    done = judge(tool, root_file, box_files, "192-168-1-5.aaaaaaaaaaaaaaaa.iot.example.com", serve)

    assert done.returncode != 0, done.stdout + done.stderr


SAYS_CONSTRAINT = {
    "openssl verify": "permitted subtree violation",
    "openssl s_client": "permitted subtree violation",
    "curl": "permitted subtree violation",
    "Python": "permitted subtree violation",
    "certtool": "violates the signer's constraints",
    "gnutls-cli": "violates the signer's constraints",
    "pyca": "does not lead to the expected root",
}


@pytest.mark.parametrize("name", JUDGES)
def test_a_leaf_for_another_domain_made_with_the_stolen_issuing_key_is_refused(
    name: str, tool: Tool, root_file: Path, stolen_leaf: Steal, serve: Serve
) -> None:
    """Who steals the issuing key can speak for the zone and for nobody else (T-24, F-78)."""
    done = JUDGES[name](tool, root_file, stolen_leaf("google.com"), "google.com", serve)

    assert done.returncode != 0
    assert SAYS_CONSTRAINT[name] in done.stdout + done.stderr


@every_judge
def test_the_stolen_key_does_make_leaves_for_the_zone(
    judge: Judge, tool: Tool, root_file: Path, stolen_leaf: Steal, serve: Serve
) -> None:
    """The control of the test before: for the zone, the thief's leaf is accepted, so only the constraint refused it."""
    done = judge(tool, root_file, stolen_leaf("thief.iot.example.com"), "thief.iot.example.com", serve)

    assert done.returncode == 0, done.stdout + done.stderr


@every_judge
def test_a_name_outside_the_zone_is_not_smuggled_in_beside_one_inside(
    judge: Judge, tool: Tool, root_file: Path, stolen_leaf: Steal, serve: Serve
) -> None:
    """One name of the zone does not make the others good (F-78)."""
    files = stolen_leaf("thief.iot.example.com", "google.com")

    assert judge(tool, root_file, files, "google.com", serve).returncode != 0
    assert judge(tool, root_file, files, "thief.iot.example.com", serve).returncode != 0


@pytest.mark.parametrize("address", ["192.168.1.5", "8.8.8.8", "fd00::1"])
@every_judge
def test_a_leaf_with_an_ip_address_is_refused(
    judge: Judge, tool: Tool, root_file: Path, stolen_leaf: Steal, serve: Serve, address: str
) -> None:
    """No address of either version can be certified, not even beside a name of the zone (S-71)."""
    files = stolen_leaf("thief.iot.example.com", more=(x509.IPAddress(ip_address(address)),))

    assert judge(tool, root_file, files, "thief.iot.example.com", serve).returncode != 0


@every_judge
def test_a_domain_in_the_subject_alone_is_refused(
    judge: Judge, tool: Tool, root_file: Path, stolen_leaf: Steal, serve: Serve
) -> None:
    """Old clients read a name in the subject; the constraint reaches it there (F-78)."""
    files = stolen_leaf(subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "google.com")]))

    assert judge(tool, root_file, files, "google.com", serve).returncode != 0


def test_openssl_reads_the_profile_as_it_is_meant(tool: Tool, box_files: ServerFiles) -> None:
    """What an operator sees with ``openssl x509 -text`` is what the documentation says (S-75)."""
    text = run(tool("openssl"), "x509", "-in", box_files.chain, "-noout", "-text").stdout

    for line in (
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "X509v3 Subject Alternative Name: critical",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "URI:http://service.iot.example.com/crl",
    ):
        assert line in text
    assert "IP Address" not in text


# pkilint. RFC 5280 is the standard that binds a private authority, so the linter of that standard decides. The
# linter for public web authorities is asked as well, and every finding of it is written down here with the reason
# why it does not apply, so that a new finding is noticed.

WILDCARD = "pkix.invalid_domain_name_syntax"  # RFC 5280 leaves wildcards to others; RFC 9525, 6.3 has them
NOT_FOR_US = {
    "leaf": {
        "cabf.serverauth.subscriber.subject_key_identifier_extension_present",  # RFC 5280, 4.2.1.2 wants it
        "cabf.serverauth.subscriber.authority_info_access_extension_absent",  # the chain is sent; there is no OCSP
        "cabf.serverauth.subscriber.certificate_policies_extension_absent",  # no public policy was followed (S-75)
    },
    "issuing": {
        "cabf.serverauth.ca.country_attribute_absent",  # no legal entity stands behind it
        "cabf.ca_certificate_no_digital_signature_bit",  # it signs no OCSP answers
        "cabf.serverauth.ca.incomplete_name_constraints",  # leaves have no subject that could be constrained
        "cabf.serverauth.ca.certificate_policies_extension_absent",  # as for leaves
        "cabf.serverauth.ca.crl_distribution_points_extension_absent",  # the root key is offline: no list is signed
        "cabf.serverauth.ca.authority_info_access_extension_absent",  # the root is trusted where it is used
    },
    "root": {
        "cabf.serverauth.ca.country_attribute_absent",  # no legal entity stands behind it
        "cabf.ca_certificate_no_digital_signature_bit",  # it signs no OCSP answers
        "cabf.serverauth.root_basic_constraints_pathlenconstraint_present",  # one authority below it is all there is
        "cabf.serverauth.root.unknown_extension_present",  # the constraint to the zone, which public roots lack
    },
}


@pytest.fixture(scope="module")
def certificates(
    authority_folder: Path, box_files: ServerFiles, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One file for each kind of certificate: the linters read the first of a file."""
    leaf = tmp_path_factory.mktemp("lint") / "leaf.pem"
    leaf.write_bytes(read_chain(box_files.chain.read_bytes())[0].public_bytes(serialization.Encoding.PEM))
    return {"leaf": leaf, "issuing": authority_folder / "issuing.pem", "root": authority_folder / "root.pem"}


def findings(linter: str, *arguments: str | Path) -> set[str]:
    """Give the codes of all findings from notice up."""
    # The exit status is the number of findings; warnings of the linter's own libraries are not about us.
    module = ("-W", "ignore", "-m", f"pkilint.bin.{linter}")
    done = run(sys.executable, *module, "lint", "-s", "NOTICE", "-f", "JSON", *arguments)
    assert done.stdout, f"pkilint is missing or failed (pip install pkilint): {done.stderr}"
    return {
        finding["code"] for result in json.loads(done.stdout)["results"] for finding in result["finding_descriptions"]
    }


@pytest.mark.parametrize(("kind", "expected"), [("leaf", {WILDCARD}), ("issuing", set()), ("root", set())])
def test_pkilint_finds_nothing_against_rfc_5280(certificates: dict[str, Path], kind: str, expected: set[str]) -> None:
    """Nothing at all, but for the wildcard, which that RFC does not know and RFC 9525 does."""
    assert findings("lint_pkix_cert", certificates[kind]) == expected


@pytest.mark.parametrize(("issuer", "subject"), [("root", "issuing"), ("issuing", "leaf")])
def test_pkilint_finds_that_each_certificate_fits_its_issuer(
    certificates: dict[str, Path], issuer: str, subject: str
) -> None:
    """Names, key identifiers and algorithms of the chain agree."""
    assert findings("lint_pkix_signer_signee_cert_chain", certificates[issuer], certificates[subject]) == set()


@pytest.mark.parametrize("kind", ["leaf", "issuing", "root"])
def test_pkilint_finds_of_the_rules_for_public_authorities_only_what_is_not_for_us(
    certificates: dict[str, Path], kind: str
) -> None:
    """A private, constrained authority differs from a public one in these points, each for a reason, and no others."""
    assert findings("lint_cabf_serverauth_cert", "-d", certificates[kind]) == NOT_FOR_US[kind]


@pytest.mark.parametrize("profile", ["PKIX", "BR"])
def test_pkilint_finds_nothing_in_the_revocation_list(
    authority: EmbeddedAuthority, tmp_path: Path, profile: str
) -> None:
    """The list follows RFC 5280 and the rules for public authorities alike (S-77)."""
    now = datetime.now(UTC)
    revoked = [Revoked(serial=10**40, when=now, reason=RevocationReason.KEY_COMPROMISE), Revoked(serial=11, when=now)]
    crl = x509.load_der_x509_crl(authority.crl(revoked, number=3, now=now))
    (tmp_path / "crl.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))

    assert findings("lint_crl", "-t", "CRL", "-p", profile, tmp_path / "crl.pem") == set()


def test_pkilint_does_find_what_is_wrong(stolen_leaf: Steal, tmp_path: Path) -> None:
    """The control of the linter: a certificate with a faulty name is reported."""
    leaf = read_chain(stolen_leaf("two..dots.iot.example.com").chain.read_bytes())[0]
    (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))

    assert WILDCARD in findings("lint_pkix_cert", tmp_path / "leaf.pem")


def test_openssl_refuses_a_revoked_certificate(
    authority: EmbeddedAuthority, tool: Tool, root_file: Path, box_files: ServerFiles, tmp_path: Path
) -> None:
    """A client that looks at the list refuses who is on it, and accepts who is not (S-77)."""
    chain, now = read_chain(box_files.chain.read_bytes()), datetime.now(UTC)
    (tmp_path / "issuing.pem").write_bytes(chain[1].public_bytes(serialization.Encoding.PEM))
    checked = ("-crl_check", "-CAfile", root_file, "-untrusted", tmp_path / "issuing.pem")
    said = []
    for number, serial in enumerate((5, chain[0].serial_number), 1):
        crl = x509.load_der_x509_crl(authority.crl([Revoked(serial=serial, when=now)], number=number, now=now))
        (tmp_path / "crl.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
        said.append(run(tool("openssl"), "verify", *checked, "-CRLfile", tmp_path / "crl.pem", box_files.chain))

    assert said[0].returncode == 0, said[0].stderr
    assert "certificate revoked" in said[1].stderr
