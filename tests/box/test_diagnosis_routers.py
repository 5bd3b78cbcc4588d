"""What to type on which router: complete, filled in, and the same in the guide."""

import re
from pathlib import Path

import pytest

from lancert.box.diagnosis.routers import MARKERS, OTHER_STEPS, ROUTERS, Router, families, filled

ZONE = "iot.example.com"


@pytest.mark.promise("M10")
@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.id)
def test_each_family_says_exactly_what_to_do(router: Router) -> None:
    """M10: steps in words, lines to type as they stand, and the zone in one of them at least."""
    written = [*router.steps, *router.lines]

    assert re.fullmatch(r"[a-z]+", router.id)
    assert router.steps
    assert router.lines
    assert any("{zone}" in one for one in written)
    assert "{" not in "".join(filled(tuple(written), ZONE))


def test_each_family_is_there_once() -> None:
    """Ids are permanent, and no two families are told by the same name."""
    assert len({router.id for router in ROUTERS}) == len(ROUTERS)
    assert len(set(MARKERS)) == len(MARKERS)


@pytest.mark.parametrize(
    ("software", "known", "expected"),
    [
        ("", set(), set()),
        ("none of your business", set(), set()),
        ("dnsmasq-2.90", set(), {"openwrt", "dnsmasq", "edgeos", "asus"}),
        ("dnsmasq-pi-hole-v2.90+1", set(), {"pihole"}),
        ("unbound 1.17.1", set(), {"opnsense", "pfsense", "unbound"}),
        ("", {"fritz.box"}, {"fritzbox"}),
        ("dnsmasq-2.90", {"router.asus.com"}, {"asus"}),
        ("dnsmasq-2.90", {"openwrt.lan"}, {"openwrt"}),
    ],
)
def test_a_family_is_told_by_its_answers(software: str, known: set[str], expected: set[str]) -> None:
    """A name only it knows tells the family; its software leaves several; silence leaves all."""
    assert {router.id for router in families(software, known.__contains__)} == expected


@pytest.mark.promise("M10")
def test_the_guide_says_the_same(root: Path) -> None:
    """M10: docs/guides/routers.md is the page to hand to whoever looks after the router."""
    guide = (root / "docs" / "guides" / "routers.md").read_text(encoding="utf-8")
    plain = " ".join(guide.split())

    for router in ROUTERS:
        assert f"\n## {router.name}\n" in guide
        for step in filled(router.steps, ZONE):
            assert step in plain, step
        for line in filled(router.lines, ZONE):
            assert f"\n{line}\n" in guide, line
    for step in filled(OTHER_STEPS, ZONE):
        assert step in plain, step
