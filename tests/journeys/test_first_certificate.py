"""The product page, first half: the certificate is generated automatically, and the lock is there."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from tests.journeys.world import Box, Service, strict_connection


@pytest.mark.promise("M1", "M2", "M3", "M6")
def test_an_iot_system_gets_its_certificate_by_itself(service: Service, new_box: Callable[[], Box]) -> None:
    """Once it is connected, nobody runs a command: the URL is there and a payment terminal accepts it."""
    box = new_box().connect(service.shop()).start()

    status = box.until_state("secure")

    url = urlsplit(status["url"])
    assert re.fullmatch(r"127-0-0-1\.[a-z2-7]{16}\.lancert\.localhost", url.hostname or "")
    with strict_connection(box, url.hostname or "", service.root) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n".encode())
        assert tls.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.promise("M2")
def test_a_box_that_runs_already_notices_that_it_was_connected(service: Service, new_box: Callable[[], Box]) -> None:
    """The agent starts first, the owner connects it later: the certificate comes without a restart."""
    box = new_box().start()
    assert box.status()["state"] == "not-connected"

    box.connect(service.shop())

    box.until_state("secure")


@pytest.mark.promise("M2")
def test_a_restart_serves_the_stored_certificate_at_once_and_asks_for_no_other(
    own_service: Service, new_box: Callable[[], Box]
) -> None:
    """After a restart the lock is back before anybody was asked, even when the service is away (S-16)."""
    box = new_box().connect(own_service.shop()).start()
    before = box.until_state("secure")
    own_service.stop()

    box.restart()

    assert box.status()["state"] == "secure"
    assert box.status()["certificate"] == before["certificate"]
    assert box.tries() == 1


@pytest.mark.promise("M7")
def test_the_banner_shows_the_validity_period_behind_the_cogs(service: Service, new_box: Callable[[], Box]) -> None:
    """The homepage leads to the cogs, and there both dates of the certificate are shown."""
    box = new_box().connect(service.shop()).start()
    status = box.until_state("secure")

    _, home = box.get("/")
    _, cogs = box.get("/cogs")

    assert 'href="/cogs"' in home
    for moment in (status["certificate"]["not_before"], status["certificate"]["not_after"]):
        year, month, day = moment[:10].split("-")
        assert re.search(rf"\b{int(day)} \w+ {year}", cogs), (moment, month)


@pytest.mark.promise("M6")
def test_the_stable_name_answers_the_address_the_box_reported(service: Service, new_box: Callable[[], Box]) -> None:
    """The link for bookmarks leads to the box as soon as it has reported, asked of the zone's own DNS."""
    import asyncio

    from tests.journeys.world import until

    from lancert.dns.question import NotAnswered, addresses_of

    box = new_box().connect(service.shop()).start()
    name = urlsplit(box.until_state("secure")["stable_url"]).hostname or ""

    def answered() -> list[str]:
        try:
            found = asyncio.run(addresses_of(name, "127.0.0.1", service.facts["dns_port"]))
        except NotAnswered:
            return []
        return [str(address) for address in found]

    assert until(answered, "the stable name") == ["127.0.0.1"]


def test_asking_anew_gives_a_new_certificate_and_the_old_one_until_then(
    service: Service, new_box: Callable[[], Box]
) -> None:
    """“lancert box renew” brings another certificate without a restart."""
    from tests.journeys.world import lancert, until

    box = new_box().connect(service.shop()).start()
    url = urlsplit(box.until_state("secure")["url"])

    def serial() -> object:
        with strict_connection(box, url.hostname or "", service.root) as tls:
            return (tls.getpeercert() or {}).get("serialNumber")

    first = serial()
    lancert("box", "renew", "--folder", str(box.folder))

    assert until(lambda: serial() != first, "a new certificate")
    assert box.status()["state"] == "secure"


@pytest.mark.promise("M19")
def test_a_virtual_iot_system_gets_its_certificate_the_same_way(service: Service, new_box: Callable[..., Box]) -> None:
    """The other kind of IoT system differs in its name on the screens and in nothing else."""
    box = new_box({"LANCERT_BOX_KIND": "virtual"}).connect(service.shop()).start()

    assert box.until_state("secure")["kind"] == "virtual"
    assert "Virtual IoT system" in box.get("/")[1]
