"""The embedded authority: the one place where the issuing key is used.

Signing is: fill the template, read the result back and compare every field with the plan, sign, and check that what
came back is what went in. All of it takes 38 us where the library's builder takes 57 for building and signing without
any comparison; the signature itself is 20. Verifying each signature would take another 58 us and protect nobody: a
wrong signature makes a certificate no box installs, not a wrong certificate. So the first signature of a process is
verified and one of 64 after it, which finds a failing machine; ``verify_every=1`` verifies all.
"""

import base64
import itertools
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.kit.files import read_limited
from lancert.protocol.certificate import NotAChain, public_bytes, read_chain
from lancert.protocol.names import Zone
from lancert.service.authority.compare import Comparison, SignedSomethingElse, WouldSignSomethingElse
from lancert.service.authority.creation import ISSUING, ISSUING_KEY, ISSUING_PASSPHRASE, OFFLINE, ROOT, ROOT_KEY
from lancert.service.authority.crl import Revoked, build_crl
from lancert.service.authority.keys import AuthorityUnusable, read_key, read_passphrase
from lancert.service.authority.profile import (
    LEAF_LIFE,
    SERIAL_BYTES,
    Issuer,
    LeafPlan,
    check_plan,
    fixed_leaf_extensions,
    issuing_extensions,
    name_constraints,
    plan_leaf,
)
from lancert.service.authority.template import LeafTemplate, signed

_ECDSA = ec.ECDSA(hashes.SHA256())
_FILE_LIMIT = 16_384
# The tag and the length of what has 256 to 65,535 bytes (X.690, 8.1.3.5).
_HEADER = 4


_PUT_BACK = {
    ROOT: (
        f"Put it back: a copy lies in the folder {OFFLINE} with the key of the root, in the backup, and on every "
        "device that trusts it."
    ),
    ISSUING: (
        "Put it back from the backup of this folder; a new authority would have to be trusted anew by every device."
    ),
}


class EmbeddedAuthority:
    """Signs leaves and revocation lists of one zone; made by ``open_authority``, used from any thread."""

    def __init__(
        self,
        *,
        root: x509.Certificate,
        issuing: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        zone: Zone,
        leaf_life: timedelta = LEAF_LIFE,
        crl_url: str | None = None,
        verify_every: int = 64,
    ) -> None:
        self.root = root
        self.issuing = issuing
        self.zone = zone
        self.leaf_life = leaf_life
        self.root_fingerprint = root.fingerprint(hashes.SHA256()).hex()
        self._key = key
        self._issuer = Issuer(zone=zone, not_before=issuing.not_valid_before_utc, not_after=issuing.not_valid_after_utc)
        own = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        fixed = fixed_leaf_extensions(own, crl_url=crl_url)
        self._template = LeafTemplate(issuing.subject, fixed)
        self._comparison = Comparison(issuing.subject, fixed)
        self._issuing_pem = issuing.public_bytes(serialization.Encoding.PEM).decode("ascii")
        self._signatures = itertools.count()
        self._verify_every = verify_every

    @property
    def root_pem(self) -> str:
        """Give the root as PEM, for clients to trust."""
        return self.root.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def plan(self, *, names: tuple[str, ...], public_key: bytes, now: datetime) -> LeafPlan:
        """Plan a leaf for these names of the zone and this key (SubjectPublicKeyInfo). Raises NotPlannable."""
        return plan_leaf(
            self._issuer,
            names=names,
            public_key=public_key,
            now=now,
            life=self.leaf_life,
            chance=secrets.token_bytes(SERIAL_BYTES),
        )

    def sign(self, plan: LeafPlan) -> bytes:
        """Sign a leaf as planned, in DER.

        Raises NotPlannable or WouldSignSomethingElse before anything was signed, SignedSomethingElse after.
        """
        check_plan(plan, self._issuer)
        to_be_signed = self._template.to_be_signed(plan)
        if differing := self._comparison.differences(to_be_signed, plan):
            raise WouldSignSomethingElse(f"what is about to be signed differs in: {', '.join(differing)}")
        signature = self._key.sign(to_be_signed, _ECDSA)
        leaf = signed(to_be_signed, signature)
        certificate = x509.load_der_x509_certificate(leaf)
        # It was read as three parts without a byte more (X.690): these are its first and its last.
        if not leaf.startswith(to_be_signed, _HEADER) or certificate.signature != signature:
            raise SignedSomethingElse("the certificate is not made of what was signed")
        if next(self._signatures) % self._verify_every == 0:
            self._verify(certificate)
        return leaf

    def chain_pem(self, leaf: bytes) -> str:
        """Give the chain a server sends, in PEM: the leaf, the issuing certificate, and not the root."""
        text = base64.b64encode(leaf).decode("ascii")
        lines = "\n".join([text[at : at + 64] for at in range(0, len(text), 64)])
        return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n{self._issuing_pem}"

    def crl(self, revoked: Sequence[Revoked], *, number: int, now: datetime) -> bytes:
        """Sign the list of revoked certificates, in DER; ``number`` only ever grows."""
        return build_crl(revoked, number=number, now=now, issuing=self.issuing, key=self._key)

    def _verify(self, certificate: x509.Certificate) -> None:
        try:
            certificate.verify_directly_issued_by(self.issuing)
        except (InvalidSignature, ValueError, TypeError) as error:
            raise SignedSomethingElse("the signature is not one of the issuing key") from error


def open_authority(
    folder: Path,
    zone: Zone,
    *,
    now: datetime,
    passphrase_file: Path | None = None,
    leaf_life: timedelta = LEAF_LIFE,
    crl_url: str | None = None,
    verify_every: int = 64,
) -> EmbeddedAuthority:
    """Open the authority in a folder, and check that its parts are private and belong together.

    Raises AuthorityUnusable with a sentence for the operator.
    """
    root, issuing = read_root(folder), read_issuing(folder)
    _check_belongs(root, issuing, zone)
    _check_dates(root, issuing, now)
    key = read_key(folder / ISSUING_KEY, read_passphrase(passphrase_file or folder / ISSUING_PASSPHRASE))
    if public_bytes(key.public_key()) != public_bytes(issuing.public_key()):
        raise AuthorityUnusable(f"{ISSUING_KEY} is not the key of {ISSUING}: take both from the same backup.")
    return EmbeddedAuthority(
        root=root,
        issuing=issuing,
        key=key,
        zone=zone,
        leaf_life=leaf_life,
        crl_url=crl_url,
        verify_every=verify_every,
    )


def read_root(folder: Path) -> x509.Certificate:
    """Read the root certificate of the authority in a folder. Raises AuthorityUnusable."""
    return _read_certificate(folder / ROOT)


def read_issuing(folder: Path) -> x509.Certificate:
    """Read the issuing certificate of the authority in a folder. Raises AuthorityUnusable."""
    return _read_certificate(folder / ISSUING)


def root_key_is_here(folder: Path) -> bool:
    """Say whether the root key still lies on this machine, where the operator should not leave it."""
    return (folder / OFFLINE / ROOT_KEY).exists()


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        chain = read_chain(read_limited(path, _FILE_LIMIT))
    except FileNotFoundError:
        raise AuthorityUnusable(f"{path.name} is missing in {path.parent}. {_PUT_BACK[path.name]}") from None
    except (OSError, NotAChain) as error:
        raise AuthorityUnusable(
            f"{path.name} in {path.parent} cannot be read: {error}. {_PUT_BACK[path.name]}"
        ) from error
    if len(chain) != 1:
        raise AuthorityUnusable(f"{path.name} in {path.parent} holds more than one certificate.")
    return chain[0]


def _check_belongs(root: x509.Certificate, issuing: x509.Certificate, zone: Zone) -> None:
    try:
        issuing.verify_directly_issued_by(root)
        own, above = (
            certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            for certificate in (issuing, root)
        )
        found = {extension.oid: (extension.critical, extension.value) for extension in issuing.extensions}
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise AuthorityUnusable(f"{ISSUING} was not signed by {ROOT}: take both from the same backup.") from error
    constraints = found.get(x509.NameConstraints.oid)
    if constraints != (True, name_constraints(zone)):
        raise AuthorityUnusable(
            f"The authority is not one for the zone {zone} alone: set the zone it was created for, or create another."
        )
    if found != {item.value.oid: (item.critical, item.value) for item in issuing_extensions(zone, own, above)}:
        raise AuthorityUnusable(f"{ISSUING} allows more or less than an issuing certificate of lancert does.")


def _check_dates(root: x509.Certificate, issuing: x509.Certificate, now: datetime) -> None:
    for name, certificate in ((ROOT, root), (ISSUING, issuing)):
        if now < certificate.not_valid_before_utc:
            raise AuthorityUnusable(
                f"{name} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only: "
                "check the clock of this machine."
            )
        if now > certificate.not_valid_after_utc:
            raise AuthorityUnusable(
                f"{name} was valid until {certificate.not_valid_after_utc:%Y-%m-%d}. If the clock of this machine is "
                "right, create a new authority in another folder and have it trusted."
            )
