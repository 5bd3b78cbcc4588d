"""A shop with IP version 6 alone: unique local addresses from the first look-up to the browser's padlock (F-34b)."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.journeys.site import SERVICE_NAME, ZONE, BoxThere, ServiceThere, a_service, page_over_https, until
from tests.peers.authority import make_root
from tests.peers.netns import BOX, SERVICE, Site, three_hosts

from lancert.box.client import Client, Hop, Unreachable
from lancert.box.connecting import unreachable
from lancert.box.facts import Server
from lancert.kit.clock import SystemClock
from lancert.protocol.problems import LOAD_REQUEST_EXCEPTION


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Box, router and service, each on its own host; nobody has an address of version 4."""
    with three_hosts(families=(6,)) as made:
        yield made


@pytest.fixture(scope="module")
def service(site: Site, tmp_path_factory: pytest.TempPathFactory) -> ServiceThere:
    """The service, and its DNS, over version 6."""
    return a_service(site, tmp_path_factory.mktemp("service") / "service", SERVICE[1])


@pytest.fixture(scope="module")
def box(site: Site, service: ServiceThere, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoxThere]:
    """An IoT system that is connected and has its certificate."""
    made = BoxThere(site.box, tmp_path_factory.mktemp("box") / "box")
    made.lancert("box", "connect", "--folder", str(made.folder), service.token())
    made.start().until_state("secure")
    yield made
    made.stop()


@pytest.mark.promise("M6", "M10")
def test_a_site_with_version_6_alone_has_its_lock(site: Site, service: ServiceThere, box: BoxThere) -> None:
    """F-34b: certificate over version 6, a URL with the unique local address, HTTPS by name, HTTP by address."""
    status = box.status()
    label = str(status["stable_url"]).split("//")[1].split(".")[0]
    name = f"fd12-3456-0-1-0-0-0-5.{label}.{ZONE}"

    assert status["url"] == f"https://{name}/"
    assert [way["address"] for way in status["urls"]] == [BOX[1]]
    assert page_over_https(site.router, BOX[1], name, service.root)[0] == 200
    answer = site.router.run("curl", "--silent", "--globoff", "--output", "/dev/null", "--write-out", "%{http_code}",
                             f"http://[{BOX[1]}]/")  # fmt: skip
    assert answer.stdout == "200"
    until(lambda: box.status()["urls"][0]["https_answers"], "its own HTTPS")


@pytest.mark.promise("M6")
def test_the_names_of_the_site_lead_to_the_box_over_version_6(site: Site, service: ServiceThere, box: BoxThere) -> None:
    """F-34b: the zone's DNS, asked over version 6, answers the address name and the stable name with AAAA."""
    names = [str(box.status()[key]).split("//")[1].strip("/") for key in ("url", "stable_url")]

    def answers() -> list[str]:
        ask = ("dig", "+short", "+time=2", "+tries=1", f"@{SERVICE[1]}", "AAAA")
        return [site.router.run(*ask, name).stdout.strip() for name in names]

    until(lambda: answers() == [BOX[1], BOX[1]], "both names")


def test_the_doctor_finds_such_a_site_healthy(box: BoxThere) -> None:
    """F-34b: every check that does not need version 4 is fine."""
    said = box.lancert("box", "doctor", "--folder", str(box.folder), check=False).stdout

    wrong = [line for line in said.splitlines() if line.startswith("✗")]
    assert wrong == [], said


@pytest.mark.promise("M15")
def test_a_service_of_version_4_alone_is_told_where_nothing_translates(site: Site) -> None:
    """F-34b: without NAT64 there is no way to it; the cause says which version is missing, and what helps."""
    server = Server(url=f"https://{SERVICE[0]}")
    with site.box.inside(), pytest.raises(Unreachable) as failed:
        asyncio.run(Client(server, [make_root().certificate], SystemClock()).get("/healthz"))

    told = unreachable(failed.value, server)
    assert (failed.value.cause, failed.value.hop) == ("other-ip-version", Hop.CONNECT)
    assert told.cause_meaning(str) == (
        f"https://{SERVICE[0]} has addresses of IP version 4 only, and this network has version 6 only."
    )
    assert "NAT64" in " ".join(told.remedy(str))
    assert told.problem is LOAD_REQUEST_EXCEPTION


def test_a_narrow_link_whose_icmp_is_blocked_does_not_stop_the_box(
    site: Site, service: ServiceThere, box: BoxThere
) -> None:
    """F-34b: 1280 bytes on the way and nobody may say so: what the box sends and asks for fits without being told."""
    sized = f"https://{SERVICE_NAME}/openapi.json"
    fetch = ("curl", "--silent", "--show-error", "--max-time", "3", "--cacert", str(service.root), sized)
    assert site.box.run(*fetch).stdout
    # Neither end learns of the narrow link: its ICMP (packet too big, RFC 4443, 3.2) gets nowhere.
    site.router.sh("ip link set wan mtu 1280; ip link set lan mtu 1280")
    site.router.firewall(
        "chain out { type filter hook output priority 0; icmpv6 type packet-too-big drop; }\n"
        "chain on { type filter hook forward priority 0; icmpv6 type packet-too-big drop; }"
    )
    try:
        other_program = site.box.run(*fetch, check=False)
        box.lancert("box", "connect", "--folder", str(box.folder), service.token())
        tries = box.tries()
        until(lambda: box.tries() > tries and box.status()["state"] == "secure", "a certificate for another contract")
    finally:
        site.router.firewall("")
        site.router.sh("ip link set wan mtu 1500; ip link set lan mtu 1500")

    assert other_program.returncode == 28, "large packets got through: this showed nothing"
    assert box.status()["problems"] == []
