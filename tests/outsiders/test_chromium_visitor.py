"""What a visitor's own browser sees of the secure address, for real: Chromium behind dnsmasq and nftables.

The visitor, the box and the service are hosts of their own; the router's DNS filters or not, its firewall stops or
not, and the browser trusts the root or not. The homepage is opened by IP address and has to say the right thing.
"""

import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, Route, expect, sync_playwright
from tests.journeys.site import ZONE, BoxThere, ServiceThere, a_service, until
from tests.outsiders.browsing import PATIENCE, Tool, Visitor, launch
from tests.peers.netns import BOX, SERVICE, Host, Site, three_hosts

from lancert.box.homepage import drawing
from lancert.protocol.names import CANARY_ADDRESSES

ROUTER, VISITOR = "192.168.2.1", "192.168.2.77"
HOMEPAGE = f"http://{BOX[0]}/"
NORMAL_RUNS = 20

CANARY = CANARY_ADDRESSES[0]

FORWARD = f"--server=/{ZONE}/{SERVICE[0]}"
FILTER = "--stop-dns-rebind"
ALLOWED = f"--rebind-domain-ok=/{ZONE}/"
HIDE_ZONE = f"--local=/{ZONE}/"
NOBODY = "198.51.100.99"


@dataclass(kw_only=True)
class Shop:
    """The shop's network with a visitor in it."""

    site: Site
    visitor: Host
    box: BoxThere
    root: Path
    dnsmasq: str
    name_server: "subprocess.Popen[Any] | None" = None

    def resolve(self, *options: str) -> None:
        """Have the router's DNS answer in another way from now on."""
        if self.name_server is not None:
            self.name_server.terminate()
            self.name_server.wait(10)
        self.name_server = self.site.router.start(
            *(self.dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"),
            *("--port=53", f"--listen-address={ROUTER}", "--bind-interfaces", "--cache-size=0", "--pid-file="),
            *("--user=root", *options),
        )
        until(self._is_answered, "the router's DNS")

    def _is_answered(self) -> bool:
        assert self.name_server is not None
        assert self.name_server.poll() is None
        with self.visitor.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.2)
            asker.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\1x\7invalid\0\0\1\0\1", (ROUTER, 53))
            return bool(asker.recv(512))

    def forbid(self, rule: str) -> None:
        """Put one rule before everything the router forwards."""
        self.site.router.firewall(f"chain forward {{ type filter hook forward priority 0; {rule}; }}" if rule else "")


@pytest.fixture(scope="module")
def shop(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A box with its certificate, a router, and a visitor in another network of the same shop."""
    folder = tmp_path_factory.mktemp("shop")
    with three_hosts([4]) as site:
        visitor = site.network.host("visitor")
        site.network.cable(visitor, "eth0", site.router, "guests")
        site.router.sh(f"ip addr add {ROUTER}/24 dev guests\nip route add default via {SERVICE[0]}")
        visitor.sh(f"ip addr add {VISITOR}/24 dev eth0\nip route add default via {ROUTER}")
        visitor.resolv_conf(f"nameserver {ROUTER}\noptions timeout:2 attempts:1\n")
        service: ServiceThere = a_service(site, folder / "service")
        box = BoxThere(site.box, folder / "box")
        box.lancert("box", "connect", "--folder", str(box.folder), service.token())
        box.start().until_state("secure")
        yield Shop(site=site, visitor=visitor, box=box, root=service.root, dnsmasq=tool("dnsmasq"))


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives the browser."""
    with sync_playwright() as started:
        yield started


Start = Callable[..., Browser]


@pytest.fixture
def chromium(playwright: Playwright, tool: Tool, shop: Shop, tmp_path: Path) -> Iterator[Start]:
    """Start browsers on the visitor's host; what one browser remembers of names the next does not know."""
    there = tmp_path / "chromium"
    there.write_text(f'#!/bin/sh\nexec {" ".join(shop.visitor.prefix)} {tool("chromium")} "$@"\n')
    there.chmod(there.stat().st_mode | stat.S_IXUSR)
    started: list[Browser] = []

    def start(*roots: Path) -> Browser:
        home = tmp_path / f"home{len(started)}"
        started.append(launch(playwright, tool, home, roots, executable=str(there)))
        return started[-1]

    yield start
    shop.forbid("")
    for browser in started:
        browser.close()


def verdict(page: Page) -> str:
    """Wait for what the page says in the end."""
    place = page.locator("#browser")
    expect(place).not_to_have_attribute("data-shown", "trying", timeout=PATIENCE)
    shown = place.get_attribute("data-shown")
    assert shown is not None
    expect(place.locator(f"[data-verdict={shown}]")).to_be_visible()
    assert place.locator("[data-verdict]:visible").count() == 1
    return shown


@pytest.mark.promise("M10")
@pytest.mark.parametrize(
    ("resolving", "rule", "trusted", "expected"),
    [
        ((FORWARD,), "", True, "fine"),
        ((FORWARD, FILTER, ALLOWED), "", True, "fine"),
        ((FORWARD, FILTER), f"ip daddr {CANARY} drop", True, "filtered"),
        ((FORWARD, FILTER), f"ip daddr {CANARY} reject", True, "not-found"),
        ((HIDE_ZONE,), "", True, "not-found"),
        ((f"--address=/{ZONE}/{NOBODY}",), f"ip daddr {NOBODY} drop", True, "silent"),
        ((FORWARD,), "", False, "untrusted"),
        ((FORWARD,), "tcp dport 443 drop", True, "closed"),
        ((FORWARD,), "tcp dport 443 reject with tcp reset", True, "closed"),
        ((FORWARD,), "tcp dport 443 ct original packets > 2 reject with tcp reset", True, "cut"),
    ],
    ids=[
        "all is well",
        "the filter knows the zone",
        "the router hides private answers",
        "the router hides private answers and nothing is sent to the canary",
        "the router hides the zone",
        "the name leads to nobody",
        "the root is not trusted",
        "HTTPS is dropped",
        "HTTPS is rejected",
        "HTTPS is cut",
    ],
)
def test_the_page_says_what_this_browser_saw(
    shop: Shop, chromium: Start, resolving: tuple[str, ...], rule: str, trusted: bool, expected: str
) -> None:
    """From where the visitor sits: fine, hidden by the router, stopped by a firewall, or not trusted (F-43)."""
    shop.resolve(*resolving)
    shop.forbid(rule)
    visitor = Visitor(chromium(*([shop.root] if trusted else [])).new_context(locale="en-GB"))
    visitor.page.goto(HOMEPAGE)

    assert verdict(visitor.page) == expected
    assert strangers(visitor) == set()
    assert complaints(visitor) == []


def test_what_this_browser_saw_is_right_every_time(shop: Shop, chromium: Start) -> None:
    """Nobody is sent to the router for nothing: no false alarm, by IP address and with a new connection (F-44)."""
    shop.resolve(FORWARD)
    browser = chromium(shop.root)
    visitor = Visitor(browser.new_context(locale="en-GB"))
    seen = []
    for _ in range(NORMAL_RUNS):
        visitor.page.goto(HOMEPAGE)
        seen.append(verdict(visitor.page))

    assert seen == ["fine"] * NORMAL_RUNS
    assert complaints(visitor) == []


def test_a_box_that_went_away_is_not_blamed_on_the_router(shop: Shop, chromium: Start) -> None:
    """When even the IP address answers no more, the page says that."""
    shop.resolve(FORWARD)
    page = Visitor(chromium(shop.root).new_context(locale="en-GB")).page

    def go_away(route: Route) -> None:
        shop.forbid(f"ip daddr {BOX[0]} reject")
        route.fulfill(body=drawing.picture("browser.js").body.decode(), content_type="text/javascript")

    page.route("**/browser.js*", go_away)
    page.goto(HOMEPAGE)

    assert verdict(page) == "gone"


@pytest.mark.promise("M10")
def test_without_scripts_the_page_says_how_to_try_by_hand(shop: Shop, chromium: Start) -> None:
    """The link to try, and what each way of failing means; every link of it leads somewhere."""
    shop.resolve(FORWARD)
    visitor = Visitor(chromium(shop.root).new_context(locale="en-GB", java_script_enabled=False))
    page = visitor.page
    page.goto(HOMEPAGE)
    place = page.locator("#browser")
    expect(place.locator("[data-verdict]:visible")).to_have_count(1)
    place.get_by_text("It does not open, or there is a warning").click()
    expect(place.get_by_text("The name is not found:")).to_be_visible()
    place.get_by_role("link", name="Router").click()
    page.get_by_text("OpenWrt").click()
    expect(page.get_by_text(f"uci add_list dhcp.@dnsmasq[0].rebind_domain='{ZONE}'")).to_be_visible()
    page.get_by_role("link", name="Homepage").click()
    place.get_by_role("link", name="secure address").first.click()
    expect(page.get_by_role("heading", name="Secure", exact=True)).to_be_visible()

    # Who came by the name has nothing left to try.
    assert page.url.startswith("https://")
    assert page.locator(".browser").count() == 0
    assert complaints(visitor) == []


@pytest.mark.promise("M10")
def test_who_is_told_that_the_router_hides_the_name_finds_what_to_change(shop: Shop, chromium: Start) -> None:
    """One click leads to what to type on which router, for this very zone, and it is true: it cures."""
    shop.resolve(FORWARD, FILTER)
    shop.forbid(f"ip daddr {CANARY} reject")
    page = Visitor(chromium(shop.root).new_context(locale="en-GB")).page
    page.goto(HOMEPAGE)
    assert verdict(page) == "not-found"
    page.get_by_role("link", name="what to type on which router").locator("visible=true").click()
    page.get_by_text("dnsmasq, DD-WRT, FreshTomato").click()
    typed = page.locator("#dnsmasq pre").inner_text()

    shop.resolve(FORWARD, FILTER, f"--{typed}")
    cured = Visitor(chromium(shop.root).new_context(locale="en-GB")).page
    cured.goto(HOMEPAGE)
    assert verdict(cured) == "fine"


def test_a_page_of_a_stranger_learns_nothing_from_the_door(shop: Shop, chromium: Start) -> None:
    """Only pages of this box read what it saw of a visitor; another host of the same network does not (S-20, S-25)."""
    shop.resolve(FORWARD, f"--address=/stranger.example/{BOX[0]}")
    with shop.visitor.inside():
        stranger = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    thread = threading.Thread(target=stranger.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        context = chromium(shop.root).new_context(locale="en-GB")
        elsewhere, rebound, own = (Visitor(context).page for _ in range(3))
        elsewhere.goto(f"http://127.0.0.1:{stranger.server_port}/")
        own.goto(HOMEPAGE)
        read = "url => fetch(url).then(answer => answer.status + ' ' + answer.type, () => 'nothing')"

        assert elsewhere.evaluate(read, f"{HOMEPAGE}door.json") == "nothing"
        with pytest.raises(Error, match="ERR_HTTP_RESPONSE_CODE_FAILURE"):
            rebound.goto("http://stranger.example/")
        assert own.evaluate(read, f"{HOMEPAGE}door.json") == "200 basic"
    finally:
        stranger.shutdown()
        thread.join(10)
        stranger.server_close()


class _Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def strangers(visitor: Visitor) -> set[str]:
    """Give whom the pages asked beyond the box and the canary."""
    return {host for host in visitor.hosts if host != BOX[0] and not host.endswith(f".{ZONE}")}


def complaints(visitor: Visitor) -> list[str]:
    """Give what Chromium said beyond what is meant: requests that fail, and a header that counts over HTTPS only.

    A breach of the content security policy would be left.
    """
    meant = ("Failed to load resource: net::ERR_", "The Cross-Origin-Opener-Policy header has been ignored")
    return [said for said in visitor.complaints if not said.startswith(meant)]
