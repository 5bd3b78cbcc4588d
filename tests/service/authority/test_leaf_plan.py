"""What is planned before it is signed: names, serial and validity period of a leaf."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from lancert.protocol.certificate import public_bytes
from lancert.protocol.names import DEMO_ZONE, Label, Zone, certificate_names
from lancert.service.authority import LeafPlan, NotPlannable
from lancert.service.authority.profile import Issuer, key_mark, plan_leaf, root_name, serial_from

START = datetime(2026, 11, 20, 8, 35, tzinfo=UTC)
ISSUER = Issuer(zone=DEMO_ZONE, not_before=START, not_after=START + timedelta(days=1095) - timedelta(seconds=1))
NAMES = certificate_names(Label("k3v7q2m4x5a6b7c2"), DEMO_ZONE)
P256 = public_bytes(ec.generate_private_key(ec.SECP256R1()).public_key())
LIFE = timedelta(days=45)


def plan(
    now: datetime = START + timedelta(days=1),
    names: tuple[str, ...] = NAMES,
    public_key: bytes = P256,
    life: timedelta = LIFE,
    chance: bytes = b"\x00" * 17,
) -> LeafPlan:
    return plan_leaf(ISSUER, names=names, public_key=public_key, now=now, life=life, chance=chance)


@given(
    st.datetimes(START.replace(tzinfo=None), (ISSUER.not_after - timedelta(hours=1)).replace(tzinfo=None)),
    st.integers(2, 100 * 86_400),
)
def test_a_leaf_begins_at_most_an_hour_ago_and_never_outlives_its_issuer(moment: datetime, seconds: int) -> None:
    """The validity period holds now, is as long as asked for, and lies within that of the issuer (S-71, S-73)."""
    now, life = moment.replace(tzinfo=UTC), timedelta(seconds=seconds)

    made = plan(now, life=life)

    assert now - timedelta(hours=1) <= made.not_before <= now
    assert ISSUER.not_before <= made.not_before < made.not_after
    assert made.not_after == min(made.not_before + life - timedelta(seconds=1), ISSUER.not_after)
    assert made.not_before.microsecond == made.not_after.microsecond == 0


def test_a_leaf_lives_45_days_less_a_second() -> None:
    """Both ends belong to the validity period, so 45 days end a second before the 46th day begins (S-73)."""
    made = plan()

    assert made.not_after - made.not_before == timedelta(days=45) - timedelta(seconds=1)


@given(st.binary(min_size=17, max_size=17))
def test_a_serial_is_positive_of_one_length_and_holds_all_its_chance(chance: bytes) -> None:
    """Every serial has 136 random bits behind a prefix: positive, 18 bytes, at most 19 in DER (S-72)."""
    serial = serial_from(chance)

    assert serial > 0
    assert (serial.bit_length() + 8) // 8 == 18
    assert serial.to_bytes(18, "big")[1:] == chance


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("google.com",),
        ("lancert.localhost.evil.example",),
        ("xlancert.localhost",),
        (DEMO_ZONE,),
        ("k3v7q2m4x5a6b7c2.lancert.localhost", "google.com"),
        ("a.lancert.localhost", "a.lancert.localhost"),
        ("A.lancert.localhost",),
        ("a..lancert.localhost",),
        ("*.*.lancert.localhost",),
        ("a.*.lancert.localhost",),
        ("a b.lancert.localhost",),
        ("a\x00.lancert.localhost",),
        ("ä.lancert.localhost",),
        ("-a.lancert.localhost",),
        (".lancert.localhost",),
        ("a.lancert.localhost.",),
        ("a.lancert.localhost\n",),
        ("192.168.1.5",),
        ("x" * 64 + ".lancert.localhost",),
        (".".join(["x" * 60] * 5) + ".lancert.localhost",),
        tuple(f"n{number}.lancert.localhost" for number in range(17)),
    ],
)
def test_only_names_of_the_zone_are_planned(names: tuple[str, ...]) -> None:
    """A name that is not below the zone, or not written as one, is refused before anything is signed."""
    with pytest.raises(NotPlannable):
        plan(names=names)


@pytest.mark.parametrize("life", [timedelta(0), timedelta(seconds=1), -LIFE, timedelta(days=100, seconds=1)])
def test_a_life_is_positive_and_at_most_100_days(life: timedelta) -> None:
    """No setting makes certificates that live longer than 100 days (S-73)."""
    with pytest.raises(NotPlannable):
        plan(life=life)


@pytest.mark.parametrize("now", [START - timedelta(seconds=1), ISSUER.not_after + timedelta(seconds=1)])
def test_nothing_is_planned_outside_the_life_of_the_issuer(now: datetime) -> None:
    """An authority that is not valid now signs nothing."""
    with pytest.raises(NotPlannable):
        plan(now)


@pytest.mark.parametrize(
    "public_key",
    [
        public_bytes(ec.generate_private_key(ec.SECP384R1()).public_key()),
        public_bytes(rsa.generate_private_key(65_537, 2048).public_key()),
    ],
    ids=["P-384", "RSA"],
)
def test_other_keys_of_tls_servers_are_planned_too(public_key: bytes) -> None:
    """The policy of keys is the service's; the authority plans every kind that TLS servers use."""
    assert plan(public_key=public_key).public_key == public_key
    assert len(key_mark(public_key)) == 20


@pytest.mark.parametrize(
    "public_key",
    [b"", b"\x30\x00", P256[:-1], P256 + b"\x00", public_bytes(ed25519.Ed25519PrivateKey.generate().public_key())],
    ids=["empty", "no key", "short", "long", "Ed25519"],
)
def test_what_is_no_key_of_a_tls_server_is_not_planned(public_key: bytes) -> None:
    """A key that cannot be read, or that browsers do not accept, is refused before anything is signed."""
    with pytest.raises(NotPlannable):
        plan(public_key=public_key)


@pytest.mark.parametrize("zone", ["lancert.localhost", ".".join(["x" * 59] * 3)])
def test_the_common_name_of_an_authority_fits_its_64_characters(zone: str) -> None:
    """A long zone does not make a certificate that strict readers refuse (RFC 5280, A.1)."""
    assert all(len(str(attribute.value)) <= 64 for attribute in root_name(Zone(zone), "0011aabb"))
