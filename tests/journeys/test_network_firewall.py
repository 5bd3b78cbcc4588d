"""A firewall in the way, for real: rules of nftables on the router between the box and the service (M9)."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.site import SERVICE_NAME
from tests.peers.authority import make_root, make_server, pem, server_file
from tests.peers.https import HttpsPeer
from tests.peers.netns import ROUTER, SERVICE, Host, Site, three_hosts

from lancert.box.client import Client, Hop, Limits, Unreachable
from lancert.box.connecting import unreachable
from lancert.box.facts import Server
from lancert.kit.clock import SystemClock
from lancert.kit.settings import environment_without_settings

HTTPS = "tcp dport 443"
RULES = {
    f"{HTTPS} drop": ("timeout", Hop.CONNECT),
    f"{HTTPS} reject with tcp reset": ("refused", Hop.CONNECT),
    f"{HTTPS} reject": ("forbidden", Hop.CONNECT),
    f"{HTTPS} reject with icmpx admin-prohibited": ("forbidden", Hop.CONNECT),
    f"{HTTPS} reject with icmpx no-route": ("no-route", Hop.CONNECT),
    f"{HTTPS} reject with icmpx host-unreachable": ("no-route", Hop.CONNECT),
    f"{HTTPS} ct original packets > 2 reject with tcp reset": ("broken-off", Hop.TLS),
    f"{HTTPS} ct original packets > 2 drop": ("timeout", Hop.TLS),
}


@pytest.fixture
def site() -> Iterator[Site]:
    """Box, router and service, each on its own host."""
    with three_hosts() as made:
        yield made


def forbid(router: Host, rule: str) -> None:
    """Put one rule before everything the router forwards."""
    router.firewall(f"chain forward {{ type filter hook forward priority 0; {rule}; }}" if rule else "")


@pytest.fixture
def service(site: Site, tmp_path: Path) -> Iterator[HttpsPeer]:
    """Somebody who answers on the port of the service, on its host."""
    root = make_root()
    (tmp_path / "root.pem").write_bytes(pem(root.certificate))
    with site.service.inside():
        peer = HttpsPeer(server_file(tmp_path / "peer.pem", make_server(root, [SERVICE_NAME])), SERVICE, 443)
    with peer:
        yield peer


def _failure(site: Site, host: str) -> Unreachable:
    """Ask from the box, with little patience; the root does not matter, TLS comes after what is tried here."""
    server = Server(url=f"https://[{host}]" if ":" in host else f"https://{host}")
    client = Client(server, [make_root().certificate], SystemClock(), Limits(connect=0.5, handshake=1.0, whole=5.0))
    with site.box.inside(), pytest.raises(Unreachable) as failed:
        asyncio.run(client.get("/healthz"))
    return failed.value


@pytest.mark.promise("M9", "M15")
def test_each_rule_of_a_firewall_has_its_cause_over_both_versions(site: Site, service: HttpsPeer) -> None:
    """M9, F-26: dropped, reset, rejected by ICMP, cut when TLS begins: recognised over IP version 4 and 6."""
    found = {}
    for rule in RULES:
        forbid(site.router, rule)
        found[rule] = [(error.cause, error.hop) for error in (_failure(site, host) for host in SERVICE)]

    assert found == {rule: [expected, expected] for rule, expected in RULES.items()}
    forbid(site.router, "")
    assert _failure(site, SERVICE[0]).cause == "untrusted"


@pytest.mark.promise("M9")
def test_a_firewall_that_rejects_is_named_by_its_address(site: Site, service: HttpsPeer) -> None:
    """M9: whoever sends the ICMP gives itself away, so the right firewall is opened."""
    forbid(site.router, f"{HTTPS} reject with icmpx admin-prohibited")
    for host, router in zip(SERVICE, ROUTER, strict=True):
        error = _failure(site, host)
        told = unreachable(error, Server(url=f"https://{host}"))

        assert error.facts == {"firewall": router}
        assert f"The firewall at {router} forbids connections" in (told.cause_meaning(str) or "")


@pytest.mark.promise("M9")
def test_a_blocked_port_is_told_from_a_network_that_is_down(site: Site, service: HttpsPeer, tmp_path: Path) -> None:
    """M9: the host takes plain HTTP while nothing comes back from the port of the service."""
    with site.service.inside():
        web = HttpsPeer(None, SERVICE, 80)
    with web:
        forbid(site.router, f"{HTTPS} drop")
        error = _failure(site, SERVICE[0])
        assert (error.cause, error.facts) == ("port-blocked", {"port": "443"})
        forbid(site.router, "tcp dport { 80, 443 } drop")
        assert _failure(site, SERVICE[0]).cause == "timeout"
    assert web.requests == []


@pytest.mark.promise("M9")
def test_the_doctor_names_the_firewall_in_words_of_its_own_for_each_rule(
    site: Site, service: HttpsPeer, tmp_path: Path
) -> None:
    """M9: with DNS working, each way of blocking the port is a sentence of its own that speaks of a firewall."""
    site.box.hosts(f"{SERVICE[0]} {SERVICE_NAME}\n127.0.0.1 localhost\n")
    folder = ("--folder", str(tmp_path / "box"))
    environment = environment_without_settings()
    import sys

    python = (sys.executable, "-m", "lancert", "box")
    forbid(site.router, f"{HTTPS} reject with tcp reset")
    connected = (f"https://{SERVICE_NAME}", "--ca", str(tmp_path / "root.pem"), "--contract", "M-1")
    site.box.run(*python, "connect", *folder, *connected, env=environment)
    sentences = {}
    rules = [*RULES][:2] + [*RULES][3:4] + [*RULES][6:7]
    for rule in rules:
        forbid(site.router, rule)
        said = site.box.run(*python, "doctor", *folder, "--json", env=environment, check=False).stdout
        (finding,) = (one for one in json.loads(said) if one["check"] == "service-reachable")
        assert finding["verdict"] == "wrong", finding
        assert "lookup" in finding["facts"]["hops"], finding
        sentences[rule] = " ".join([finding["sentence"], *finding["remedy"]])

    assert len(set(sentences.values())) == len(rules)
    assert [rule for rule, words in sentences.items() if "firewall" not in words] == []
