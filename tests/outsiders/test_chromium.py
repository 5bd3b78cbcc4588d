"""A browser before the homepage: Chromium, which trusts nothing but the root of the service.

Every page a test opens is watched: whatever the page asks for beyond the IoT system itself, and whatever Chromium
complains about on its console (a breach of the content security policy above all), fails the test.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Playwright, expect, sync_playwright
from tests.journeys.world import Box, Service, lancert
from tests.outsiders.browsing import PATIENCE, Tool, Visitor, launch

NewBox = Callable[[], Box]

NO_RESULT = "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT"
PAGES = (
    "/",
    "/cogs",
    "/cogs/credential",
    "/cogs/server",
    "/cogs/diagnosis",
    "/cogs/log",
    "/cogs/log-level",
    "/cogs/routers",
)
PHONE = {"width": 360, "height": 740}


class ServerFiles(Protocol):
    """What a TLS server is configured with, as conftest writes it."""

    @property
    def names(self) -> tuple[str, ...]: ...


class Served(Protocol):
    """A running HTTPS server of conftest."""

    @property
    def port(self) -> int: ...


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives the browser."""
    with sync_playwright() as started:
        yield started


Start = Callable[..., Browser]


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start browsers that trust these roots beyond those they bring along; all end with the file."""
    started: list[Browser] = []

    def start(*roots: Path, more: tuple[str, ...] = ()) -> Browser:
        started.append(launch(playwright, tool, tmp_path_factory.mktemp("home"), roots, more))
        return started[-1]

    yield start
    for browser in started:
        browser.close()


@pytest.fixture(scope="module")
def browser(chromium: Start, service: Service) -> Browser:
    """A browser that trusts the root of the service."""
    return chromium(service.root)


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open the browser for somebody; at the end, no page may have called a stranger or complained."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        contexts.append(browser.new_context(locale="en-GB", **options))
        visitors.append(Visitor(contexts[-1]))
        return visitors[-1]

    yield make
    for context in contexts:
        context.close()
    for visitor in visitors:
        assert all(host == "127.0.0.1" or host.endswith(".lancert.localhost") for host in visitor.hosts), visitor.hosts
        assert visitor.complaints == []


def http_url(box: Box) -> str:
    return f"http://127.0.0.1:{box.ports['http']}"


def refusal(browser: Browser, url: str) -> str:
    """Give the code with which the browser refuses to open a URL."""
    page = browser.new_page()
    try:
        page.goto(url)
    except Error as error:
        found = re.search(r"net::(ERR_\w+)", error.message)
        assert found is not None, error.message
        return found.group(1)
    finally:
        page.close()
    raise AssertionError(f"{url} was opened")


@pytest.fixture(scope="module")
def secure(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """An IoT system with its certificate, for tests that change nothing of it."""
    box = Box(tmp_path_factory.mktemp("secure") / "box").connect(service.shop()).start()
    box.until_state("secure")
    yield box
    box.stop()


@pytest.mark.promise("M1", "M6")
def test_chromium_shows_the_lock(visit: Visit, secure: Box) -> None:
    """The homepage opens by name: no warning, a verified chain, nothing insecure on the page."""
    visitor = visit()

    seen = visitor.security(secure.status()["url"])

    assert seen["securityState"] == "secure"
    assert seen["certificateSecurityState"]["protocol"] == "TLS 1.3"
    assert not seen["certificateSecurityState"].get("certificateNetworkError")
    assert len(seen["certificateSecurityState"]["certificate"]) >= 2
    expect(visitor.page.get_by_role("heading", name="Secure", exact=True)).to_be_visible()


@pytest.mark.promise("M6")
def test_one_click_leads_from_the_address_to_the_lock(visit: Visit, secure: Box) -> None:
    """Opened by IP address, the homepage shows its secure address as a link; the bookmark link works too."""
    for url in (secure.status()["url"], secure.status()["stable_url"]):
        visitor = visit()
        visitor.page.goto(http_url(secure))
        expect(visitor.page.get_by_alt_text("QR code of the secure address")).to_be_visible()

        visitor.page.locator(f'a[href="{url}"]').first.click()

        expect(visitor.page).to_have_url(url)
        expect(visitor.page.get_by_role("heading", name="Secure", exact=True)).to_be_visible()


def test_without_the_root_chromium_refuses_the_same_page(chromium: Start, secure: Box) -> None:
    """The control: only the root in its database made the browser accept the chain."""
    stranger = chromium()

    assert refusal(stranger, secure.status()["url"]) == "ERR_CERT_AUTHORITY_INVALID"


def test_the_name_of_another_iot_system_is_refused(browser: Browser, secure: Box) -> None:
    """The certificate is good for the names of this IoT system and no other's."""
    other = f"https://127-0-0-1.aaaaaaaaaaaaaaaa.lancert.localhost:{secure.ports['https']}/"

    assert refusal(browser, other) == "ERR_CERT_COMMON_NAME_INVALID"


def test_the_stop_gap_is_trusted_by_nobody(browser: Browser, new_box: NewBox) -> None:
    """Before the first certificate the HTTPS port answers, after a warning that nothing of ours switches off."""
    box = new_box().start()

    assert refusal(browser, f"https://localhost:{box.ports['https']}/") == "ERR_CERT_AUTHORITY_INVALID"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("google.com", "ERR_CERT_INVALID"),
        ("www.iot.example.com", None),
        ("iot.example.com.example.net", "ERR_CERT_INVALID"),
    ],
)
def test_what_a_thief_of_the_issuing_key_can_show_to_chromium(
    chromium: Start,
    root_file: Path,
    stolen_leaf: Callable[..., ServerFiles],
    serve: Callable[[ServerFiles], Served],
    name: str,
    code: str | None,
) -> None:
    """A leaf for google.com is refused although the root is trusted; for the zone it is accepted (T-24, F-78)."""
    served = serve(stolen_leaf(name))
    robbed = chromium(root_file, more=(f"--host-resolver-rules=MAP {name} 127.0.0.1",))
    url = f"https://{name}:{served.port}/"

    if code is not None:
        assert refusal(robbed, url) == code
    else:
        page = robbed.new_page()
        answer = page.goto(url)
        assert answer is not None
        assert answer.text() == "hello"


@pytest.mark.promise("M7")
def test_everything_behind_the_cogs_is_a_click_away(visit: Visit, secure: Box) -> None:
    """Home, cogs, the banner with both dates, each page and back again, all of it with the lock."""
    page = visit().page
    url = secure.status()["url"]
    page.goto(url)

    page.get_by_role("link", name="Cogs").click()
    expect(page.get_by_text("Valid from")).to_be_visible()
    expect(page.get_by_text("Valid until")).to_be_visible()
    for name in ("Credential", "Server", "Diagnosis", "Log"):
        page.get_by_role("navigation", name="Settings").get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
        page.get_by_role("link", name="Settings").click()
    expect(page.get_by_label("What is recorded")).to_be_visible()
    page.get_by_role("link", name="Homepage").click()

    expect(page).to_have_url(url)


@pytest.mark.promise("M11")
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_owner_connects_and_changes_the_credential_in_the_browser(
    visit: Visit, service: Service, new_box: NewBox, scripts: bool
) -> None:
    """From a new IoT system to the lock, and to another database, by clicks alone; a wrong PIN changes nothing."""
    first, second = service.shop(), service.shop()
    box = new_box().start()
    pin = box.pin()
    page = visit(java_script_enabled=scripts).page
    page.goto(http_url(box))
    page.get_by_role("link", name="Connect to a server").click()
    page.get_by_role("textbox", name="Connection token").fill(first.token())
    page.get_by_label("PIN of this IoT system").first.fill(pin)
    page.get_by_role("button", name="Connect").first.click()
    expect(page.get_by_text("The server is saved.")).to_be_visible()
    # The page reloads itself until it is done.
    expect(page.get_by_role("heading", name="Secure", exact=True)).to_be_visible(timeout=PATIENCE)

    page.get_by_role("link", name="Cogs").click()
    page.get_by_role("link", name="Credential").click()
    page.get_by_role("link", name="Open this page over HTTPS").click()
    page.get_by_role("textbox", name="Contract").fill(second.contract)
    page.get_by_role("textbox", name="Database UUID").fill(second.database)
    page.get_by_label("PIN of this IoT system").fill("000 000 0000")
    page.get_by_role("button", name="Save the credential").click()
    expect(page.get_by_text("This is not the PIN of this IoT system.")).to_be_visible()
    assert box.tries() == 1
    page.get_by_label("PIN of this IoT system").fill(pin)
    page.get_by_role("button", name="Save the credential").click()

    expect(page.get_by_text("The credential is saved.")).to_be_visible()
    expect(page.get_by_role("heading", name="Secure", exact=True)).to_be_visible(timeout=PATIENCE)
    box.until_state("secure")
    (seen,) = [one for one in service.admin("box", "list") if one["label"] in box.status()["url"]]
    assert (seen["contract"], seen["database"]) == (second.contract, second.database)


@pytest.mark.promise("M18")
def test_diagnosis_and_log_work_without_scripts(visit: Visit, secure: Box) -> None:
    """The forms that look deeper are plain forms."""
    pin = secure.pin()
    page = visit(java_script_enabled=False).page
    page.goto(secure.status()["url"] + "cogs/diagnosis")

    page.get_by_role("button", name="Run the diagnosis").click()
    expect(page.get_by_role("heading", name="No step fails")).to_be_visible(timeout=PATIENCE)

    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Log", exact=False).last.click()
    page.get_by_label("PIN of this IoT system").fill(pin)
    page.get_by_role("button", name="Show the last").click()
    expect(page.get_by_text("certificate installed")).to_be_visible()
    page.go_back()
    page.get_by_label("PIN of this IoT system").fill(pin)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the log").click()
    assert "certificate installed" in Path(download.value.path()).read_text(encoding="utf-8")


def _not_connected(service: Service, box: Box) -> None:
    box.start()


def _refused(service: Service, box: Box) -> None:
    box.connect(service.shop(environment="staging", status="paused", quantity=None)).start()
    box.until_problem(NO_RESULT, "refused")


def _without_credential(service: Service, box: Box) -> None:
    lancert("box", "connect", "--folder", str(box.folder), service.url, "--ca", str(service.root))
    box.start().until_problem("ERR_IOT_HTTPS_LOAD_NO_CREDENTIAL", "both")


def _unreachable(service: Service, box: Box) -> None:
    long = "a-service-with-a-name-as-long-as-names-can-be-in-one-label.lancert.localhost:9"
    box.connect_to(f"https://{long}", service.root).start()
    box.until_problem("ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION", "refused")


def _secure(service: Service, box: Box) -> None:
    box.connect(service.shop()).start().until_state("secure")


def _needs_attention(service: Service, box: Box) -> None:
    shop = service.shop()
    box.connect(shop).start().until_state("secure")
    service.admin("subscription", "set", shop.subscription, "--status", "paused")
    lancert("box", "renew", "--folder", str(box.folder))
    box.until_problem(NO_RESULT, "refused")


STATES: dict[str, Callable[[Service, Box], None]] = {
    "not-connected": _not_connected,
    "blocked by a refusal": _refused,
    "blocked by the credential": _without_credential,
    "blocked by the network": _unreachable,
    "secure": _secure,
    "attention": _needs_attention,
}


@pytest.mark.promise("M10")
@pytest.mark.parametrize("state", STATES)
def test_no_page_scrolls_sideways_on_a_small_phone(visit: Visit, service: Service, new_box: NewBox, state: str) -> None:
    """360 pixels are enough for every page in every state, by IP address and, once there is a lock, by name."""
    box = new_box()
    STATES[state](service, box)
    visitor = visit(viewport=PHONE)
    doors = [http_url(box), *([box.status()["url"].rstrip("/")] if state in ("secure", "attention") else [])]

    too_wide = {}
    for door in doors:
        for path in PAGES:
            answer = visitor.page.goto(door + path)
            assert answer is not None
            assert answer.status == 200
            visitor.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            visitor.page.evaluate("document.querySelectorAll('[data-verdict]').forEach(one => one.hidden = false)")
            too_wide[door + path] = visitor.sideways()
    visitor.page.goto(doors[-1] + "/cogs/diagnosis")
    visitor.page.get_by_role("button", name="Run the diagnosis").click()
    expect(visitor.page.locator(".findings").first).to_be_visible(timeout=PATIENCE)
    visitor.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    too_wide["diagnosis"] = visitor.sideways()
    overhang = visitor.page.evaluate(
        "[...document.querySelectorAll('.card *')].filter(e => {"
        " const card = e.closest('.card').getBoundingClientRect();"
        " return e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display !== 'inline'"
        " || e.getBoundingClientRect().right > card.right + 1; }).map(e => e.outerHTML.slice(0, 120))"
    )

    assert {where: by for where, by in too_wide.items() if by > 0} == {}
    assert overhang == []
