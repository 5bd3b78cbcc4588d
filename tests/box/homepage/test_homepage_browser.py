"""The visitor's own browser takes part: what its script may try and ask, and that nobody else gets an answer."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from lancert.box.facts import BoxFacts, Enrolment
from lancert.box.homepage.app import homepage_app
from lancert.box.homepage.paper import PaperAgent
from lancert.box.knocks import Knocks
from lancert.protocol.names import DEMO_ZONE

Ask = Callable[..., Any]

BY_NAME = "192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com"
CANARY = "canary.iot.example.com"


@pytest.fixture(autouse=True)
def _secure(agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    agent.paper = states["secure"]


def _tried(page: str) -> dict[str, str]:
    (section,) = re.findall(r'<section [^>]*id="browser"[^>]*>', page) or [""]
    return dict(re.findall(r'data-(\w+)="([^"]+)"', section))


@pytest.mark.promise("M10")
def test_the_script_tries_the_name_with_and_without_https_and_the_canary(ask: Ask) -> None:
    """Together they tell a name that is not found from a certificate that is not trusted."""
    assert _tried(ask("GET").text) == {
        "secure": f"https://{BY_NAME}:8443/door.json",
        "plain": f"http://{BY_NAME}:8069/door.json",
        "canary": f"https://{CANARY}/",
    }


def test_it_tries_the_name_of_the_address_the_visitor_came_by(ask: Ask, agent: PaperAgent) -> None:
    """Another interface may be out of a visitor's reach, and rightly so."""
    agent.paper = replace(agent.paper, addresses=(ip_address("10.0.0.9"), ip_address("192.168.1.5")))

    assert _tried(ask("GET").text)["secure"] == f"https://{BY_NAME}:8443/door.json"


def test_a_name_for_this_machine_only_has_no_canary(ask: Ask, agent: PaperAgent) -> None:
    """Browsers know ``*.localhost`` by themselves, so there is no filter to look for."""
    assert agent.paper.enrolment is not None
    enrolment: Enrolment = replace(agent.paper.enrolment, zone=DEMO_ZONE)
    agent.paper = replace(agent.paper, enrolment=enrolment, stored=replace(agent.paper.stored))
    names = ("*.k3v7q2m4x5a6b7c2.lancert.localhost", "k3v7q2m4x5a6b7c2.lancert.localhost")
    usable = agent.paper.stored.usable
    assert usable is not None
    stored = replace(agent.paper.stored, usable=replace(usable, facts=replace(usable.facts, names=names)))
    agent.paper = replace(agent.paper, stored=stored)

    assert set(_tried(ask("GET").text)) == {"secure", "plain"}


@pytest.mark.parametrize("state", ["unreachable", "expired", "loading", "not-connected", "damaged", "no-address"])
def test_without_a_secure_address_there_is_nothing_to_try(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str
) -> None:
    """Neither the script nor the question is on the page then."""
    agent.paper = states[state]
    reply = ask("GET", host="localhost:8069")

    assert "<script" not in reply.text
    assert "script-src" not in reply.header("content-security-policy")
    assert "Does it open on this device?" not in reply.text


@pytest.mark.parametrize(
    ("host", "is_asked"),
    [(f"{BY_NAME}:8443", False), ("192.168.1.5:8443", True), ("[fd12:3456::1]:8443", True), ("localhost:8443", True)],
)
def test_who_came_by_the_secure_address_is_not_asked(ask: Ask, host: str, is_asked: bool) -> None:
    """By name over HTTPS it evidently opens; by IP address over HTTPS a person tries by hand, for no script can."""
    page = ask("GET", host=host, secure=True).text

    assert ("Does it open on this device?" in page) is is_asked
    assert "<script" not in page


def test_a_page_that_reloads_itself_tries_nothing(ask: Ask, agent: PaperAgent) -> None:
    """Every reload would begin again."""
    agent.paper = replace(agent.paper, is_loading=True)
    page = ask("GET").text

    assert "<script" not in page
    assert "If the homepage appears with a lock" in page


def test_the_policy_lets_the_script_ask_those_alone(ask: Ask) -> None:
    """Our own file runs and nothing inline; it reaches the box by its names and the canary (S-27, S-36)."""
    reply = ask("GET")
    policy = {part.split()[0]: part.split()[1:] for part in reply.header("content-security-policy").split("; ")}
    (script,) = re.findall(r"<script([^>]*)></script>", reply.text)

    assert re.fullmatch(r' src="/browser\.js\?[0-9a-f]{12}" defer', script)
    assert policy["script-src"] == ["'self'"]
    assert policy["connect-src"] == ["'self'", f"https://{BY_NAME}:8443", f"http://{BY_NAME}:8069", f"https://{CANARY}"]
    assert policy["default-src"] == ["'none'"]
    assert ask("GET", "/browser.js").header("content-type") == "text/javascript; charset=utf-8"
    assert not re.search(r"eval|innerHTML|document\.write|localStorage|cookie", ask("GET", "/browser.js").text)


@pytest.mark.parametrize("path", ["/cogs", "/cogs/server", "/cogs/diagnosis", "/cogs/log", "/cogs/routers", "/nothing"])
def test_no_other_page_has_a_script(ask: Ask, path: str) -> None:
    """The front page alone needs one."""
    reply = ask("GET", path)

    assert "<script" not in reply.text
    assert "script-src" not in reply.header("content-security-policy")


@pytest.mark.parametrize(
    ("origin", "host", "is_told"),
    [
        ("http://192.168.1.5:8069", f"{BY_NAME}:8069", True),
        (f"https://{BY_NAME}:8443", "192.168.1.5:8069", True),
        ("http://[fd12:3456::1]:8069", f"{BY_NAME}:8069", True),
        ("http://localhost:8069", f"{BY_NAME}:8069", True),
        ("http://shop-counter.local:8069", f"{BY_NAME}:8069", True),
        ("http://evil.example", "192.168.1.5:8069", False),
        ("http://evil.example:8069", "192.168.1.5:8069", False),
        ("http://192.168.1.6:8069", "192.168.1.5:8069", False),
        ("http://192.168.1.5", "192.168.1.5:8069", False),
        ("http://192.168.1.5:80", "192.168.1.5:8069", False),
        ("https://192.168.1.5:8069", "192.168.1.5:8069", False),
        ("http://192.168.1.5:8069.evil.example", "192.168.1.5:8069", False),
        ("http://192.168.1.5:8069/", "192.168.1.5:8069", False),
        ("http://user@192.168.1.5:8069", "192.168.1.5:8069", False),
        ("ftp://192.168.1.5:8069", "192.168.1.5:8069", False),
        ("http://192-168-1-5.aaaaaaaaaaaaaaaa.iot.example.com:8069", "192.168.1.5:8069", False),
        ("null", "192.168.1.5:8069", False),
        ("", "192.168.1.5:8069", False),
        ("*", "192.168.1.5:8069", False),
        ("http://", "192.168.1.5:8069", False),
    ],
)
def test_only_a_page_of_this_box_reads_what_the_door_saw(ask: Ask, origin: str, host: str, is_told: bool) -> None:
    """The origin passes the allowlist of the hosts, by scheme and port too, or browsers keep the answer (S-25)."""
    reply = ask("GET", "/door.json", host=host, headers={"origin": origin})
    named = {name for name, _ in reply.headers}

    assert reply.header("access-control-allow-origin") == (origin if is_told else None)
    assert reply.header("vary") == "Origin"
    assert "access-control-allow-credentials" not in named


def test_a_name_that_was_bound_to_the_box_by_a_stranger_gets_no_answer(ask: Ask) -> None:
    """DNS rebinding ends at the Host, as everywhere (S-20)."""
    reply = ask("GET", "/door.json", host="evil.example:8069", headers={"origin": "http://evil.example:8069"})

    assert (reply.status, reply.body) == (421, b"")
    assert reply.header("access-control-allow-origin") is None


def test_the_door_tells_each_visitor_about_the_own_address_alone(ask: Ask, agent: PaperAgent) -> None:
    """What came of my try; nothing else is said (S-33)."""
    knocks = Knocks()
    app = homepage_app(agent, machine_name="till", knocks=knocks)
    assert json.loads(ask("GET", "/door.json", app=app).body) == {"https": "none", "milliseconds_ago": 0}

    knocks.failed("192.168.1.78", OSError())
    assert json.loads(ask("GET", "/door.json", app=app).body)["https"] == "none"

    knocks.failed("192.168.1.77", OSError())
    told = json.loads(ask("GET", "/door.json", app=app).body)
    assert (told["https"], set(told)) == ("cut", {"https", "milliseconds_ago"})


def test_every_verdict_of_the_script_has_its_part_on_the_page(ask: Ask) -> None:
    """What the script may show is written there, in the reader's language."""
    script, page = ask("GET", "/browser.js").text, ask("GET").text
    rows = re.findall(r'\[\{.*?\}, "([a-z-]+)"\]', script)
    shown = set(re.findall(r'data-verdict="([a-z-]+)"', page))

    assert len(rows) == 9
    assert shown == {*rows, "trying", "by-hand"}


def test_the_page_for_the_router_names_every_family_and_this_zone(ask: Ask, agent: PaperAgent) -> None:
    """It can be printed, or sent to whoever looks after the network."""
    page = ask("GET", "/cogs/routers").text
    for family in ("FRITZ!Box", "OpenWrt", "OPNsense", "pfSense", "Pi-hole", "dnsmasq"):
        assert family in page
    assert "rebind-domain-ok=/iot.example.com/" in page
    assert "{zone}" not in page


def test_before_there_is_a_name_the_page_for_the_router_says_so(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]
) -> None:
    """Nothing is told to be typed for a zone that nobody knows yet."""
    agent.paper = states["not-connected"]
    page = ask("GET", "/cogs/routers").text

    assert "has no name yet" in page
    assert "<pre" not in page
