"""Who is answered: DNS rebinding, forms from elsewhere, and the headers of every answer."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from lancert.box.facts import BoxFacts, Ports
from lancert.box.homepage.app import ROUTES
from lancert.box.homepage.guard import Door, is_our_host, machine_label
from lancert.box.homepage.paper import PaperAgent
from lancert.protocol.names import DEMO_ZONE

Ask = Callable[..., Any]

OWN_NAME = "192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com"
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW")
FOREIGN = (
    "evil.example:8069",
    "192.168.1.5.evil.example:8069",
    "0.0.0.0:8069",
    "[::]:8069",
    "[::ffff:192.168.1.5]:8069",
    "192.168.1.6:8069",
    "8.8.8.8:8069",
    "127.1:8069",
    "2130706433:8069",
    "0x7f000001:8069",
    "192.168.001.005:8069",
    "127-0-0-1.k3v7q2m4x5a6b7c2.iot.example.com:8069",
    "192-168-1-6.k3v7q2m4x5a6b7c2.iot.example.com:8069",
    "192-168-1-5.aaaaaaaaaaaaaaaa.iot.example.com:8069",
    "x.k3v7q2m4x5a6b7c2.iot.example.com:8069",
    "iot.example.com:8069",
    f"{OWN_NAME}.evil.example:8069",
    f"{OWN_NAME}..:8069",
    "shop-counter:8069",
    "other.local:8069",
    "x.shop-counter.local:8069",
    "x.localhost:8069",
    "ｌocalhost:8069".encode().decode("latin-1"),
    "192.168.1.5",
    "192.168.1.5:80",
    "192.168.1.5:8443",
    "192.168.1.5:08069",
    "192.168.1.5:",
    "192.168.1.5:8069:8069",
    "fd12:3456::1:8069",
    "[fd12:3456::1%eth0]:8069",
    "[fd12:3456::1:8069",
    "[192.168.1.5]:8069",
    "user@192.168.1.5:8069",
    "192.168.1.5:8069,evil.example",
    " 192.168.1.5:8069",
    "http://192.168.1.5:8069",
    "null",
    "*",
)


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_gets_an_empty_421_everywhere(ask: Ask, agent: PaperAgent, host: str) -> None:
    """A page that came by DNS rebinding learns nothing and changes nothing (S-20, S-21, S-22, F-61)."""
    before = agent.paper
    for path in (*ROUTES, "/nothing"):
        for method in METHODS:
            reply = ask(method, path, host=host, headers={"origin": f"http://{host}"})

            assert (reply.status, reply.body) == (421, b"")
    assert (agent.paper, agent.opened, agent.examined, agent.wrong_tries) == (before, 0, 0, 0)


@pytest.mark.parametrize(
    ("host", "secure"),
    [
        ("192.168.1.5:8069", False),
        ("192.168.1.5:8443", True),
        ("[fd12:3456::1]:8069", False),
        ("[fd12:3456:0:0::1]:8069", False),
        ("127.0.0.1:8069", False),
        ("[::1]:8069", False),
        ("localhost:8069", False),
        ("LocalHost.:8069", False),
        ("shop-counter.local:8069", False),
        (f"{OWN_NAME}:8443", True),
        (f"{OWN_NAME.upper()}:8443", True),
        (f"{OWN_NAME}.:8443", True),
        ("fd12-3456-0-0-0-0-0-1.k3v7q2m4x5a6b7c2.iot.example.com:8443", True),
        ("k3v7q2m4x5a6b7c2.iot.example.com:8443", True),
    ],
)
@pytest.mark.promise("M6", "M10")
def test_every_own_name_and_address_is_answered(ask: Ask, host: str, secure: bool) -> None:
    """The homepage is there by IP address, by its names and by the name of the machine."""
    assert ask("GET", host=host, secure=secure).status == 200


@pytest.mark.parametrize(
    ("host", "answered"), [("192.168.1.5", True), ("192.168.1.5:80", True), ("localhost:81", False)]
)
def test_the_default_port_may_be_left_out(ask: Ask, agent: PaperAgent, host: str, answered: bool) -> None:
    """On ports 80 and 443 a browser names no port."""
    agent.paper = replace(agent.paper, ports=Ports(http=80, https=443))

    assert (ask("GET", host=host).status == 200) is answered


@pytest.mark.promise("M10")
def test_an_address_the_box_has_just_got_is_answered(ask: Ask, agent: PaperAgent) -> None:
    """A visitor who reaches the box by an address is answered there, even before the box has noticed it."""
    agent.paper = replace(agent.paper, addresses=(ip_address("10.0.0.9"),))

    assert ask("GET", host="192.168.1.5:8069").status == 200


def test_a_loopback_name_counts_below_localhost_only(states: dict[str, BoxFacts]) -> None:
    """The zone of a first run has loopback names; in any other zone such a name belongs to a stranger's page."""
    box = states["secure"]
    assert box.enrolment is not None
    demo = replace(box, enrolment=replace(box.enrolment, zone=DEMO_ZONE), addresses=(ip_address("127.0.0.1"),))
    door = Door(secure=True, local=ip_address("127.0.0.1"))

    assert is_our_host("127-0-0-1.k3v7q2m4x5a6b7c2.lancert.localhost:8443", door, demo, "")
    assert not is_our_host("127-0-0-1.k3v7q2m4x5a6b7c2.iot.example.com:8443", door, box, "")


@pytest.mark.parametrize("headers", [(), ("192.168.1.5:8069", "192.168.1.5:8069"), ("192.168.1.5:8069", "evil")])
def test_a_request_has_exactly_one_host(ask: Ask, headers: tuple[str, ...], homepage: Any, runner: Any) -> None:
    """None, or two that agree or not, is no request (RFC 9112, 3.2)."""
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    raw = [(b"host", host.encode()) for host in headers]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": raw, "scheme": "http"}
    runner.run(homepage(scope, None, send))

    assert said[0]["status"] == 400
    assert said[1]["body"] == b""


@pytest.mark.parametrize(
    ("hostname", "label"),
    [
        ("Shop-Counter.lan", "shop-counter"),
        ("pos7", "pos7"),
        ("localhost", ""),
        ("", ""),
        ("käse", ""),
        ("a b", ""),
        ("-", ""),
    ],
)
def test_the_machine_is_known_by_its_first_label(hostname: str, label: str) -> None:
    """Only a plain host label can be a name under .local."""
    assert machine_label(hostname) == label


RIGHT_FORM = {"contract": "M2611-0042", "database": "", "pin": "482 915 7306"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": ""}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "https://192.168.1.5:8069"}, 403),
        ({"origin": "http://192.168.1.5"}, 403),
        ({"origin": "http://192.168.1.5:8443"}, 403),
        ({"origin": "http://192.168.1.5:8069.evil.example"}, 403),
        ({"origin": "http://192.168.1.5:8069/"}, 403),
        ({"origin": "http://localhost:8069"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": ""}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "application/json"}, 415),
        ({"content-type": "application/x-www-form-urlencoded; charset=utf-16"}, 415),
        ({"content-type": ""}, 415),
        ({"content-encoding": "gzip"}, 415),
    ],
)
def test_a_form_from_elsewhere_changes_nothing(
    ask: Ask, agent: PaperAgent, headers: dict[str, str], status: int
) -> None:
    """Even with the right PIN in it, a form counts only when it was sent from this very page (S-24)."""
    before = agent.paper
    reply = ask("POST", "/cogs/credential", form=RIGHT_FORM, headers=headers)

    assert reply.status == status
    assert agent.paper == before


def test_a_form_without_an_origin_changes_nothing(ask: Ask, agent: PaperAgent) -> None:
    """Every browser sends the origin with a form; what comes without is no page of ours."""
    before = agent.paper
    body = b"contract=M2611-0042&database=&pin=4829157306"
    headers = {"content-type": "application/x-www-form-urlencoded"}

    assert ask("POST", "/cogs/credential", body=body, headers=headers).status == 403
    assert agent.paper == before


def test_a_form_from_its_own_page_is_taken(ask: Ask, agent: PaperAgent) -> None:
    """The way it is meant to work, with and without what newer browsers send along."""
    assert ask("POST", "/cogs/credential", form=RIGHT_FORM).status == 303
    assert agent.paper.credential.contract is not None
    assert agent.paper.credential.contract.reveal() == "M2611-0042"


@pytest.mark.parametrize("path", [*ROUTES, "/nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_only_forms_change_anything(ask: Ask, agent: PaperAgent, path: str, method: str) -> None:
    """No state changes by looking, whatever the query says (S-23)."""
    before = agent.paper
    ask(method, f"{path}?contract=x&database=y&pin=4829157306&level=debug&saved=credential")

    assert (agent.paper, agent.examined) == (before, 0)


@pytest.mark.parametrize("path", [*ROUTES, "/nothing"])
@pytest.mark.parametrize("host", ["192.168.1.5:8069", "evil.example"])
def test_every_answer_carries_the_security_headers(ask: Ask, path: str, host: str) -> None:
    """Pages, pictures, errors and refusals alike (S-25, S-27, S-30, S-36); no cookies, no answers for other origins."""
    reply = ask("GET", path, host=host)
    named = {name for name, _ in reply.headers}
    policy = reply.header("content-security-policy")

    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.header("x-content-type-options") == "nosniff"
    assert reply.header("x-frame-options") == "DENY"
    assert reply.header("cross-origin-opener-policy") == "same-origin"
    assert reply.header("cross-origin-resource-policy") == "same-origin"
    assert reply.header("referrer-policy") in ("no-referrer", "same-origin")
    assert named.isdisjoint({"set-cookie", "server", "access-control-allow-origin", "strict-transport-security"})
    if path not in ("/style.css", "/browser.js", "/favicon.svg") or host == "evil.example":
        assert reply.header("cache-control") == "no-store"


@pytest.mark.parametrize("path", ["/", "/cogs", "/cogs/server", "/cogs/diagnosis", "/nothing"])
def test_no_page_needs_scripts_or_anything_from_elsewhere(ask: Ask, path: str) -> None:
    """What is not on the box is not loaded, and nothing on a page runs (S-36, S-37)."""
    page = ask("GET", path).text

    assert "<script" not in page
    assert " style=" not in page
    assert 'src="http' not in page
    assert "@import" not in ask("GET", "/style.css").text
    assert "url(" not in ask("GET", "/style.css").text


@pytest.mark.parametrize("path", ["/", "/cogs", "/cogs/credential", "/cogs/server", "/cogs/diagnosis", "/cogs/log"])
def test_a_page_with_a_form_lets_the_browser_name_its_origin(ask: Ask, path: str) -> None:
    """Under no-referrer a browser would send "Origin: null" with the form, and the form would be refused."""
    reply = ask("GET", path)

    assert (reply.header("referrer-policy") == "same-origin") is ("<form" in reply.text)
