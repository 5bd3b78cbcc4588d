"""The front page: the state, the problems with their remedies, the addresses, and no secret."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from lancert.box.facts import BoxFacts, LastTry, Outcome, StoredCertificate
from lancert.box.homepage.app import homepage_app
from lancert.box.homepage.exchange import AsgiApp
from lancert.box.homepage.paper import PaperAgent
from lancert.box.interfaces import Interface, InterfaceKind
from lancert.box.maintenance import parse_maintenance
from lancert.protocol import problems
from lancert.protocol.problems import CRITERIA, Criterion, Occurrence, Problem, Reason

Ask = Callable[..., Any]

LOOKED_AT = (
    "/",
    "/cogs",
    "/cogs/credential",
    "/cogs/server",
    "/cogs/log-level",
    "/cogs/diagnosis",
    "/cogs/log",
    "/cogs/reset",
)
NAMED = {
    "server": "https://service.example.com",
    "status": "paused",
    "reference": "c0ffee",
    "environment": "staging",
    "used": "2",
    "quantity": "2",
}


def words(page: str) -> str:
    """Give what a person reads: the text without tags, in single spaces."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page.partition("<main>")[2])))


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("secure", "Secure"),
        ("attention", "Works, but needs attention"),
        ("loading", "Getting the certificate"),
        ("unreachable", "HTTPS does not work"),
        ("expired", "HTTPS does not work"),
        ("not-connected", "Not connected"),
    ],
)
@pytest.mark.promise("M6", "M10")
def test_the_state_is_a_word_and_a_sign(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str, word: str
) -> None:
    """Each state has a word and a drawing, so that colour is never the only sign, and the link by IP is there."""
    agent.paper = states[state]
    page = ask("GET").text

    assert f'<h2 id="state">{word}</h2>' in page
    assert re.search(r'<div class="sign"><svg class="icon".+?</svg></div>', page, re.DOTALL)
    assert 'href="http://192.168.1.5:8069/"' in page


def every_occurrence() -> list[Occurrence]:
    """Give every row of the catalogue with every cause, and the refusal by every criterion."""
    found = [
        Occurrence(problem=row, cause_id=cause_id, facts={**NAMED, "status": "404"})
        for row in problems.CATALOGUE
        for cause_id in (*(cause.id for cause in row.causes), *(() if row.causes else (None,)))
    ]
    return found + [
        Occurrence(
            problem=problems.LOAD_REQUEST_NO_RESULT,
            cause_id="refused",
            facts=NAMED,
            reasons=(Reason(criterion=criterion, facts=NAMED),),
        )
        for criterion in Criterion
    ]


@pytest.mark.parametrize(
    "problem",
    every_occurrence(),
    ids=lambda problem: "-".join([problem.code[14:], problem.cause_id or "", *(r.criterion for r in problem.reasons)]),
)
@pytest.mark.promise("M12", "M13", "M14", "M15", "M16", "M17")
def test_a_problem_shows_what_happened_why_and_what_to_do(ask: Ask, agent: PaperAgent, problem: Occurrence) -> None:
    """Title, public code, meaning, cause, each reason and each step of the remedy stand on the page."""
    agent.paper = replace(
        agent.paper, last_try=LastTry(at=agent.moment, outcome=Outcome.FAILED, problem=problem, next_at=None)
    )
    shown = words(ask("GET").text)

    assert problem.title(str) in shown
    assert problem.code in shown
    assert problem.meaning(str) in shown
    assert (problem.cause_meaning(str) or "") in shown
    for reason in problem.reasons:
        assert reason.meaning(str) in shown
        assert reason.criterion in shown
    for step in problem.remedy(str):
        assert step in shown


@pytest.mark.parametrize(
    ("state", "row", "page"),
    [
        ("not-connected", problems.CHECK_NO_SERVER, "/cogs/server"),
        ("damaged", problems.CHECK_CERT_READ_EXCEPTION, None),
        ("no-credential", problems.LOAD_NO_CREDENTIAL, "/cogs/credential"),
        ("half-credential", problems.LOAD_NO_CREDENTIAL, "/cogs/credential"),
        ("unreachable", problems.LOAD_REQUEST_EXCEPTION, "/cogs/diagnosis"),
        ("refused", problems.LOAD_REQUEST_NO_RESULT, None),
    ],
)
def test_a_problem_leads_to_the_page_that_mends_it(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str, row: Problem, page: str | None
) -> None:
    """What can be mended on this box is one click away."""
    agent.paper = states[state]
    shown = ask("GET").text

    assert row.code in shown
    if page is not None:
        assert f'<a class="button" href="{page}">' in shown


def test_all_criteria_of_a_refusal_are_shown_with_their_remedies(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]
) -> None:
    """An owner who mends the first reason does not learn of the second only then."""
    agent.paper = states["refused"]
    shown = words(ask("GET").text)

    assert "it is marked as: staging." in shown
    assert CRITERIA[Criterion.NO_IOT_BOX_LINE].meaning in shown
    assert CRITERIA[Criterion.NO_IOT_BOX_LINE].remedy in shown


@pytest.mark.promise("M6")
def test_the_secure_address_is_a_link_and_a_qr_code(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """With the certificate the page offers its HTTPS URL, to click and to scan."""
    agent.paper = states["secure"]
    page = ask("GET").text
    drawn = ask("GET", "/qr.svg")

    assert '<a class="url" href="https://192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com:8443/">' in page
    assert 'href="https://k3v7q2m4x5a6b7c2.iot.example.com:8443/"' in page
    assert 'src="/qr.svg"' in page
    assert (drawn.status, drawn.header("content-type")) == (200, "image/svg+xml")
    assert b"#fff" in drawn.body


@pytest.mark.parametrize("state", ["unreachable", "expired", "not-connected"])
def test_without_a_valid_certificate_no_secure_address_is_offered(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str
) -> None:
    """A link that would end in a browser's warning is not offered as the way."""
    agent.paper = states[state]

    assert 'class="url"' not in ask("GET").text
    assert ask("GET", "/qr.svg").status == 404


@pytest.mark.promise("M11")
def test_opening_the_homepage_asks_for_a_check(ask: Ask, agent: PaperAgent) -> None:
    """Every opening is passed on; looking at other pages, at the document for programs or at headers is not."""
    ask("GET")
    assert agent.opened == 1

    for path in ("/cogs", "/cogs/server", "/status.json", "/style.css", "/nothing"):
        ask("GET", path)
    ask("HEAD")
    ask("OPTIONS")
    assert agent.opened == 1


def test_a_thousand_openings_wait_for_nothing(homepage: AsgiApp, agent: PaperAgent) -> None:
    """The page is drawn in one go: it awaits neither the agent nor the network (F-62)."""
    said: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("a page that is looked at reads no body")

    async def send(message: Any) -> None:
        said.append(message["type"])

    for _ in range(1000):
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"host", b"192.168.1.5:8069")],
            "scheme": "http",
        }
        with pytest.raises(StopIteration):
            homepage(scope, receive, send).__await__().send(None)
    assert agent.opened == 1000
    assert (len(said), agent.examined) == (2000, 0)


@pytest.mark.parametrize(("state", "reloads"), [("loading", True), ("due", True), ("unreachable", False)])
@pytest.mark.promise("M11")
def test_the_page_reloads_itself_only_while_a_certificate_is_asked_for(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str, reloads: bool
) -> None:
    """The owner sees the result without doing anything, and a settled page stays still."""
    agent.paper = states[state]

    assert ('http-equiv="refresh"' in ask("GET").text) is reloads


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("secure", "The certificate is renewed by itself from 5 December 2026."),
        ("unreachable", "Tries again by itself in 4 minutes, at 14:09 UTC."),
        ("attention", "Tries again by itself in 4 minutes, at 14:09 UTC."),
        ("loading", "This page reloads itself until it is done."),
    ],
)
def test_the_page_says_what_happens_next(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str, sentence: str
) -> None:
    """Nobody has to guess whether waiting helps."""
    agent.paper = states[state]

    assert sentence in words(ask("GET").text)


NIGHT = replace(parse_maintenance("02:00-05:00"), zone=UTC)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("secure", "The certificate is renewed by itself from 5 December 2026, between 02:00 and 05:00 local time."),
        (
            "due",
            "A new certificate is put in at the time for maintenance, between 02:00 and 05:00 local time: in 12 hours.",
        ),
        ("due, failed", "A new certificate is put in at the time for maintenance, between 02:00 and 05:00 local time:"),
        ("unreachable", "Tries again by itself in 4 minutes, at 14:09 UTC."),
    ],
)
def test_a_renewal_waits_for_the_night_and_the_page_says_so(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str, sentence: str
) -> None:
    """A shop that has its certificates changed at night reads when; without a certificate nothing waits for it."""
    usable = states["secure"].stored.usable
    assert usable is not None
    begun = replace(usable, renewal_start=agent.moment - timedelta(days=1))
    due = replace(states["secure"], stored=StoredCertificate(usable=begun))
    cases = {**states, "due": due, "due, failed": states["attention"]}
    agent.paper = replace(cases[state], maintenance=NIGHT)

    assert sentence in words(ask("GET").text)
    assert state == "secure" or sentence in words(ask("GET", "/cogs").text)


def test_a_log_level_that_was_raised_is_not_forgotten(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """Whoever opens the page sees that more is recorded than usual, and until when."""
    agent.paper = states["secure"]
    assert "log level" not in words(ask("GET").text)

    agent.set_log_level("debug")
    assert "The log level is Debug until 21 November 2026, 14:05 UTC." in words(ask("GET").text)


WIRED = Interface(
    name="eth0",
    kind=InterfaceKind.WIRED,
    has_link=True,
    has_default_route=True,
    addresses=(ip_address("192.168.1.5"), ip_address("fd12:3456::1")),
)
WIRELESS = Interface(
    name="wlan0",
    kind=InterfaceKind.WIRELESS,
    has_link=True,
    has_default_route=False,
    addresses=(ip_address("10.0.0.9"),),
)
UNPLUGGED = Interface(
    name="eth1",
    kind=InterfaceKind.WIRED,
    has_link=False,
    has_default_route=False,
    addresses=(ip_address("192.168.7.20"),),
)


@pytest.mark.promise("M6", "M10")
def test_several_interfaces_are_told_apart(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """Each with its URLs and what is wrong there; a cable that is out offers no link that would not open."""
    agent.paper = replace(
        states["secure"],
        addresses=(*WIRED.addresses, *WIRELESS.addresses),
        interfaces=(WIRED, WIRELESS, UNPLUGGED),
        answers={WIRELESS.addresses[0]: False},
    )
    page = ask("GET").text
    wired, wireless, unplugged = (
        page.partition(where)[2] for where in ("eth0, wired", "wlan0, wireless", "eth1, wired")
    )

    assert 'href="http://192.168.1.5:8069/"' in wired
    assert 'href="https://10-0-0-9.k3v7q2m4x5a6b7c2.iot.example.com:8443/"' in wireless
    assert "HTTPS does not answer at this address." in wireless
    assert "the cable is out" in unplugged
    assert 'href="http://192.168.7.20' not in page
    assert "192.168.7.20" in words(f"<main>{unplugged}")


def test_a_box_with_one_interface_does_not_name_it(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """What has no other needs no name."""
    agent.paper = replace(states["secure"], interfaces=(WIRED,))

    assert "eth0" not in ask("GET").text


def test_an_unplugged_box_says_so(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """Without an address in a private network the page names cable and Wi-Fi."""
    agent.paper = states["no-address"]

    assert "Check its network cable or Wi-Fi." in words(ask("GET", host="localhost:8069").text)


@pytest.mark.parametrize("language", ["tlh", "de-CH, de;q=0.8", "../../../etc/passwd", "*", "x" * 5000, ""])
def test_a_language_that_is_not_complete_falls_back_to_english(ask: Ask, language: str) -> None:
    """English is always complete."""
    reply = ask("GET", headers={"accept-language": language})

    assert reply.header("content-language") == "en"
    assert '<html lang="en">' in reply.text
    assert "What to do" in reply.text


def test_the_status_document_says_the_same_to_programs(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]
) -> None:
    """State, problems and next try as JSON, not kept by anybody in between."""
    agent.paper = states["refused"]
    reply = ask("GET", "/status.json")
    document = json.loads(reply.body)

    assert reply.header("content-type") == "application/json"
    assert reply.header("cache-control") == "no-store"
    assert document["state"] == "blocked"
    assert document["problems"][0]["code"] == "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT"
    assert document["next_try"] == "2026-11-20T14:09:00Z"


@pytest.mark.parametrize("path", [*LOOKED_AT, "/status.json", "/nothing"])
@pytest.mark.parametrize("secure", [False, True])
def test_no_secret_is_on_any_page(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], path: str, secure: bool
) -> None:
    """Contract, UUID and PIN are told to nobody, nor are serial numbers (S-33); only that they are set."""
    for facts in states.values():
        agent.paper = facts
        shown = ask("GET", path, secure=secure, host=f"localhost:{8443 if secure else 8069}").text

        for canary in ("CANARY", "7391", "cafebabe", "badf00d", "4829157306", "482 915 7306", "feedface"):
            assert canary not in shown


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% raw %}",
    "line\r\nSet-Cookie: a=b",
    "\x1b[31mred\x00\x07",
    "=cmd()|' /C calc'!A0",
    "lone \ud800 surrogate",
    "right \u202e to left",
    "%(name)s {server} {0}",
    "x" * 1_000_000,
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_hostile_text_in_any_field_stays_text(ask: Ask, agent: PaperAgent, hostile: str) -> None:
    """Whatever a name or an answer of the service holds, it is shown as harmless text (F-64)."""
    problem = Occurrence(
        problem=problems.LOAD_REQUEST_NO_RESULT,
        cause_id="refused",
        facts={"server": hostile},
        reasons=(Reason(criterion=Criterion.DATABASE_NOT_PRODUCTION, facts={"environment": hostile}),),
    )
    assert agent.paper.server is not None
    agent.paper = replace(
        agent.paper,
        name=hostile,
        server=replace(agent.paper.server, url=hostile),
        last_try=LastTry(at=agent.moment, outcome=Outcome.REFUSED, problem=problem),
        log_level=hostile,
    )
    for path in (*LOOKED_AT, "/status.json"):
        reply = ask("GET", path)

        assert reply.status == 200
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", reply.text)
        assert all("\r" not in value and "\n" not in value for _, value in reply.headers)
        if path != "/status.json":
            assert b"<script" not in reply.body
            assert b"<img src=x" not in reply.body
            assert len(reply.body) < 60_000


class BrokenAgent(PaperAgent):
    """An agent whose every answer about itself is an accident."""

    def homepage_opened(self) -> None:
        """Break."""
        raise RuntimeError("CANARY")


class SilentAgent(PaperAgent):
    """An agent that cannot even give its facts."""

    def facts(self) -> BoxFacts:
        """Break."""
        raise RuntimeError("CANARY")


@pytest.mark.parametrize("kind", [BrokenAgent, SilentAgent])
def test_an_unexpected_failure_shows_a_reference_and_nothing_else(
    ask: Ask, agent: PaperAgent, kind: type[PaperAgent]
) -> None:
    """The text of an exception is for the log (S-34)."""
    broken = kind(paper=agent.paper, moment=agent.moment, pin=agent.pin)
    reply = ask("GET", app=homepage_app(broken))

    assert reply.status == 500
    assert re.search(r"reference <code>[0-9a-f]{8}</code>", reply.text)
    assert "CANARY" not in reply.text
    assert "Traceback" not in reply.text


def test_an_unknown_address_and_a_wrong_method_are_said_in_the_same_look(ask: Ask) -> None:
    """Nobody lands on a bare error."""
    unknown, wrong = ask("GET", "/wp-admin.php"), ask("DELETE", "/cogs")

    assert (unknown.status, wrong.status) == (404, 405)
    assert wrong.header("allow") == "GET, HEAD"
    assert all("Go to the homepage" in reply.text for reply in (unknown, wrong))
