"""Signing: what comes out is what was planned, and anything else is noticed before the key signs it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from lancert.protocol.certificate import check_chain, public_bytes, read_chain
from lancert.protocol.names import DEMO_ZONE, certificate_names, new_label
from lancert.service.authority import (
    EmbeddedAuthority,
    LeafPlan,
    NotPlannable,
    SignedSomethingElse,
    WouldSignSomethingElse,
    open_authority,
)
from lancert.service.authority.compare import Comparison
from lancert.service.authority.keys import new_key
from lancert.service.authority.profile import Extension, fixed_leaf_extensions, own_leaf_extensions
from lancert.service.authority.stencil import Stencils
from lancert.service.authority.template import LeafTemplate

SECOND = timedelta(seconds=1)
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def plan(authority: EmbeddedAuthority, box_key: bytes, now: datetime) -> LeafPlan:
    """A leaf as boxes get it."""
    return authority.plan(names=certificate_names(new_label(), DEMO_ZONE), public_key=box_key, now=now)


@pytest.fixture(scope="module")
def fixed(authority: EmbeddedAuthority) -> tuple[Extension, ...]:
    """The extensions all leaves share."""
    own = authority.issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return fixed_leaf_extensions(own, crl_url=None)


@pytest.fixture(scope="module")
def comparison(authority: EmbeddedAuthority, fixed: tuple[Extension, ...]) -> Comparison:
    """What judges a leaf of the authority."""
    return Comparison(authority.issuing.subject, fixed)


@pytest.mark.promise("M1")
def test_a_leaf_is_what_was_planned_and_leads_to_the_root(
    authority: EmbeddedAuthority, plan: LeafPlan, now: datetime
) -> None:
    """The chain holds our key and exactly our names, and a verifier that knows the root alone accepts it."""
    chain = read_chain(authority.chain_pem(authority.sign(plan)).encode())

    facts = check_chain(chain, names=plan.names, public_key=plan.public_key, roots=[authority.root], now=now)

    assert facts.serial == format(plan.serial, "x")
    assert (facts.not_before, facts.not_after) == (plan.not_before, plan.not_after)
    assert chain[1:] == (authority.issuing,)


def test_a_leaf_has_the_profile(authority: EmbeddedAuthority, plan: LeafPlan) -> None:
    """Names critical, since there is no subject; for TLS servers only, no authority, one algorithm (S-75)."""
    leaf = x509.load_der_x509_certificate(authority.sign(plan))
    found = {extension.oid._name: (extension.critical, extension.value) for extension in leaf.extensions}
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value

    assert leaf.subject == x509.Name([])
    assert found["subjectAltName"] == (True, x509.SubjectAlternativeName([x509.DNSName(n) for n in plan.names]))
    assert found["basicConstraints"] == (True, x509.BasicConstraints(ca=False, path_length=None))
    assert found["extendedKeyUsage"] == (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
    assert usage.digital_signature
    assert not (usage.key_cert_sign or usage.crl_sign or usage.key_agreement or usage.key_encipherment)
    assert set(found) == {
        "subjectAltName",
        "subjectKeyIdentifier",
        "basicConstraints",
        "keyUsage",
        "extendedKeyUsage",
        "authorityKeyIdentifier",
    }


def test_the_service_gets_its_own_certificate_in_the_same_way(
    authority: EmbeddedAuthority, box_key: bytes, now: datetime
) -> None:
    """``service.<zone>`` is a name of the zone like any other."""
    plan = authority.plan(names=(f"service.{DEMO_ZONE}",), public_key=box_key, now=now)
    chain = read_chain(authority.chain_pem(authority.sign(plan)).encode())

    facts = check_chain(chain, names=plan.names, public_key=box_key, roots=[authority.root], now=now)

    assert facts.names == ("service.lancert.localhost",)


def test_the_address_of_the_revocation_list_is_in_every_leaf_when_it_is_set(
    authority_folder: Path, box_key: bytes, now: datetime
) -> None:
    """With a setting, leaves say where the list of revoked certificates is."""
    url = "http://service.lancert.localhost/crl"
    authority = open_authority(authority_folder, DEMO_ZONE, now=now, crl_url=url)
    leaf = authority.sign(authority.plan(names=("a.lancert.localhost",), public_key=box_key, now=now))

    points = x509.load_der_x509_certificate(leaf).extensions.get_extension_for_class(x509.CRLDistributionPoints)

    assert points.value[0].full_name == [x509.UniformResourceIdentifier(url)]


def test_serials_do_not_repeat_and_threads_do_not_disturb_each_other(
    authority: EmbeddedAuthority, box_key: bytes, now: datetime
) -> None:
    """Four threads at once sign two hundred certificates; each is its own plan's."""

    def issue(number: int) -> tuple[LeafPlan, bytes]:
        plan = authority.plan(names=(f"n{number}.{DEMO_ZONE}",), public_key=box_key, now=now)
        return plan, authority.sign(plan)

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(issue, range(200)))

    assert len({plan.serial for plan, _ in made}) == 200
    for plan, leaf in made:
        assert x509.load_der_x509_certificate(leaf).serial_number == plan.serial


# The positive control of the comparison (F-70): a leaf as it should be, and each way it could be another one.


def build(
    authority: EmbeddedAuthority,
    plan: LeafPlan,
    extensions: list[Extension],
    *,
    issuer: x509.Name | None = None,
    subject: x509.Name | None = None,
    public_key: ec.EllipticCurvePublicKey | None = None,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
) -> bytes:
    key = serialization.load_der_public_key(plan.public_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    builder = x509.CertificateBuilder(
        issuer or authority.issuing.subject,
        subject or x509.Name([]),
        public_key or key,
        plan.serial,
        plan.not_before,
        plan.not_after,
        list(extensions),
    )
    return builder.sign(OTHER_KEY, algorithm or hashes.SHA256()).tbs_certificate_bytes


def test_the_comparison_accepts_what_the_library_builds_from_the_plan(
    authority: EmbeddedAuthority, plan: LeafPlan, fixed: tuple[Extension, ...], comparison: Comparison
) -> None:
    """The control of the control: the mutants below differ by their mutation alone."""
    assert comparison.differences(build(authority, plan, [*own_leaf_extensions(plan), *fixed]), plan) == ()


def test_a_stencil_writes_what_the_library_builds(
    authority: EmbeddedAuthority, plan: LeafPlan, fixed: tuple[Extension, ...], now: datetime
) -> None:
    """Filled a second time, with every value another one, it still gives the bytes of the library's own builder."""
    stencils = Stencils(authority.issuing.subject, fixed)
    other_key = public_bytes(OTHER_KEY.public_key())
    names = certificate_names(new_label(), DEMO_ZONE)
    other = authority.plan(names=names, public_key=other_key, now=now + timedelta(hours=2))

    for one in (plan, other):
        assert stencils.write(one) == build(authority, one, [*own_leaf_extensions(one), *fixed])


def test_there_is_no_stencil_for_what_it_could_not_write_to_the_letter(
    authority: EmbeddedAuthority, plan: LeafPlan, fixed: tuple[Extension, ...]
) -> None:
    """Parts of a second, dates with four digits for the year, keys of another size: the library reads those itself."""
    stencils = Stencils(authority.issuing.subject, fixed)
    larger = public_bytes(ec.generate_private_key(ec.SECP384R1()).public_key())

    assert stencils.write(plan._replace(not_before=plan.not_before + timedelta(microseconds=1))) is None
    assert stencils.write(plan._replace(not_after=plan.not_after.replace(year=2050))) is None
    assert stencils.write(plan._replace(public_key=larger)) is None


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_leaves_with_a_stencil_and_without_pass_the_comparison(
    authority: EmbeddedAuthority, now: datetime, curve: ec.EllipticCurve
) -> None:
    """The long way and the short way accept what was planned."""
    public_key = public_bytes(ec.generate_private_key(curve).public_key())
    plan = authority.plan(names=(f"a.{DEMO_ZONE}",), public_key=public_key, now=now)

    leaf = x509.load_der_x509_certificate(authority.sign(plan))

    assert public_bytes(leaf.public_key()) == public_key


CHANGES_OF_THE_PLAN: dict[str, tuple[str, Callable[[LeafPlan], LeafPlan]]] = {
    "serial one more": ("serial", lambda plan: plan._replace(serial=plan.serial + 1)),
    "serial of 63 bits": ("serial", lambda plan: plan._replace(serial=plan.serial >> 80)),
    "begins a second early": ("not before", lambda plan: plan._replace(not_before=plan.not_before - SECOND)),
    "begins a second late": ("not before", lambda plan: plan._replace(not_before=plan.not_before + SECOND)),
    "ends a second early": ("not after", lambda plan: plan._replace(not_after=plan.not_after - SECOND)),
    "ends a second late": ("not after", lambda plan: plan._replace(not_after=plan.not_after + SECOND)),
    "a name more": ("extensions", lambda plan: plan._replace(names=(*plan.names, "more.lancert.localhost"))),
    "a name less": ("extensions", lambda plan: plan._replace(names=plan.names[:1])),
    "names in another order": ("extensions", lambda plan: plan._replace(names=plan.names[::-1])),
    "a name outside the zone": ("extensions", lambda plan: plan._replace(names=("google.com",))),
    "another key": ("public key", lambda plan: plan._replace(public_key=public_bytes(OTHER_KEY.public_key()))),
}


@pytest.mark.parametrize(("field", "change"), CHANGES_OF_THE_PLAN.values(), ids=CHANGES_OF_THE_PLAN)
def test_a_leaf_of_another_plan_is_noticed(
    authority: EmbeddedAuthority,
    plan: LeafPlan,
    fixed: tuple[Extension, ...],
    comparison: Comparison,
    field: str,
    change: Callable[[LeafPlan], LeafPlan],
) -> None:
    """Whatever of the plan the certificate does not follow is named (F-70)."""
    to_be_signed = LeafTemplate(authority.issuing.subject, fixed).to_be_signed(change(plan))

    found = comparison.differences(to_be_signed, plan)

    assert field in found


def others_for(extension: Extension) -> list[x509.ExtensionType]:
    """Give values an extension could wrongly have."""
    value = extension.value
    if isinstance(value, x509.KeyUsage):
        names = ("content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign", "crl_sign")
        usage = dict.fromkeys((*names, "digital_signature", "key_agreement", "encipher_only", "decipher_only"), False)
        more = [x509.KeyUsage(**{**usage, "digital_signature": True, name: True}) for name in names]
        return [*more, x509.KeyUsage(**{**usage, "key_agreement": True})]
    if isinstance(value, x509.ExtendedKeyUsage):
        server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        anything = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
        return [x509.ExtendedKeyUsage(usages) for usages in ([client], [server, client], [server, anything])]
    if isinstance(value, x509.BasicConstraints):
        return [x509.BasicConstraints(True, None), x509.BasicConstraints(True, 0)]
    if isinstance(value, x509.AuthorityKeyIdentifier):
        return [
            x509.AuthorityKeyIdentifier.from_issuer_public_key(OTHER_KEY.public_key()),
            x509.AuthorityKeyIdentifier(value.key_identifier, [x509.DirectoryName(x509.Name([]))], 1),
        ]
    if isinstance(value, x509.SubjectKeyIdentifier):
        return [x509.SubjectKeyIdentifier(bytes(20)), x509.SubjectKeyIdentifier(value.digest[:8])]
    assert isinstance(value, x509.SubjectAlternativeName)
    names_now = list(value)
    return [
        x509.SubjectAlternativeName([*names_now, more])
        for more in (
            x509.IPAddress(ip_address("192.168.1.5")),
            x509.IPAddress(ip_address("fd00::1")),
            x509.RFC822Name("shop@lancert.localhost"),
            x509.UniformResourceIdentifier("https://a.lancert.localhost"),
            x509.DirectoryName(x509.Name([])),
            x509.RegisteredID(ObjectIdentifier("1.2.3.4")),
            names_now[0],
        )
    ]


def mutants_of(extensions: list[Extension]) -> dict[str, list[Extension]]:
    """Give lists of extensions that are wrong in one place each."""
    mutants: dict[str, list[Extension]] = {"other order": [*extensions[1:], extensions[0]]}
    for place, extension in enumerate(extensions):
        before, after, name = extensions[:place], extensions[place + 1 :], extension.oid._name
        turned = x509.Extension(extension.oid, not extension.critical, extension.value)
        mutants[f"{name} missing"] = before + after
        mutants[f"{name} critical or not"] = [*before, turned, *after]
        for number, value in enumerate(others_for(extension)):
            other = x509.Extension(extension.oid, extension.critical, value)
            mutants[f"{name} other {number}"] = [*before, other, *after]
    more: list[x509.ExtensionType] = [
        x509.NameConstraints([x509.DNSName("com")], None),
        x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.23.140.1.2.1"), None)]),
        x509.CRLDistributionPoints(
            [x509.DistributionPoint([x509.UniformResourceIdentifier("http://a.example/crl")], None, None, None)]
        ),
        x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
        x509.OCSPNoCheck(),
    ]
    for value in more:
        mutants[f"{value.oid._name} too much"] = [*extensions, x509.Extension(value.oid, False, value)]
    return mutants


def test_a_leaf_with_other_extensions_is_noticed(
    authority: EmbeddedAuthority, plan: LeafPlan, fixed: tuple[Extension, ...], comparison: Comparison
) -> None:
    """Each extension missing, of other criticality, of other content, and each that is too much (F-70)."""
    mutants = mutants_of([*own_leaf_extensions(plan), *fixed])

    survivors = [
        name
        for name, extensions in mutants.items()
        if "extensions" not in comparison.differences(build(authority, plan, extensions), plan)
    ]

    assert survivors == []
    assert len(mutants) >= 39


def test_a_leaf_of_other_issuer_subject_key_or_algorithm_is_noticed(
    authority: EmbeddedAuthority, plan: LeafPlan, fixed: tuple[Extension, ...], comparison: Comparison
) -> None:
    """The fields outside the plan are compared as well (F-70)."""
    right = [*own_leaf_extensions(plan), *fixed]
    somebody = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "google.com")])

    assert comparison.differences(build(authority, plan, right, issuer=authority.root.subject), plan) == ("issuer",)
    assert comparison.differences(build(authority, plan, right, subject=somebody), plan) == ("subject",)
    assert comparison.differences(build(authority, plan, right, public_key=OTHER_KEY.public_key()), plan) == (
        "public key",
    )
    assert comparison.differences(build(authority, plan, right, algorithm=hashes.SHA384()), plan) == (
        "signature algorithm",
    )


# A flipped sign makes a negative serial, about which the library warns before it lets it pass.
@pytest.mark.filterwarnings("ignore:Parsed a serial number:UserWarning")
def test_no_bit_of_what_is_signed_can_be_another_one(
    authority: EmbeddedAuthority, plan: LeafPlan, fixed: tuple[Extension, ...], comparison: Comparison
) -> None:
    """Each bit of the bytes to be signed, flipped alone, is noticed: some 3,500 mutants, none survives (F-70)."""
    right = LeafTemplate(authority.issuing.subject, fixed).to_be_signed(plan)

    survivors = []
    for bit in range(len(right) * 8):
        mutant = bytearray(right)
        mutant[bit // 8] ^= 1 << bit % 8
        if not comparison.differences(bytes(mutant), plan):
            survivors.append(bit)

    assert survivors == []


DAMAGE: dict[str, Callable[[LeafPlan], LeafPlan]] = {
    "no name": lambda plan: plan._replace(names=()),
    "a name outside the zone": lambda plan: plan._replace(names=("google.com",)),
    "serial zero": lambda plan: plan._replace(serial=0),
    "serial negative": lambda plan: plan._replace(serial=-plan.serial),
    "serial of another length": lambda plan: plan._replace(serial=plan.serial << 8),
    "a life of 101 days": lambda plan: plan._replace(not_after=plan.not_after + timedelta(days=56)),
    "ends before it begins": lambda plan: plan._replace(not_after=plan.not_before - SECOND),
    "begins before its issuer": lambda plan: plan._replace(not_before=plan.not_before - timedelta(hours=1)),
    "outlives its issuer": lambda plan: plan._replace(
        not_before=plan.not_before + timedelta(days=1090), not_after=plan.not_after + timedelta(days=1090)
    ),
    "not a key": lambda plan: plan._replace(public_key=b"\x30\x00"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_plan_that_is_not_one_of_ours_is_not_signed(
    authority: EmbeddedAuthority, plan: LeafPlan, damage: Callable[[LeafPlan], LeafPlan]
) -> None:
    """Whoever wrote a plan down in the meantime, the rules for plans hold when it is signed."""
    with pytest.raises(NotPlannable):
        authority.sign(damage(plan))


def test_a_plan_that_cannot_be_written_to_the_letter_is_not_signed(
    authority: EmbeddedAuthority, plan: LeafPlan
) -> None:
    """A certificate knows whole seconds; a plan with a part of one would become another certificate."""
    with pytest.raises(WouldSignSomethingElse, match="not before"):
        authority.sign(plan._replace(not_before=plan.not_before + timedelta(microseconds=1)))


def test_a_key_that_is_not_the_issuers_is_noticed(authority: EmbeddedAuthority, plan: LeafPlan, now: datetime) -> None:
    """The first signature of every process is verified with the public key of the issuing certificate."""
    broken = EmbeddedAuthority(root=authority.root, issuing=authority.issuing, key=new_key(), zone=DEMO_ZONE)

    with pytest.raises(SignedSomethingElse) as raised:
        broken.sign(plan)

    assert not isinstance(raised.value, WouldSignSomethingElse)
