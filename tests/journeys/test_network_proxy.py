"""A shop whose only way out is a proxy: set in box.toml, with a password that nobody else learns (F-34b)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.site import SERVICE_NAME, BoxThere, ServiceThere, a_service
from tests.peers.netns import ROUTER, SERVICE, Site, three_hosts
from tests.peers.proxy import ConnectProxy

PROXY = f"{ROUTER[0]}:3128"
CANARY = "canary-of-the-proxy"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Box, router and service; the router forwards nothing to the service's port, its proxy does."""
    with three_hosts(families=(4,)) as made:
        yield made


@pytest.fixture(scope="module")
def service(site: Site, tmp_path_factory: pytest.TempPathFactory) -> ServiceThere:
    """The service, which the box can ask for names but not reach."""
    made = a_service(site, tmp_path_factory.mktemp("service") / "service")
    site.router.firewall("chain f { type filter hook forward priority 0; tcp dport { 80, 443 } drop; }")
    return made


@pytest.fixture(scope="module")
def token(service: ServiceThere) -> str:
    """A shop's connection token."""
    return service.token()


@pytest.fixture
def proxy(site: Site, service: ServiceThere) -> Iterator[ConnectProxy]:
    """The proxy of the network, which wants a name and a password."""
    with site.router.inside():
        made = ConnectProxy("0.0.0.0", 3128, leads_to=SERVICE[0])
        made.wants = ("shop", CANARY)
        made.__enter__()
    yield made
    made.__exit__(None, None, None)


def _box(site: Site, folder: Path, setting: str) -> BoxThere:
    folder.mkdir(mode=0o700)
    (folder / "box.toml").write_text(f'proxy = "{setting}"\n')
    return BoxThere(site.box, folder)


def _finding(box: BoxThere) -> dict[str, Any]:
    said = box.lancert("box", "doctor", "--folder", str(box.folder), "--json", check=False).stdout
    (found,) = (one for one in json.loads(said) if one["check"] == "service-reachable")
    return dict(found)


@pytest.mark.promise("M2", "M3")
def test_a_certificate_comes_through_a_proxy_that_wants_a_password(
    site: Site, service: ServiceThere, token: str, proxy: ConnectProxy, tmp_path: Path
) -> None:
    """F-34b, S-95: everything goes through it, the doctor names it as a hop, and its password is nowhere to be read."""
    box = _box(site, tmp_path / "box", f"http://shop:{CANARY}@{PROXY}")
    box.lancert("box", "connect", "--folder", str(box.folder), token)
    box.start()
    try:
        status = box.until_state("secure")
        finding = _finding(box)
        bundle = tmp_path / "bundle.zip"
        box.lancert("box", "logs", "--folder", str(box.folder), "--bundle", str(bundle))
        page = box.get("/")[1]
    finally:
        box.stop()

    assert set(proxy.asked_for) == {f"{SERVICE_NAME}:443"}
    assert finding["verdict"] == "fine"
    assert PROXY in finding["sentence"]
    assert "; proxy " in finding["facts"]["hops"]
    told = json.dumps([status, finding, box.log()]) + page + _unzipped(bundle)
    assert CANARY not in told


@pytest.mark.promise("M9", "M15")
@pytest.mark.parametrize(
    ("setting", "cause", "step"),
    [
        (f"http://shop:wrong-{CANARY}@{PROXY}", "proxy-sign-in", "3 of 5"),
        (f"http://{PROXY}", "proxy-sign-in", "3 of 5"),
        (f"http://{ROUTER[0]}:3129", "proxy-unreachable", "2 of 5"),
    ],
)
def test_a_proxy_that_does_not_help_is_named_with_its_hop(
    site: Site, token: str, proxy: ConnectProxy, tmp_path: Path, setting: str, cause: str, step: str
) -> None:
    """F-34b, M9: 407 and silence are told of the proxy, with its address, and not of the service."""
    box = _box(site, tmp_path / "box", setting)

    refused = box.lancert("box", "connect", "--folder", str(box.folder), token, check=False)

    address = setting.rpartition("/")[2].rpartition("@")[2]
    assert refused.returncode != 0
    assert address in refused.stderr
    assert CANARY not in refused.stdout + refused.stderr
    connect = ("box", "connect", "--folder", str(box.folder), f"https://{SERVICE_NAME}", "--contract", "M-1")
    box.lancert(*connect, "--database", "0f8fad5b-d9cb-469f-a165-70867728950e")
    finding = _finding(box)
    assert (finding["because"], step in finding["sentence"]) == (cause, True), finding
    assert address in finding["sentence"]
    assert CANARY not in json.dumps(finding)


def _unzipped(bundle: Path) -> str:
    import zipfile

    with zipfile.ZipFile(bundle) as opened:
        return "".join(opened.read(name).decode(errors="replace") for name in opened.namelist())
