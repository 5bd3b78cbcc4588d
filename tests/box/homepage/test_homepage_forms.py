"""The forms behind the cogs: what they take, what they say about a mistake, and that the PIN guards every change."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.box.homepage.app import homepage_app
from lancert.box.homepage.forms import plain_pin
from lancert.box.homepage.paper import FREE_TRIES, PaperAgent
from lancert.kit.logs import LEVELS
from lancert.protocol import problems
from lancert.protocol.credential import ConnectionToken, parse_contract, parse_database_uuid
from lancert.protocol.problems import Occurrence

Ask = Callable[..., Any]

PIN = "482 915 7306"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TOKEN = ConnectionToken(
    server="https://other.example.com:8443",
    root_fingerprint="ab" * 32,
    contract=parse_contract("M2611-0042"),
    database=parse_database_uuid(UUID),
).write()
FORMS = {
    "/cogs/credential": {"contract": "M2611-0042", "database": UUID, "pin": PIN},
    "/cogs/server": {"token": TOKEN.reveal(), "pin": PIN},
    "/cogs/log-level": {"level": "debug", "pin": PIN},
    "/cogs/log": {"pin": PIN},
    "/cogs/log/download": {"pin": PIN},
    "/cogs/log/bundle": {"pin": PIN},
    "/cogs/reset": {"word": "RESET", "pin": PIN},
}


def test_both_halves_of_the_credential_are_saved(ask: Ask, agent: PaperAgent) -> None:
    """The page that follows says so and shows what comes of it."""
    reply = ask("POST", "/cogs/credential", form=FORMS["/cogs/credential"])
    credential = agent.paper.credential

    assert (reply.status, reply.header("location")) == (303, "/?saved=credential")
    assert credential.contract is not None
    assert credential.database is not None
    assert (credential.contract.reveal(), credential.database.reveal()) == ("M2611-0042", UUID)
    assert "The credential is saved." in ask("GET", "/?saved=credential").text


@pytest.mark.promise("M14")
def test_a_half_that_is_left_empty_stays(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """Who has to add the database UUID need not find the contract again."""
    agent.paper = states["half-credential"]
    ask("POST", "/cogs/credential", form={"contract": " ", "database": f" {UUID.upper()} ", "pin": PIN})

    assert agent.paper.credential.is_complete
    assert agent.paper.credential.contract == states["half-credential"].credential.contract


def test_a_token_connects(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """One text carries server, root and credential; spaces from copying do no harm."""
    agent.paper = states["not-connected"]
    spaced = " \r\n".join(re.findall(".{1,40}", TOKEN.reveal()))
    reply = ask("POST", "/cogs/server", form={"token": spaced, "pin": PIN})

    assert (reply.status, reply.header("location")) == (303, "/?saved=server")
    assert agent.paper.server is not None
    assert agent.paper.server.url == "https://other.example.com:8443"
    assert agent.paper.server.root_fingerprint == "ab" * 32
    assert agent.paper.credential.is_complete


def test_a_server_address_connects_and_keeps_the_credential(ask: Ask, agent: PaperAgent) -> None:
    """By hand it takes an address, and a fingerprint unless the server is publicly trusted."""
    before = agent.paper.credential
    form = {"server": "iot.example.com", "root": "AB:" * 31 + "AB", "pin": PIN}

    assert ask("POST", "/cogs/server", form=form).status == 303
    assert agent.paper.server is not None
    assert agent.paper.server.root_fingerprint == "ab" * 32
    assert agent.paper.credential == before


def test_a_server_that_cannot_be_reached_is_explained_beside_the_form(ask: Ask, agent: PaperAgent) -> None:
    """The cause and its remedy stand there, and what was typed is kept."""
    agent.unreachable = Occurrence(
        problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="name-unknown", facts={"server": "https://typo.example.com"}
    )
    reply = ask("POST", "/cogs/server", form={"server": "typo.example.com", "root": "", "pin": PIN})

    assert reply.status == 422
    assert agent.unreachable.cause is not None
    assert agent.unreachable.cause_meaning(str) in reply.text
    assert agent.unreachable.cause.remedy[0] in reply.text
    assert 'value="typo.example.com"' in reply.text
    assert "ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION" in reply.text


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.promise("M18")
def test_the_log_level_is_set_at_the_foot_of_the_cogs_page(ask: Ask, agent: PaperAgent, level: str) -> None:
    """The form is the last thing on the page, and the page that follows shows the new level."""
    page = ask("GET", "/cogs").text
    assert page.rindex('<section class="card"') < page.rindex('action="/cogs/log-level"')

    reply = ask("POST", "/cogs/log-level", form={"level": level, "pin": PIN})

    assert reply.header("location") == "/cogs?saved=log-level"
    assert agent.paper.log_level == level
    assert f'<option value="{level}" selected>' in ask("GET", "/cogs").text


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(("typed", "status"), [("", 422), ("123", 422), ("12345678901", 422), ("0000000000", 403)])
def test_without_the_pin_nothing_happens(ask: Ask, agent: PaperAgent, path: str, typed: str, status: int) -> None:
    """Every change and the log need it; the answer says where it is found, and never repeats it (S-31, S-35)."""
    before, agent.lines = agent.paper, ['{"event": "CANARY"}']
    reply = ask("POST", path, form={**FORMS[path], "pin": typed})

    assert reply.status == status
    assert agent.paper == before
    assert "CANARY" not in reply.text
    assert 'aria-describedby="pin-hint pin-mistake" aria-invalid="true"' in reply.text
    assert "lancert box pin" in reply.text
    assert not typed or f'value="{typed}"' not in reply.text


@pytest.mark.parametrize("path", FORMS)
def test_too_many_tries_name_the_wait(ask: Ask, agent: PaperAgent, path: str) -> None:
    """Guessing is slowed, and the owner is told for how long (S-32)."""
    for _ in range(FREE_TRIES):
        ask("POST", path, form={**FORMS[path], "pin": "0000000000"})
    reply = ask("POST", path, form=FORMS[path])

    assert (reply.status, reply.header("retry-after")) == (429, "42")
    assert "Wait 42 seconds" in reply.text


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("4829157306", "4829157306"),
        ("482 915 7306", "4829157306"),
        (" 482-915-7306 ", "4829157306"),
        ("482\u00a0915\u20117306", "4829157306"),
        ("٤٨٢٩١٥٧٣٠٦", None),
        ("482915730", None),
        ("48291573060", None),
        ("482915730x", None),
        ("", None),
    ],
)
def test_a_pin_is_read_the_way_people_type_it(typed: str, read: str | None) -> None:
    """Spaces and hyphens between the groups do not count; ten plain digits do."""
    assert plain_pin(typed) == read


@pytest.mark.parametrize(
    ("path", "form", "field", "sentence"),
    [
        ("/cogs/credential", {"contract": "a b!", "database": ""}, "contract", "A contract is 3 to 64 letters"),
        ("/cogs/credential", {"contract": "", "database": "12"}, "database", "A database UUID is 32 letters"),
        ("/cogs/credential", {"contract": "", "database": ""}, "contract", "Enter the contract, the database UUID"),
        ("/cogs/server", {"token": "lct2.abc"}, "token", "A connection token begins with lct1."),
        ("/cogs/server", {"token": TOKEN.reveal()[:-9]}, "token", "damaged or incomplete"),
        ("/cogs/server", {"server": "http://x", "root": ""}, "server", "by HTTPS only"),
        ("/cogs/server", {"server": "a b", "root": ""}, "server", "A server address is written"),
        ("/cogs/server", {"server": "iot.example.com", "root": "zz"}, "root", "64 hexadecimal digits"),
        ("/cogs/log-level", {"level": "loud"}, "level", "Choose one of these levels."),
    ],
)
def test_a_mistake_is_named_beside_its_field_and_the_text_is_kept(
    ask: Ask, agent: PaperAgent, path: str, form: dict[str, str], field: str, sentence: str
) -> None:
    """Nobody types a long value twice, and a reader hears the mistake with the field."""
    before = agent.paper
    reply = ask("POST", path, form={**form, "pin": PIN})
    mistake = re.search(rf'id="{field}-mistake">(.+?)</p>', reply.text, re.DOTALL)

    assert reply.status == 422
    assert agent.paper == before
    assert mistake is not None
    assert sentence in mistake[1]
    assert re.search(rf'(id|name)="{field}"[^>]*aria-describedby="[^"]*{field}-mistake"', reply.text)
    for name, typed in form.items():
        if name != "level":
            assert not typed or typed in reply.text
    assert "4829157306" not in reply.text
    assert PIN not in reply.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"pin", 400),
        (b"level=debug", 400),
        (b"level=debug&pin=4829157306&extra=1", 400),
        (b"level=debug&level=info&pin=4829157306", 400),
        (b"level=%ff%fe&pin=4829157306", 400),
        (b"level=\xe9&pin=4829157306", 400),
        (b"&".join(b"a%d=1" % number for number in range(50)), 400),
        (b"level=" + b"a" * 9000 + b"&pin=4829157306", 413),
    ],
    ids=lambda value: str(value[:20]) if isinstance(value, bytes) else None,
)
def test_a_malformed_form_is_refused_clearly(ask: Ask, agent: PaperAgent, body: bytes, status: int) -> None:
    """Unknown, missing and repeated fields, broken text and large bodies change nothing (T-28)."""
    before = agent.paper
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "http://192.168.1.5:8069"}
    reply = ask("POST", "/cogs/log-level", headers=headers, body=body)

    assert reply.status == status
    assert "Go to the homepage" in reply.text
    assert agent.paper == before


@pytest.mark.parametrize("path", FORMS)
def test_with_a_certificate_settings_are_changed_over_https_only(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], path: str
) -> None:
    """The PIN does not travel in the clear; the page leads to itself over HTTPS, by name and by IP."""
    agent.paper = states["secure"]
    page = path.removesuffix("/download").removesuffix("/bundle")
    shown, sent = ask("GET", page), ask("POST", path, form=FORMS[path])

    assert (shown.status, sent.status) == (200, 403)
    for reply in (shown, sent):
        assert f'href="https://192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com:8443{page}"' in reply.text
        assert f'href="https://192.168.1.5:8443{page}"' in reply.text
        assert "<form" not in reply.text
    assert "Nothing was changed." in sent.text
    assert agent.paper == states["secure"]
    assert ask("POST", path, form=FORMS[path], secure=True).status in (200, 303)


def test_when_the_certificate_has_expired_settings_can_be_mended_by_ip(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]
) -> None:
    """A box that lost its certificate is not locked out of the settings that would bring it back."""
    agent.paper = states["expired"]

    assert ask("POST", "/cogs/credential", form=FORMS["/cogs/credential"]).status == 303


@pytest.mark.parametrize("said", ["credential", "server", "log-level"])
@pytest.mark.parametrize("path", ["/", "/cogs"])
def test_a_confirmation_comes_from_a_fixed_list(ask: Ask, path: str, said: str) -> None:
    """A link cannot make the box say anything but its own sentences."""
    assert 'role="status"' in ask("GET", f"{path}?saved={said}").text
    assert 'role="status"' not in ask("GET", f"{path}?saved=call+0900+123").text
    assert 'role="status"' not in ask("GET", f"{path}?saved={said}&saved=server").text


def test_the_log_is_shown_newest_first(ask: Ask, agent: PaperAgent) -> None:
    """Whoever has the PIN reads the last lines without a tool."""
    agent.lines = [
        json.dumps({"time": "2026-11-20T14:04:50.1+00:00", "level": "info", "event": "first", "count": 1}),
        json.dumps({"time": "2026-11-20T14:04:51.1+00:00", "level": "warning", "event": "second"}),
        "a line <b>nobody</b> wrote",
    ]
    page = ask("POST", "/cogs/log", form={"pin": PIN}).text

    assert page.index("a line &lt;b&gt;nobody&lt;/b&gt; wrote") < page.index("second") < page.index("first")
    assert "2026-11-20 14:04:50" in page
    assert "count=1" in page


def test_the_log_is_downloaded_under_a_fixed_name(ask: Ask, agent: PaperAgent) -> None:
    """As plain text that no browser runs (S-35)."""
    agent.lines = ['{"event": "one"}', '{"event": "<script>"}']
    reply = ask("POST", "/cogs/log/download", form={"pin": PIN})

    assert reply.status == 200
    assert reply.header("content-disposition") == 'attachment; filename="lancert-box.log"'
    assert reply.header("content-type") == "text/plain; charset=utf-8"
    assert reply.body == b'{"event": "one"}\n{"event": "<script>"}\n'


def test_all_for_support_comes_with_what_the_doctor_found(ask: Ask, agent: PaperAgent) -> None:
    """One file under a fixed name; the doctor is asked first, unless he was just here (S-35)."""
    agent.lines, agent.findings = ["one"], FINDINGS
    replies = [ask("POST", "/cogs/log/bundle", form={"pin": PIN}) for _ in range(2)]

    for reply in replies:
        assert (reply.status, reply.header("content-type")) == (200, "application/zip")
        assert reply.header("content-disposition") == 'attachment; filename="lancert-box-logs.zip"'
        assert reply.body == f"one\n{len(FINDINGS)} findings".encode()
    assert agent.examined == 1
    assert 'formaction="/cogs/log/bundle"' in ask("GET", "/cogs/log").text


@pytest.mark.promise("M18")
def test_a_log_level_is_shown_with_its_end(ask: Ask, agent: PaperAgent) -> None:
    """Whoever looks sees until when more is recorded; the normal level has no end."""
    ask("POST", "/cogs/log-level", form=FORMS["/cogs/log-level"])
    raised = [ask("GET", path).text for path in ("/cogs", "/cogs/log-level")]
    ask("POST", "/cogs/log-level", form={"level": "info", "pin": PIN})

    assert all("Until 21 November 2026, 14:05 UTC; then it is Info again by itself." in page for page in raised)
    assert "kept for a day" in ask("GET", "/cogs").text


@pytest.mark.parametrize("typed", ["", "yes", "RESETT", "Shop counter"])
def test_a_reset_needs_its_word(ask: Ask, agent: PaperAgent, typed: str) -> None:
    """Nobody loses a box by a slip of the finger, the PIN alone is not enough."""
    before = agent.paper
    reply = ask("POST", "/cogs/reset", form={"word": typed, "pin": PIN})

    assert (reply.status, agent.paper) == (422, before)
    assert "Type the word RESET here if you mean it." in reply.text


@pytest.mark.parametrize("typed", ["RESET", " reset "])
def test_a_reset_shows_the_new_pin_once(ask: Ask, agent: PaperAgent, typed: str) -> None:
    """S-15: the page says what goes and what stays, then the PIN without which the box could not be used again."""
    form = ask("GET", "/cogs/reset").text
    reply = ask("POST", "/cogs/reset", form={"word": typed, "pin": PIN})

    assert "all private keys" in form
    assert "box.toml" in form
    assert "may keep older copies" in form
    assert reply.status == 200
    assert reply.header("cache-control") == "no-store"
    assert re.search(r"<strong>(\d{3} \d{3} \d{4})</strong>", reply.text)
    assert 'href="http://192.168.1.5:8069/"' in reply.text
    assert agent.paper.server is None
    assert ask("POST", "/cogs/reset", form={"word": typed, "pin": PIN}).status == 403


FINDINGS = (
    Finding(check="server", title="A server is configured", verdict=Verdict.FINE, sentence="It is {server}."),
    Finding(
        check="reach",
        title="The server is reached",
        verdict=Verdict.WRONG,
        sentence="{server} did not answer.",
        remedy=("Allow {server} in the firewall.",),
        facts={"server": "<service>"},
    ),
    Finding(check="name", title="The name leads here", verdict=Verdict.NOT_TRIED, sentence="There is no name yet."),
)


def test_the_diagnosis_is_started_by_a_form_and_shown_to_everybody(ask: Ask, agent: PaperAgent) -> None:
    """It needs no PIN; each line has a word for its verdict, what was found, and what to do."""
    agent.findings = FINDINGS
    assert "Fine" not in ask("GET", "/cogs/diagnosis").text
    started = ask("POST", "/cogs/diagnosis", form={"run": "1"})
    page = ask("GET", "/cogs/diagnosis").text

    assert (started.status, started.header("location")) == (303, "/cogs/diagnosis")
    assert "1 step fails" in page
    assert [word for word in ("Fine", "Wrong", "Not tried") if f"<span>{word}</span>" in page] == [
        "Fine",
        "Wrong",
        "Not tried",
    ]
    assert "Allow &lt;service&gt; in the firewall." in page


def test_the_diagnosis_runs_one_at_a_time_and_seconds_apart(ask: Ask, agent: PaperAgent) -> None:
    """Nobody makes the box knock at the world like a drum."""
    for _ in range(5):
        assert ask("POST", "/cogs/diagnosis", form={"run": "1"}).status == 303
    assert agent.examined == 1

    agent.moment += timedelta(seconds=11)
    ask("POST", "/cogs/diagnosis", form={"run": "1"})
    assert agent.examined == 2


class PatientAgent(PaperAgent):
    """An agent whose diagnosis goes on until it is told to end."""

    async def diagnose(self) -> tuple[Finding, ...]:
        """Never end."""
        self.examined += 1
        await asyncio.Event().wait()
        return ()


class BrokenAgent(PaperAgent):
    """An agent whose diagnosis is an accident."""

    async def diagnose(self) -> tuple[Finding, ...]:
        """Break."""
        raise RuntimeError("CANARY")


def test_a_diagnosis_under_way_is_waited_for_by_the_page(ask: Ask, agent: PaperAgent) -> None:
    """It says so, reloads itself, and a second visitor starts no second run."""
    patient = PatientAgent(paper=agent.paper, moment=agent.moment, pin=agent.pin)
    app = homepage_app(patient, patience=0.0)
    for _ in range(3):
        assert ask("POST", "/cogs/diagnosis", form={"run": "1"}, app=app).status == 303
    page = ask("GET", "/cogs/diagnosis", app=app).text

    assert "The diagnosis is under way." in page
    assert 'http-equiv="refresh"' in page
    assert patient.examined == 1


def test_a_diagnosis_that_breaks_off_shows_a_reference(ask: Ask, agent: PaperAgent) -> None:
    """An unexpected failure of a check is no reason to show a trace (S-34)."""
    app = homepage_app(BrokenAgent(paper=agent.paper, moment=agent.moment, pin=agent.pin))
    ask("POST", "/cogs/diagnosis", form={"run": "1"}, app=app)
    page = ask("GET", "/cogs/diagnosis", app=app).text

    assert "The diagnosis broke off." in page
    assert "CANARY" not in page


@pytest.mark.promise("M7")
def test_the_banner_shows_the_validity_period(ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts]) -> None:
    """From, until, what is left, the renewal, the last try with its result, and the names."""
    agent.paper = states["secure"]
    banner = ask("GET", "/cogs").text.partition("</section>")[0]

    for shown in (
        "5 November 2026, 14:05 UTC",
        "20 December 2026, 14:05 UTC",
        "30 days left",
        "5 December 2026, 14:05 UTC",
        "20 November 2026, 14:04 UTC",
        "A certificate was installed.",
        "*.k3v7q2m4x5a6b7c2.iot.example.com",
    ):
        assert shown in banner
    assert 'href="/cogs"' in ask("GET").text


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("expired", "Expired 5 days ago"),
        ("attention", "5 days left"),
        ("unreachable", "There is no certificate yet."),
        ("unreachable", "ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION"),
        ("refused", "The server refused to give a certificate."),
        ("not-connected", "not connected"),
        ("half-credential", "Contract: set · Database UUID: missing"),
    ],
)
@pytest.mark.promise("M7")
def test_the_cogs_page_tells_how_things_stand(
    ask: Ask, agent: PaperAgent, states: dict[str, BoxFacts], state: str, shown: str
) -> None:
    """The banner and the rows below it say what is there and what is missing."""
    agent.paper = states[state]

    assert shown in ask("GET", "/cogs").text


def test_a_body_that_is_announced_too_large_is_refused_unread(ask: Ask, agent: PaperAgent) -> None:
    """The announcement is enough."""
    form = FORMS["/cogs/log-level"]
    headers = {"content-length": "999999999999", "x-length": str(len(urlencode(form)))}

    assert ask("POST", "/cogs/log-level", form=form, headers=headers).status == 413
