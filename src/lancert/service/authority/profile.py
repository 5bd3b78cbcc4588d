"""What each certificate of the embedded authority looks like: pure values, no key and no disk.

Three of them (RFC 5280): a root and an issuing certificate that can speak for one zone and nothing else, by critical
name constraints (4.2.1.10) that admit the zone and exclude every IP address; and the leaf, a name or a wildcard of
the zone for TLS servers. A leaf has no subject, so its names are critical (4.2.1.6). There is no policy: the names
were never validated by a public authority, and claiming so would be untrue (S-75).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_network
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lancert.protocol.names import Zone

ROOT_LIFE = timedelta(days=3650)
ISSUING_LIFE = timedelta(days=1095)
LEAF_LIFE = timedelta(days=45)
LEAF_LIFE_LIMIT = timedelta(days=100)
BACKDATED = timedelta(minutes=55)
"""How far a validity period begins before now, for clients whose clock is late; an hour is the most (S-73)."""

P256_LENGTH = 91
"""The length of a SubjectPublicKeyInfo on P-256 with its point written out."""

SERIAL_BYTES = 17
_SERIAL_PREFIX = 0x4C
_COMMON_NAME_LIMIT = 64
_LOOKED_AT = 256  # what is planned is checked again when it is signed, a moment later
_P256_START = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_NAMES_LIMIT = 16
_DNS_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")


Extension = x509.Extension[x509.ExtensionType]


class NotPlannable(ValueError):
    """What was asked for is nothing this authority signs; the text says why."""


class LeafPlan(NamedTuple):
    """What is about to be signed, to be recorded before it is; ``public_key`` is a SubjectPublicKeyInfo in DER."""

    serial: int
    names: tuple[str, ...]
    public_key: bytes
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What a plan must respect of the certificate it will hang from."""

    zone: Zone
    not_before: datetime
    not_after: datetime


def plan_leaf(
    issuer: Issuer, *, names: tuple[str, ...], public_key: bytes, now: datetime, life: timedelta, chance: bytes
) -> LeafPlan:
    """Plan a leaf. ``chance`` are 17 random bytes for the serial. Raises NotPlannable."""
    not_before, not_after = _leaf_period(issuer, now, life)
    plan = LeafPlan(
        serial=serial_from(chance), names=names, public_key=public_key, not_before=not_before, not_after=not_after
    )
    check_plan(plan, issuer)
    return plan


@lru_cache(maxsize=_LOOKED_AT)
def _leaf_period(issuer: Issuer, now: datetime, life: timedelta) -> tuple[datetime, datetime]:
    if not issuer.not_before <= now <= issuer.not_after:
        raise NotPlannable("the issuing certificate is not valid now")
    not_before = max(_whole_seconds(now) - BACKDATED, issuer.not_before)
    # Both ends belong to the period (4.1.2.5), and nothing outlives its issuer (S-71).
    return not_before, min(not_before + life - timedelta(seconds=1), issuer.not_after)


def check_plan(plan: LeafPlan, issuer: Issuer) -> None:
    """Refuse a plan that is not one of ours, whoever wrote it down in the meantime. Raises NotPlannable."""
    check_names(plan.names, issuer.zone)
    key_mark(plan.public_key)
    if plan.serial >> 8 * SERIAL_BYTES != _SERIAL_PREFIX:
        raise NotPlannable("the serial is not one of this authority")
    if not issuer.not_before <= plan.not_before < plan.not_after <= issuer.not_after:
        raise NotPlannable("the validity period is empty or not within that of the issuing certificate")
    if plan.not_after - plan.not_before >= LEAF_LIFE_LIMIT:
        raise NotPlannable(f"a certificate lives up to {LEAF_LIFE_LIMIT.days} days")


@lru_cache(maxsize=_LOOKED_AT)
def check_names(names: tuple[str, ...], zone: Zone) -> None:
    """Refuse names that are not of the zone, written wrongly, doubled, none or too many. Raises NotPlannable."""
    if not 1 <= len(names) <= _NAMES_LIMIT or len(set(names)) != len(names):
        raise NotPlannable(f"a certificate has 1 to {_NAMES_LIMIT} different names")
    for name in names:
        if not name.endswith("." + zone) or len(name) > 253 or not _DNS_NAME.fullmatch(name):
            raise NotPlannable("a name is not one of the zone")


def serial_from(chance: bytes) -> int:
    """Make a serial: a prefix that keeps it positive and of one length, then 136 random bits (S-72)."""
    if len(chance) != SERIAL_BYTES:
        raise NotPlannable(f"a serial needs {SERIAL_BYTES} random bytes")
    return int.from_bytes(bytes((_SERIAL_PREFIX,)) + chance, "big")


def authority_period(now: datetime, life: timedelta) -> tuple[datetime, datetime]:
    """Give the validity period of a certificate of the authority itself that is created now."""
    not_before = _whole_seconds(now) - BACKDATED
    return not_before, not_before + life - timedelta(seconds=1)


def root_name(zone: Zone, mark: str) -> x509.Name:
    """Name a root; ``mark`` tells two roots of one zone apart in the trust store of a browser."""
    return _name(zone, "root", mark)


def issuing_name(zone: Zone, mark: str) -> x509.Name:
    """Name an issuing certificate."""
    return _name(zone, "issuing", mark)


def root_extensions(zone: Zone, key: x509.SubjectKeyIdentifier) -> tuple[Extension, ...]:
    """Give the extensions of the root: one more authority below it, only for the zone."""
    return (
        _critical(x509.BasicConstraints(ca=True, path_length=1)),
        _critical(_AUTHORITY_USAGE),
        _critical(name_constraints(zone)),
        _plain(key),
        _plain(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key)),
    )


def issuing_extensions(
    zone: Zone, key: x509.SubjectKeyIdentifier, root_key: x509.SubjectKeyIdentifier
) -> tuple[Extension, ...]:
    """Give the extensions of the issuing certificate: no authority below it, TLS servers of the zone only (S-71)."""
    return (
        _critical(x509.BasicConstraints(ca=True, path_length=0)),
        _critical(_AUTHORITY_USAGE),
        _plain(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        _critical(name_constraints(zone)),
        _plain(key),
        _plain(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_key)),
    )


def fixed_leaf_extensions(issuing_key: x509.SubjectKeyIdentifier, *, crl_url: str | None) -> tuple[Extension, ...]:
    """Give the extensions that are the same in every leaf (S-75)."""
    always = (
        _critical(x509.BasicConstraints(ca=False, path_length=None)),
        _critical(_LEAF_USAGE),
        _plain(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        _plain(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuing_key)),
    )
    if crl_url is None:
        return always
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
    return (*always, _plain(x509.CRLDistributionPoints([point])))


def own_leaf_extensions(plan: LeafPlan) -> tuple[Extension, ...]:
    """Give the extensions that are a leaf's own, which come before the fixed ones: its names and the mark of its key.

    The names are critical, since there is no subject (4.2.1.6).
    """
    return (
        _critical(x509.SubjectAlternativeName([x509.DNSName(name) for name in plan.names])),
        _plain(x509.SubjectKeyIdentifier(key_mark(plan.public_key))),
    )


@lru_cache(maxsize=_LOOKED_AT)
def key_mark(public_key: bytes) -> bytes:
    """Give the identifier of a leaf's key (RFC 7093, section 2, method 1). Raises NotPlannable."""
    return hashlib.sha256(_key_bits(public_key)).digest()[:20]


def _key_bits(public_key: bytes) -> bytes:
    if len(public_key) == P256_LENGTH and public_key.startswith(_P256_START):
        return public_key[len(_P256_START) - 1 :]
    try:
        key = serialization.load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotPlannable("the public key cannot be read") from error
    match key:
        case ec.EllipticCurvePublicKey():
            return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        case rsa.RSAPublicKey():
            return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        case _:
            raise NotPlannable("the public key is of a kind that TLS servers do not use")


def name_constraints(zone: Zone) -> x509.NameConstraints:
    """Admit the zone and what is below it, and no IP address of either version."""
    return x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(zone)],
        excluded_subtrees=[x509.IPAddress(ip_network("0.0.0.0/0")), x509.IPAddress(ip_network("::/0"))],
    )


def _critical(value: x509.ExtensionType) -> Extension:
    return x509.Extension(value.oid, True, value)


def _plain(value: x509.ExtensionType) -> Extension:
    return x509.Extension(value.oid, False, value)


def _usage(**wanted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every})


_AUTHORITY_USAGE = _usage(key_cert_sign=True, crl_sign=True)
_LEAF_USAGE = _usage(digital_signature=True)


def _name(zone: Zone, role: str, mark: str) -> x509.Name:
    # A common name holds 64 characters (RFC 5280, A.1), a zone may have more.
    common = f"{zone} {role} {mark}"
    if len(common) > _COMMON_NAME_LIMIT:
        common = f"lancert {role} {mark}"
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lancert"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
