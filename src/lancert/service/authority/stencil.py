"""A leaf as the ``cryptography`` library writes it, without paying for its builder each time.

For leaves of one shape (their values have the same lengths) the library writes the same bytes around the values. So it
writes one leaf of made-up values, which is cut where they are; what is left is filled with the values of a plan. A
stencil is used only after it gave, byte by byte, what the library writes for other values. What is rare (keys of
another kind than P-256, parts of seconds) has none: whoever asks takes the long way.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.protocol.certificate import public_bytes
from lancert.service.authority.profile import P256_LENGTH, Extension, LeafPlan, own_leaf_extensions

_NOBODY = x509.Name([])
_SHAPES_KEPT = 16
_POINT_LENGTH = 65
_MARK_LENGTH = 20
_SHORT_YEARS = range(1950, 2050)


class Stencils:
    """The stencils of one issuer; used from any thread."""

    __slots__ = ("_fixed", "_issuer", "_of_shape")

    def __init__(self, issuer: x509.Name, fixed: Sequence[Extension]) -> None:
        self._issuer = issuer
        self._fixed = tuple(fixed)
        self._of_shape: dict[tuple[int, ...], tuple[bytes, ...]] = {}

    def write(self, plan: LeafPlan) -> bytes | None:
        """Give the TBSCertificate that the library writes for a plan, or None when there is no stencil for it."""
        if not _is_ordinary(plan):
            return None
        values = _values(plan)
        shape = tuple(map(len, values))
        between = self._of_shape.get(shape)
        if between is None:
            between = self._cut(_made_up(plan, "a"))
            proof = _made_up(plan, "k")
            if _fill(between, _values(proof)) != self._built(proof):
                return None
            if len(self._of_shape) < _SHAPES_KEPT:
                self._of_shape[shape] = between
        return _fill(between, values)

    def _cut(self, sample: LeafPlan) -> tuple[bytes, ...]:
        """Give what the library writes before, between and after the values of a leaf."""
        rest, between = self._built(sample), []
        for value in _values(sample):
            before, _, rest = rest.partition(value)
            between.append(before)
        return (*between, rest)

    def _built(self, plan: LeafPlan) -> bytes:
        key = serialization.load_der_public_key(plan.public_key)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        extensions = [*own_leaf_extensions(plan), *self._fixed]
        start, end = plan.not_before, plan.not_after
        builder = x509.CertificateBuilder(self._issuer, _NOBODY, key, plan.serial, start, end, extensions)
        return builder.sign(_any_key("a"), hashes.SHA256()).tbs_certificate_bytes


def _is_ordinary(plan: LeafPlan) -> bool:
    return len(plan.public_key) == P256_LENGTH and plan.serial > 0 and _is_short(plan.not_before, plan.not_after)


@lru_cache(maxsize=_SHAPES_KEPT)
def _is_short(*moments: datetime) -> bool:
    """Say whether moments are written in UTC, to the second, with two digits for the year (RFC 5280, 4.1.2.5.1)."""
    return all(one.tzinfo is UTC and not one.microsecond and one.year in _SHORT_YEARS for one in moments)


def _values(plan: LeafPlan) -> tuple[bytes, ...]:
    """Give the values of a plan in the order and the spelling in which they stand in a leaf."""
    return (
        plan.serial.to_bytes(plan.serial.bit_length() // 8 + 1, "big"),
        _short(plan.not_before),
        _short(plan.not_after),
        plan.public_key,
        *map(str.encode, plan.names),
        hashlib.sha256(plan.public_key[-_POINT_LENGTH:]).digest()[:_MARK_LENGTH],
    )


@lru_cache(maxsize=_SHAPES_KEPT)
def _short(moment: datetime) -> bytes:
    return moment.strftime("%y%m%d%H%M%SZ").encode()


def _fill(between: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    return b"".join(piece for pair in zip(between, (*values, b""), strict=True) for piece in pair)


def _made_up(plan: LeafPlan, letter: str) -> LeafPlan:
    """Give a plan of the same shape whose values are found nowhere else in a leaf; another letter, other values."""
    year = 2000 + ord(letter) % 50
    return plan._replace(
        serial=plan.serial ^ (1 << plan.serial.bit_length() - 1) - ord(letter),
        names=tuple(chr(ord(letter) + place % 10) * len(name) for place, name in enumerate(plan.names)),
        public_key=public_bytes(_any_key(letter).public_key()),
        not_before=datetime(year, 2, 3, 4, 5, 6, tzinfo=UTC),
        not_after=datetime(year, 8, 9, 10, 11, 12, tzinfo=UTC),
    )


@lru_cache(maxsize=2)
def _any_key(letter: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
