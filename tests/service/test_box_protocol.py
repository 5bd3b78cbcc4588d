"""The box protocol over real sockets: enrol, ask, report; who is refused, and what nobody learns."""

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.service.harness import RunningService, SmallBox, by, csr_pem, problem

from lancert.kit.clock import from_text
from lancert.protocol.certificate import CertificateFacts, check_chain, public_bytes, read_chain
from lancert.protocol.messages import (
    CertificateAnswer,
    EnrolmentAnswer,
    ProblemAnswer,
    ReportAnswer,
    decode,
)
from lancert.protocol.names import Label, Zone, certificate_names
from lancert.service.directory.boxes import resume_box, show_box, suspend_box, withdraw_box
from lancert.service.directory.subscriptions import change_subscription
from lancert.service.directory.tenants import change_database
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    Box,
    BoxId,
    Environment,
    Line,
    SubscriptionStatus,
)
from lancert.service.store.engine import DATABASE_FILE


def facts_of(service: RunningService, box: SmallBox, chain: str) -> CertificateFacts:
    """Check a chain as a box does before it installs it, and give its facts."""
    root = x509.load_pem_x509_certificate((service.folder / service.ready.root_file).read_bytes())
    return check_chain(
        read_chain(chain.encode()),
        names=certificate_names(Label(box.label), Zone(service.ready.zone)),
        public_key=public_bytes(box.key.public_key()),
        roots=[root],
        now=service.clock.now(),
    )


def shown(service: RunningService, box: SmallBox) -> Box:
    """The box as the directory knows it."""
    found = service.change(lambda connection: show_box(connection, BoxId(box.id)))
    assert isinstance(found, Box)
    return found


def count_of(service: RunningService, table: str) -> int:
    """How many rows a table has, seen from another connection."""
    database = sqlite3.connect(service.folder / DATABASE_FILE)
    try:
        (number,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)
    finally:
        database.close()


@pytest.mark.promise("M2", "M3")
def test_an_eligible_box_gets_a_certificate_its_client_would_install(shared: RunningService) -> None:
    """One request, one certificate: for the key of the box, exactly its names, from the root (S-46)."""
    box = shared.box()
    enrolled = decode(EnrolmentAnswer, box.enrol(shared.customer()).content)
    box.label = enrolled.label

    answer = decode(CertificateAnswer, box.ask().content)

    facts = facts_of(shared, box, answer.chain)
    assert enrolled.zone == shared.ready.zone
    assert answer.url_suffix == f"{enrolled.label}.{enrolled.zone}"
    assert (from_text(answer.not_before), from_text(answer.not_after)) == (facts.not_before, facts.not_after)
    assert facts.not_before < from_text(answer.renewal.start) < from_text(answer.renewal.end) < facts.not_after


def test_the_database_name_and_label_say_nothing_about_the_customer(shared: RunningService) -> None:
    """The label is drawn at random; two boxes of one customer have nothing in common."""
    shop = shared.customer()
    labels = {shared.enrolled(shop).label for _ in range(3)}

    assert len(labels) == 3


def test_asking_again_with_the_same_key_gives_the_same_certificate(shared: RunningService) -> None:
    """A lost answer costs nothing, and nothing is written for it (S-48)."""
    box = shared.enrolled()
    first = box.ask()
    before = shown(shared, box)

    again = [box.ask() for _ in range(3)]

    assert {answer.content for answer in again} == {first.content}
    assert shown(shared, box).counter == before.counter


def test_a_new_key_gets_a_new_certificate(shared: RunningService) -> None:
    """A box that makes a new key is certified for it."""
    box = shared.enrolled()
    first = facts_of(shared, box, box.ask().json()["chain"])
    box.key = ec.generate_private_key(ec.SECP256R1())

    second = facts_of(shared, box, box.ask().json()["chain"])

    assert first.serial != second.serial


def test_in_the_renewal_window_the_same_key_gets_a_new_certificate(service: RunningService) -> None:
    """Renewal works with the key a box has."""
    box = service.enrolled()
    first = box.ask().json()
    service.clock.forward(timedelta(days=31))

    second = box.ask().json()

    assert first["not_after"] < second["not_after"]


REFUSALS: dict[str, tuple[Callable[[Any, Any, Any], Any], list[tuple[str, dict[str, str]]]]] = {
    "database": (
        lambda c, shop, box: change_database(c, shop.database, by(), environment=Environment.STAGING),
        [("database-not-production", {"environment": "staging"})],
    ),
    "duplicated": (
        lambda c, shop, box: change_database(c, shop.database, by(), is_duplicated=True),
        [("database-duplicated", {})],
    ),
    "subscription": (
        lambda c, shop, box: change_subscription(c, shop.subscription, by(), status=SubscriptionStatus.PAUSED),
        [("subscription-not-in-progress", {"status": "paused"})],
    ),
    "line": (
        lambda c, shop, box: change_subscription(c, shop.subscription, by(), lines=()),
        [("no-iot-box-line", {})],
    ),
    "seat": (
        lambda c, shop, box: change_subscription(
            c, shop.subscription, by(), lines=[Line(product=IOT_BOX_PRODUCT, quantity=0)]
        ),
        [("no-seat-left", {"used": "0", "quantity": "0"})],
    ),
    "suspended": (lambda c, shop, box: suspend_box(c, BoxId(box.id), by()), [("iot-system-suspended", {})]),
    "several": (
        lambda c, shop, box: (
            change_database(c, shop.database, by(), environment=Environment.COPY),
            change_subscription(c, shop.subscription, by(), status=SubscriptionStatus.CLOSED, lines=()),
        ),
        [
            ("database-not-production", {"environment": "copy"}),
            ("subscription-not-in-progress", {"status": "closed"}),
            ("no-iot-box-line", {}),
        ],
    ),
}


@pytest.mark.promise("M4", "M5")
@pytest.mark.parametrize("case", REFUSALS)
def test_a_box_that_is_not_eligible_is_told_all_reasons(shared: RunningService, case: str) -> None:
    """The refusal is a problem document with every unmet criterion, its facts, and what to do (S-41)."""
    change, expected = REFUSALS[case]
    shop = shared.customer()
    box = shared.enrolled(shop)
    shared.change(lambda connection: change(connection, shop, box))
    rows = count_of(shared, "refusals")

    answer = box.ask()

    problem(answer, 403, "refused")
    refusal = decode(ProblemAnswer, answer.content)
    assert [(reason.criterion, reason.facts) for reason in refusal.reasons] == expected
    assert all(reason.meaning and reason.remedy for reason in refusal.reasons)
    assert all("{" not in reason.meaning + reason.remedy for reason in refusal.reasons)
    assert count_of(shared, "refusals") == rows + 1


@pytest.mark.promise("M8")
def test_a_subscription_line_added_afterwards_is_picked_up(shared: RunningService) -> None:
    """After the refusal the line is added, and the next request is granted."""
    shop = shared.customer()
    box = shared.enrolled(shop)
    shared.change(lambda c: change_subscription(c, shop.subscription, by(), lines=()))
    problem(box.ask(), 403, "refused")
    lines = [Line(product=IOT_BOX_PRODUCT, quantity=1)]
    shared.change(lambda c: change_subscription(c, shop.subscription, by(), lines=lines))

    assert box.ask().status_code == 200


def test_the_box_beyond_the_seats_is_refused_and_the_earlier_ones_stay(shared: RunningService) -> None:
    """Two seats, three boxes: the third is refused, until one of the others is suspended."""
    shop = shared.customer(quantity=2)
    boxes = [shared.enrolled(shop) for _ in range(3)]

    assert [box.ask().status_code for box in boxes] == [200, 200, 403]
    shared.change(lambda c: suspend_box(c, BoxId(boxes[0].id), by()))
    assert [box.ask().status_code for box in boxes] == [403, 200, 200]
    shared.change(lambda c: resume_box(c, BoxId(boxes[0].id), by()))
    assert [box.ask().status_code for box in boxes] == [200, 200, 403]


def unknown(service: RunningService) -> SmallBox:
    """A box that was never enrolled."""
    return service.box()


def withdrawn(service: RunningService) -> SmallBox:
    """A box that was removed."""
    box = service.enrolled()
    assert box.ask().status_code == 200
    service.change(lambda c: withdraw_box(c, BoxId(box.id), by()))
    return box


@pytest.mark.parametrize("call", ["ask", "report"])
@pytest.mark.parametrize("who", [unknown, withdrawn])
def test_unknown_withdrawn_and_wrongly_signed_look_the_same(
    shared: RunningService, who: Callable[[RunningService], SmallBox], call: str
) -> None:
    """Nobody can find out which identities are enrolled (S-39)."""
    box, wrong = who(shared), shared.enrolled()
    body = {"counter": wrong.counter(), "csr": csr_pem(wrong.key)}
    path = "/api/v1/certificates"
    headers = wrong.signed(path, json.dumps(body).encode())
    badly_signed = shared.client.post(path, content=json.dumps(body) + " ", headers=headers)

    answer = getattr(box, call)()

    problem(answer, 401, "not-authenticated")
    assert answer.content == badly_signed.content
    assert _without_date(answer) == _without_date(badly_signed)


def _without_date(answer: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.items() if name != "date"]


@pytest.mark.parametrize("change", [{"contract": "C-unknown"}, {"database": "0f8fad5b-d9cb-469f-a165-70867728950e"}])
def test_a_wrong_credential_is_refused_whichever_half_is_wrong(shared: RunningService, change: dict[str, str]) -> None:
    """One answer for an unknown contract, an unknown database and two that do not belong together (S-39, S-41)."""
    shop, other = shared.customer(), shared.customer()
    answers = [
        shared.box().enrol(shop, **change),
        shared.box().enrol(shop, database=other.database),
        shared.box().enrol(shop, contract="(no contract)"),
    ]

    for answer in answers:
        document = problem(answer, 403, "refused")
        assert [reason["criterion"] for reason in document["reasons"]] == ["credential-not-recognised"]
        assert answer.content == answers[0].content


def test_enrolling_again_gives_the_same_label(shared: RunningService) -> None:
    """A box that starts again is the same box; with another credential it moves and keeps its name."""
    shop, other = shared.customer(), shared.customer()
    box = shared.box()
    first = box.enrol(shop)

    assert box.enrol(shop).content == first.content
    assert box.enrol(other).content == first.content


def test_a_box_that_moved_is_judged_by_its_new_customer(shared: RunningService) -> None:
    """The certificate depends on the contract the box is connected to now."""
    good, bad = shared.customer(), shared.customer(environment=Environment.DEVELOPMENT)
    box = shared.enrolled(good)
    assert box.ask().status_code == 200

    box.enrol(bad)

    problem(box.ask(), 403, "refused")


def test_a_recorded_report_cannot_be_played_again(shared: RunningService) -> None:
    """Exactly the same bytes with a valid signature are accepted once (F-59)."""
    box = shared.enrolled()
    body = json.dumps(
        {"counter": box.counter(), "version": "1", "addresses": ["10.0.0.1"], "certificate": None, "problems": []}
    ).encode()
    headers = box.signed("/api/v1/reports", body)

    answers = [shared.client.post("/api/v1/reports", content=body, headers=headers) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 401, 401, 401, 401]
    problem(answers[1], 401, "replayed")
    assert not shown(shared, box).has_conflict


def test_a_replay_never_brings_a_box_into_conflict(shared: RunningService) -> None:
    """Whoever records the network can repeat as often as he likes (F-60)."""
    box = shared.enrolled()
    bodies = []
    for number in range(3):
        body = json.dumps(
            {
                "counter": box.counter(),
                "version": f"{number}",
                "addresses": [],
                "certificate": None,
                "problems": [],
            }
        ).encode()
        bodies.append((body, box.signed("/api/v1/reports", body)))
        assert shared.client.post("/api/v1/reports", content=body, headers=bodies[-1][1]).status_code == 200
    for body, headers in bodies * 3:
        problem(shared.client.post("/api/v1/reports", content=body, headers=headers), 401, "replayed")

    assert shown(shared, box).conflict_signs == 0


def test_two_boxes_with_one_identity_are_both_refused(shared: RunningService) -> None:
    """A copied memory card is noticed when both ask, and the reason says so (F-60)."""
    original = shared.enrolled()
    copy = SmallBox(
        client=shared.client,
        authority=original.authority,
        identity_key=original.identity_key,
        count=original.count,
    )
    for number in range(3):
        assert original.report(f"10.0.0.{number}").status_code == 200
        problem(copy.report(f"10.0.1.{number}"), 401, "replayed")

    document = problem(original.ask(), 403, "refused")
    assert [reason["criterion"] for reason in document["reasons"]] == ["identity-conflict"]


def test_a_copy_that_started_later_is_noticed_when_the_original_goes_on(shared: RunningService) -> None:
    """A cloned memory card in a second device: its boot is greater, and the first one still speaks (F-60)."""
    original = shared.enrolled()
    copy = SmallBox(
        client=shared.client, authority=original.authority, identity_key=original.identity_key, boot=original.boot + 9
    )
    assert original.report("10.0.0.1").status_code == 200
    assert copy.report("10.0.0.2").status_code == 200

    problem(original.report("10.0.0.1"), 401, "replayed")
    assert not shown(shared, original).has_conflict
    problem(original.report("10.0.0.1"), 401, "replayed")

    assert shown(shared, original).has_conflict
    document = problem(copy.ask(), 403, "refused")
    assert [reason["criterion"] for reason in document["reasons"]] == ["identity-conflict"]


def test_what_was_a_sign_of_a_copy_is_none_when_it_is_repeated(shared: RunningService) -> None:
    """A request that a restart overtook, and whoever repeats it, bring no box into conflict (F-60)."""
    box = shared.enrolled()
    body = json.dumps(
        {"counter": box.counter(), "version": "1", "addresses": [], "certificate": None, "problems": []}
    ).encode()
    overtaken = box.signed("/api/v1/reports", body)
    for _ in range(3):
        box.boot, box.count = box.boot + 1, 0
        assert box.report().status_code == 200
        for _ in range(3):
            problem(shared.client.post("/api/v1/reports", content=body, headers=overtaken), 401, "replayed")

    assert shown(shared, box).conflict_signs == 0


def test_a_tampered_request_is_refused(shared: RunningService) -> None:
    """Another body, another path, another host: the signature covers them all (S-50)."""
    box = shared.enrolled()
    path = "/api/v1/certificates"
    body = json.dumps({"counter": box.counter(), "csr": csr_pem(box.key)}).encode()
    headers = box.signed(path, body)
    post = shared.client.post

    problem(post(path, content=body.replace(b'"boot": 1', b'"boot": 9'), headers=headers), 401, "not-authenticated")
    problem(post("/api/v1/reports", content=body, headers=headers), 401, "not-authenticated")
    problem(post(path, content=body, headers={**headers, "host": "other.example"}), 401, "not-authenticated")
    assert post(path, content=body, headers=headers).status_code == 200


def test_a_report_is_kept(shared: RunningService) -> None:
    """Addresses, version, the certificate that is served and the problems: what operators look at."""
    box = shared.enrolled()
    certificate = {"serial": "4c01", "not_after": "2027-01-04T11:04:59Z"}

    answer = decode(
        ReportAnswer,
        box.report(
            "192.168.1.5",
            "fd12:3456::1",
            version="0.2.0",
            certificate=certificate,
            problems=["ERR_IOT_HTTPS_CHECK_NO_SERVER"],
        ).content,
    )

    kept = shown(shared, box)
    assert answer.commands == []
    assert answer.next_report == 3600
    assert [str(address) for address in kept.addresses] == ["192.168.1.5", "fd12:3456::1"]
    assert (kept.version, kept.certificate_serial) == ("0.2.0", "4c01")
    assert kept.problems == ("ERR_IOT_HTTPS_CHECK_NO_SERVER",)
    assert kept.seen_at == shared.clock.now()


@pytest.mark.parametrize("address", ["8.8.8.8", "169.254.169.254", "2001:db8::1", "0.0.0.0", "100.64.0.1", "fe80::1"])
def test_a_report_with_an_address_outside_the_ranges_of_the_zone_is_refused(
    shared: RunningService, address: str
) -> None:
    """F-63: a public address, link-local, the metadata address of a cloud: nothing of such a report is kept."""
    box = shared.enrolled()
    assert box.report("192.168.1.9").status_code == 200

    answer = box.report("192.168.1.5", address)

    assert answer.status_code == 400
    assert "addresses" in answer.json()["detail"]
    assert [str(one) for one in shown(shared, box).addresses] == ["192.168.1.9"]


@pytest.mark.parametrize(
    ("settings", "told", "reported"),
    [
        ({}, [], []),
        ({"shared": True}, ["shared"], ["100.64.0.1"]),
        ({"shared": True, "link_local": True}, ["shared", "link-local"], ["100.64.0.1", "169.254.7.7"]),
    ],
)
def test_the_options_of_the_zone_are_told_with_each_enrolment_and_certificate(
    start_service: Callable[..., RunningService], settings: dict[str, bool], told: list[str], reported: list[str]
) -> None:
    """A box shows names only for addresses that the zone answers, so it has to know which; those it may report."""
    service = start_service(**settings)
    box = service.box()

    assert box.enrol(service.customer()).json()["also_answered"] == told
    assert box.ask().json()["also_answered"] == told
    assert box.report("192.168.1.5", *reported).status_code == 200


def test_every_issuance_is_on_record(service: RunningService) -> None:
    """Serial, names, key, what was judged and the certificate itself; the service's own certificate too (S-93)."""
    box = service.enrolled()
    facts = facts_of(service, box, box.ask().json()["chain"])
    database = sqlite3.connect(service.folder / DATABASE_FILE)
    rows = database.execute("SELECT serial, names, facts, certificate FROM issuances ORDER BY number").fetchall()
    database.close()

    (_, own_names, _, _), (serial, names, judged, certificate) = rows
    assert own_names == "service.lancert.localhost"
    assert serial == facts.serial
    assert names.split() == list(facts.names)
    assert json.loads(judged) == {"environment": "production", "status": "in-progress", "seat": 1, "reasons": []}
    assert x509.load_der_x509_certificate(certificate).serial_number == int(serial, 16)
