"""Which names the zone has, and what each of them has: the rule in full, without a packet."""

import dataclasses
from ipaddress import ip_address
from typing import Any

import pytest

from lancert.dns.zone import Caa, NotAGeneration, SoaTiming, ZoneFacts, look_up
from lancert.protocol.names import Label

LABEL = "k3v7q2m4x5a6b7c2"
SILENT = "aaaaaaaaaaaaaaaa"
BOX_TYPES = {"MX", "TXT", "CAA"}


def types(facts: ZoneFacts, *labels: str) -> set[str] | None:
    found = look_up(facts, labels)
    return None if found is None else {records.type for records in found}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), {"SOA", "NS"} | BOX_TYPES),
        ((LABEL,), {"A", "AAAA"} | BOX_TYPES),
        ((SILENT,), BOX_TYPES),
        (("192-168-1-5", LABEL), {"A"} | BOX_TYPES),
        (("10-0-0-1", SILENT), {"A"} | BOX_TYPES),
        (("fd12-0-0-0-0-0-0-1", LABEL), {"AAAA"} | BOX_TYPES),
        (("ns1",), {"A", "AAAA"} | BOX_TYPES),
        (("service",), {"A"} | BOX_TYPES),
        (("status", "site"), {"A"} | BOX_TYPES),
        (("canary",), {"A", "AAAA"} | BOX_TYPES),
        (("_dmarc",), {"TXT"}),
        (("_dmarc", LABEL), {"TXT"}),
        (("any-selector", "_domainkey"), {"TXT"}),
        (("a", "b", "_domainkey"), {"TXT"}),
    ],
)
def test_these_names_exist(facts: ZoneFacts, labels: tuple[str, ...], expected: set[str]) -> None:
    """Boxes, the service's hosts, the canary and the records against mail abuse: nothing else has records (S-57)."""
    assert types(facts, *labels) == expected


@pytest.mark.parametrize(
    "labels",
    [
        ("www",),
        ("*",),
        ("shop",),
        ("bbbbbbbbbbbbbbbb",),
        ("192-168-1-5", "bbbbbbbbbbbbbbbb"),
        ("192-168-1-5",),
        ("8-8-8-8", LABEL),
        ("0-0-0-0", LABEL),
        ("www", LABEL),
        ("www", "canary"),
        ("192-168-1-5", "canary"),
        ("*", LABEL),
        (LABEL, LABEL),
        ("192-168-1-5", "evil", LABEL),
        ("evil", "192-168-1-5", LABEL),
        ("_domainkey", LABEL),
        ("_dmarc", "bbbbbbbbbbbbbbbb"),
        ("_dmarc", "192-168-1-5", LABEL),
        ("_dmarc", "service"),
        ("x", "_dmarc"),
        ("x", "service"),
        ("service", "site"),
    ],
)
def test_these_names_do_not_exist(facts: ZoneFacts, labels: tuple[str, ...]) -> None:
    """There are no free-form names, no names of unknown or withdrawn boxes, none with a public address (T-14, T-15)."""
    assert look_up(facts, labels) is None


@pytest.mark.parametrize("labels", [("_domainkey",), ("site",)])
def test_a_name_that_only_has_names_below_it_exists_without_records(facts: ZoneFacts, labels: tuple[str, ...]) -> None:
    """Saying that it does not exist would deny the names below it as well (RFC 8020)."""
    assert look_up(facts, labels) == ()


def test_no_name_takes_or_sends_mail(facts: ZoneFacts) -> None:
    """A null MX and SPF -all stand wherever there could be an address, a reject policy above all (S-57)."""
    for labels in ((), (LABEL,), (SILENT,), ("192-168-1-5", LABEL), ("service",)):
        found = {records.type: records.values for records in look_up(facts, labels) or ()}
        assert found["MX"] == ("0 .",)
        assert found["TXT"] == ('"v=spf1 -all"',)
    for labels in (("_dmarc",), ("_dmarc", LABEL)):
        (policy,) = look_up(facts, labels) or ()
        assert "p=reject; sp=reject" in policy.values[0]


def test_caa_says_who_may_issue(facts: ZoneFacts) -> None:
    """Nobody by default; with an upstream authority its properties, at the zone and at every box name."""
    upstream = dataclasses.replace(facts, caa=(Caa(0, "issue", "ca.example; validationmethods=dns-01"),))
    expected = {facts: ('0 issue ";"',), upstream: ('0 issue "ca.example; validationmethods=dns-01"',)}

    for generation, values in expected.items():
        for labels in ((), (LABEL,), ("10-0-0-1", LABEL)):
            assert {records.values for records in look_up(generation, labels) or () if records.type == "CAA"} == {
                values
            }


def test_a_stable_name_has_the_allowed_addresses_once_in_the_order_reported(facts: ZoneFacts) -> None:
    """The first address a box reports is the one its default route uses."""
    reported = ("192.168.9.9", "10.0.0.1", "8.8.8.8", "192.168.9.9", "fe80::1", "fd00::2", "0.0.0.0", "fd00::1")
    moved = dataclasses.replace(facts, boxes={Label(LABEL): tuple(map(ip_address, reported))})

    found = {records.type: records for records in look_up(moved, (LABEL,)) or ()}

    assert found["A"].values == ("192.168.9.9", "10.0.0.1")
    assert found["AAAA"].values == ("fd00::2", "fd00::1")


def test_a_stable_name_is_remembered_for_a_minute_an_address_name_for_an_hour(facts: ZoneFacts) -> None:
    """What can change is asked again soon (F-45); what is written in the name cannot be wrong."""
    ttls = [
        records.ttl
        for labels in ((LABEL,), ("10-0-0-1", LABEL))
        for records in look_up(facts, labels) or ()
        if records.type == "A"
    ]

    assert ttls == [60, 3600]


@pytest.mark.parametrize(
    "change",
    [
        {"serial": -1},
        {"serial": 2**32},
        {"name_servers": ()},
        {"name_servers": ("ns2.lancert.localhost",)},
        {"name_servers": ("not a host",)},
        {"contact": ""},
        {"contact": "host master.example"},
        {"timing": SoaTiming(negative=301)},
        {"hosts": {"": ()}},
        {"hosts": {"Service": ()}},
        {"hosts": {"_dmarc": ()}},
        {"hosts": {LABEL: ()}},
        {"hosts": {"canary": ()}},
        {"hosts": {f"x.{LABEL}": ()}},
        {"hosts": {"a" * 64: ()}},
        {"caa": (Caa(0, "issue", 'x"y'),)},
        {"caa": (Caa(256, "issue", ";"),)},
        {"caa": (Caa(0, "", ";"),)},
    ],
    ids=str,
)
def test_facts_that_cannot_be_served_are_refused(facts: ZoneFacts, change: dict[str, Any]) -> None:
    """A zone is built valid or not at all; negative answers are short-lived in every zone (S-64)."""
    with pytest.raises(NotAGeneration):
        dataclasses.replace(facts, **{"name_servers": ("ns.elsewhere.example",), **change})


def test_names_may_be_given_with_final_dot_and_capitals(facts: ZoneFacts) -> None:
    """An operator may write a name server the way other tools print it."""
    given = dataclasses.replace(facts, name_servers=("NS1.lancert.localhost.",), contact="Host.Example.")

    assert (given.name_servers, given.contact) == (("ns1.lancert.localhost",), "host.example")
