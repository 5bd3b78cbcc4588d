"""Does the stored certificate lead to a root that is trusted for it?

Key, names and dates are told by ``certificate-readable``; a certificate that is not valid now is not tried here.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from lancert.box.diagnosis.result import Check, Finding, Verdict
from lancert.box.store import Damaged, read_generation
from lancert.kit.language import N_
from lancert.protocol.certificate import NotAChain, NotOurs, check_chain, public_bytes

ID = "certificate-chain"
_TITLE = N_("Chain of the certificate")
_finding = Check(ID, _TITLE).found

Chain = tuple[x509.Certificate, ...]


def stored_chain(certificates: Path) -> Chain | None:
    """Read the chain of the newest usable generation, current first; None when there is none."""
    try:
        current = (certificates / "current").read_text(encoding="ascii", errors="replace").strip()
        found = sorted(certificates.glob("generation-*.pem"), key=lambda path: (path.name == current, path.name))
    except OSError:
        return None
    for path in reversed(found):
        try:
            return read_generation(path).chain
        except Damaged:
            continue
    return None


def check(chain: Chain | None, roots: Sequence[x509.Certificate], now: datetime) -> Finding:
    """Verify the chain as a client does that trusts these roots."""
    if chain is None:
        return _finding(Verdict.NOT_TRIED, N_("Not tried, because there is no certificate yet."))
    leaf = chain[0]
    words = {"issuer": _called(leaf.issuer)}
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return _finding(Verdict.NOT_TRIED, N_("Not tried, because the certificate is not valid now."))
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        check_chain(
            chain,
            names=names.get_values_for_type(x509.DNSName),
            public_key=public_bytes(leaf.public_key()),
            roots=roots,
            now=now,
        )
    except (NotOurs, NotAChain, x509.ExtensionNotFound, ValueError):
        return _finding(
            Verdict.WRONG,
            N_("The certificate, issued by {issuer}, does not lead to a root this IoT system knows."),
            words,
            because="untrusted",
            remedy=(
                N_("Connect this IoT system to its server again, with a new connection token."),
                N_("Then ask for a new certificate: lancert box renew, or Certificate behind the cogs."),
            ),
        )
    return _finding(Verdict.FINE, N_("It was issued by {issuer} and leads to a known root."), words)


def _called(name: x509.Name) -> str:
    return next((str(one.value) for one in name.get_attributes_for_oid(NameOID.COMMON_NAME)), name.rfc4514_string())
