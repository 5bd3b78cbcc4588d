"""A disk that is full or can only be read: the shop keeps its lock, reads why, and goes on by itself afterwards."""

import contextlib
import json
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from tests.journeys.world import Box, Program, Service, Shop, lancert, strict_connection, until
from tests.peers.small_disk import SmallDisk, let_it_write, on_a_read_only_disk, on_a_small_disk

PREFIX = "ERR_IOT_HTTPS_"


class BoxOnDisk(Box):
    """An IoT system whose folder lies on a small disk of its own."""

    def __init__(self, place: Path, unshare: str, options: str) -> None:
        self._place = place
        self._command = on_a_small_disk(unshare, place, options)
        super().__init__(place / "box")
        self.disk: SmallDisk

    def start(self) -> "BoxOnDisk":
        """Start the agent on a new disk and wait until its homepage is served."""
        self.program = Program(
            self._place.with_suffix(".out"),
            *("box", "run", "--folder", str(self._place / "box"), "--listen", "127.0.0.1", "--address", "127.0.0.1"),
            *("--http-port", "0", "--https-port", "0", "--name", "till"),
            before=self._command,
        )
        program = self.program
        self.disk = SmallDisk(program.process.pid, self._place)
        self.folder = self.disk.path / "box"

        def is_served() -> bool:
            assert program.process.poll() is None, program.said()
            return (self.folder / "listening.json").exists()

        until(is_served, "the homepage")
        return self


@pytest.fixture(scope="module")
def shop(service: Service) -> Shop:
    """A shop with room for the IoT systems of all stories."""
    return service.shop(quantity=9)


@pytest.fixture
def box(tmp_path: Path, tool: Callable[[str], str], shop: Shop) -> Iterator[BoxOnDisk]:
    """An IoT system with its certificate, on a disk of 2 MiB."""
    made = BoxOnDisk(tmp_path / "disk", tool("unshare"), "size=2m").start()
    made.connect(shop)
    made.until_state("secure")
    yield made
    made.stop()


def serial(box: Box, service: Service) -> str:
    with strict_connection(box, str(box.status()["url"]).split("/")[2].split(":")[0], service.root) as tls:
        return str((tls.getpeercert() or {})["serialNumber"])


def named_everywhere(box: Box, cause: str) -> None:
    """Claim that the disk is what the owner reads of, in the same words at every door."""
    problem = box.until_problem(PREFIX + "LOAD_REQUEST_EXCEPTION", cause)
    assert box.status()["state"] == "attention"
    status, home = box.get("/")
    assert status == 200
    for sentence in (problem["title"], problem["meaning"], problem["cause"]["meaning"], *problem["remedy"]):
        assert sentence in unescape(home)
    by_command = json.loads(lancert("box", "status", "--folder", str(box.folder), "--json", check=False).stdout)
    assert problem in by_command["problems"]


@pytest.mark.promise("M10", "M15")
def test_a_full_disk_is_named_and_the_old_certificate_is_served(service: Service, box: BoxOnDisk) -> None:
    """F-05, I-2: the cause with its remedy at every door, told before it matters; with room comes the new one."""
    before, pin = serial(box, service), box.pin()
    box.disk.fill()
    until(lambda: [one["id"] for one in box.status()["notices"]] == ["disk-full"], "the notice")
    assert box.status()["state"] == "secure"
    # The wish for another certificate is an empty file, for which there is always room here.
    (box.folder / "renewal-asked.json").touch()

    named_everywhere(box, "disk-full")
    assert serial(box, service) == before
    assert not [path.name for path in (box.folder / "certificates").iterdir() if path.stat().st_size == 0]
    box.disk.fill()
    changed, page = box.post("/cogs/renewal", {"pin": pin}, root=service.root)
    assert changed == 507
    assert "Nothing was changed. The disk of this IoT system is full." in unescape(page)

    box.disk.free()
    until(lambda: serial(box, service) != before, "the new certificate")
    healed = box.until_state("secure")
    assert (healed["problems"], healed["notices"]) == ([], [])


@pytest.mark.promise("M10", "M15")
def test_an_agent_on_a_disk_that_can_only_be_read_serves_what_is_there(
    service: Service, shop: Shop, new_box: Callable[[], Box], tool: Callable[[str], str]
) -> None:
    """F-07, I-1, I-2: it starts, serves, and names the disk; when the disk takes writes again it goes on by itself."""
    box = new_box().connect(shop).start()
    box.until_state("secure")
    before, ports = serial(box, service), box.ports
    box.stop()
    box.program = Program(
        box.folder.with_suffix(".out"),
        *("box", "run", "--folder", str(box.folder), "--listen", "127.0.0.1", "--address", "127.0.0.1"),
        *("--http-port", str(ports["http"]), "--https-port", str(ports["https"]), "--name", "till"),
        before=on_a_read_only_disk(tool("unshare"), box.folder),
    )
    until(lambda: answers(box), "the homepage")
    told = [one["id"] for one in box.status()["notices"]]
    (box.folder / "renewal-asked.json").touch()

    named_everywhere(box, "disk-read-only")
    assert told == ["disk-read-only"]
    assert box.status()["notices"] == []
    assert serial(box, service) == before

    let_it_write(tool("nsenter"), box.program.process.pid, box.folder)
    until(lambda: serial(box, service) != before, "the new certificate")
    assert box.until_state("secure")["problems"] == []


def answers(box: Box) -> bool:
    with contextlib.suppress(OSError):
        return box.get("/")[0] == 200
    return False
