"""A router that hides private answers: recognised as such, and nothing else is taken for it.

Box, router and service are hosts of their own; the resolvers are real. The whole table plays in ``make faults``.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from faults._shop import ZONE, Names, Shop, Till, till
from faults.diagnosis import CASES, Case, network, verdict
from tests.journeys.world import until

QUICK = [case for case in CASES if case.is_quick]


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Shop, Names]]:
    """The network the cases play in, one after the other."""
    with network() as both:
        yield both


@pytest.mark.promise("M10")
@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_each_case_has_its_verdict(case: Case, made: tuple[Shop, Names]) -> None:
    """F-43, F-44: dnsmasq and unbound, plain, hiding, with the exception, over TLS, rewriting and blocking."""
    said, _ = verdict(case, 10 + QUICK.index(case), *made)

    assert said == case.wanted


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """A real service, a real box, and a router between them."""
    with till(tmp_path_factory.mktemp("shop")) as made:
        yield made


def _name(living: Till) -> tuple[int, dict[str, Any]]:
    status, findings = living.doctor()
    return status, findings["name-resolves"]


@pytest.mark.promise("M10")
def test_a_router_begins_to_hide_and_is_told_not_to(living: Till) -> None:
    """F-43, F-44: all is well, then the name is hidden, the doctor says what to type, and that is typed."""
    living.shop.dnsmasq()
    before = _name(living)
    living.shop.dnsmasq("--stop-dns-rebind")
    hidden, finding = _name(living)
    line = next(recipe for recipe in finding["recipes"] if recipe["router"] == "dnsmasq")["lines"][0]
    living.shop.dnsmasq("--stop-dns-rebind", f"--{line}")
    after = _name(living)

    assert line == f"rebind-domain-ok=/{ZONE}/"
    assert (before[0], hidden, after[0]) == (0, 1, 0)
    assert (before[1]["because"], finding["because"], after[1]["because"]) == ("fine", "filtered", "fine")
    assert "192.168.1.1 hides 192-168-1-5." in finding["sentence"]
    assert finding["remedy"][-1].endswith("http://192.168.1.5/")


@pytest.mark.promise("M10")
def test_what_the_recipe_for_unbound_says_is_what_unbound_takes(living: Till) -> None:
    """F-43, F-44: the line is typed exactly as it is shown."""
    living.shop.unbound(private=True)
    hidden, finding = _name(living)
    line = next(recipe for recipe in finding["recipes"] if recipe["router"] == "unbound")["lines"][0]
    living.shop.unbound(line, private=True)
    after, _ = _name(living)

    assert (hidden, finding["because"], after) == (1, "filtered", 0)
    assert line == f'private-domain: "{ZONE}"'


@pytest.mark.promise("M10")
def test_the_homepage_says_it_and_works_by_address(living: Till) -> None:
    """M10: by IP address the page opens whatever the router hides, and holds what to type, with the zone in it."""
    living.shop.dnsmasq("--stop-dns-rebind")
    box = living.shop.site.box
    sent = box.run(
        "curl", "-s", "-D-", "-H", "Origin: http://192.168.1.5", "-d", "run=1", "http://192.168.1.5/cogs/diagnosis"
    )
    page = _until_told(living)

    assert sent.stdout.startswith("HTTP/1.1 303")
    assert "<details" in page
    assert f"rebind-domain-ok=/{ZONE}/" in page
    assert "hides 192-168-1-5." in page


def _until_told(living: Till) -> str:
    def ended() -> str:
        page = living.shop.site.box.run("curl", "-s", "http://192.168.1.5/cogs/diagnosis").stdout
        return "" if "under way" in page else page

    return str(until(ended, "the end of the diagnosis"))


@pytest.mark.promise("M10")
def test_the_service_is_told_what_the_doctor_found(living: Till) -> None:
    """The operator sees the check that fails and why in one word, before anybody calls; no address is in it."""
    living.shop.dnsmasq("--stop-dns-rebind")
    box = living.shop.site.box
    box.run("curl", "-s", "-H", "Origin: http://192.168.1.5", "-d", "run=1", "http://192.168.1.5/cogs/diagnosis")
    _until_told(living)

    def reported() -> dict[str, Any] | None:
        (shown,) = living.admin("box", "list")
        told = {one["check"]: one for one in (shown["diagnosis"] or {"checks": []})["checks"]}
        return told if told and told["name-resolves"]["verdict"] == "wrong" else None

    told = until(reported, "the report")
    (shown,) = living.admin("box", "list")

    assert told["name-resolves"] == {"check": "name-resolves", "verdict": "wrong", "because": "filtered"}
    assert told["service-reachable"]["verdict"] == "fine"
    said = living.lancert(
        living.shop.site.service, "admin", "--folder", str(living.service), "box", "show", shown["label"]
    ).stdout
    assert "1 of 13 checks fail" in said
    assert "name-resolves (filtered)" in said


@pytest.mark.promise("M10")
def test_nothing_is_wrong_and_nothing_is_said(living: Till) -> None:
    """F-43: runs of the whole doctor where all is well; a thousand of them play in ``make faults``."""
    living.shop.dnsmasq()
    found = living.shop.asker.runs(20, folder=str(living.folder), whole=True)

    assert [one["alarms"] for one in found] == [[]] * 20
