"""A box that loads certificates by the real conversation over real connections, without an agent around it.

One piece of code for the tests (a few loads) and for ``make faults`` (all of them). As a program it loads some
certificates from where it runs and prints, for each, how many seconds it took and what went wrong before.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.journeys.site import ServiceThere
from tests.journeys.world import Service
from tests.peers.netns import SERVICE, Host, Network
from tests.peers.relay import Relay
from tests.peers.slow_wire import Quality, SlowWire

from lancert.box import keys
from lancert.box.client import Client, Unreachable
from lancert.box.connecting import credential_of, server_of
from lancert.box.conversation import Loaded, NotLoaded, Wish, load
from lancert.box.facts import Enrolment, Server
from lancert.box.folder import Folder
from lancert.box.requests import SignedRequests
from lancert.box.time import Timekeeper
from lancert.kit.clock import SystemClock
from lancert.kit.settings import environment_without_settings
from lancert.protocol.certificate import public_bytes, read_chain
from lancert.protocol.credential import parse_token
from lancert.protocol.messages import Kind


class Loader:
    """One identity with its counter; it keeps its enrolment, and its key until it is told to take another."""

    def __init__(self, folder: Path, token: str, root: Path, *, url: str | None = None) -> None:
        token_read = parse_token(token)
        self._credential = credential_of(token_read)
        self._server: Server = server_of(token_read)
        if url is not None:
            self._server = replace(self._server, url=url)
        self._root: x509.Certificate = read_chain(root.read_bytes())[0]
        clock = SystemClock()
        self._clock = clock
        self._requests = SignedRequests(Folder(folder), clock, Timekeeper(clock, []))
        self._enrolment: Enrolment | None = None
        self.take_another_key()

    def take_another_key(self) -> None:
        """Ask for another certificate from now on."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._csr = keys.signing_request(self._key)

    async def load(self) -> Loaded | NotLoaded:
        """Try once. Raises Unreachable."""
        client = Client(self._server, [self._root], self._clock)
        wish = Wish(
            server=self._server,
            credential=self._credential,
            enrolment=self._enrolment,
            kind=Kind.BOX,
            name="till",
            version="1",
            csr=self._csr,
            public_key=public_bytes(self._key.public_key()),
            roots=[self._root],
        )
        conversation = load(wish, self._requests.next_counter, self._clock.now)
        try:
            ask = next(conversation)
            while True:
                ask = conversation.send(await self._requests.send(client, self._server, ask))
        except StopIteration as end:
            result: Loaded | NotLoaded = end.value
        if isinstance(result, Loaded):
            self._enrolment = result.enrolment
        return result


# Cut answers (F-28)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """What became of answers that were cut: all of them, those after something was signed, and what went wrong."""

    cut: int
    after_signing: int
    taken_in_part: int
    signed_twice: int


def cut_everywhere(service: Service, folder: Path, *, step: int) -> Cuts:
    """Cut the answer of a load after every so many bytes of it, and ask again each time."""
    token = service.shop(quantity=20).token()
    port = service.facts["https_port"]
    cut = after_signing = taken_in_part = signed_twice = 0
    with Relay(port) as relay:
        url = service.url.replace(str(port), str(relay.port))
        loader = Loader(folder / "box", token, service.root, url=url)
        asyncio.run(loader.load())
        loader.take_another_key()
        relay.cut_after(None)
        assert isinstance(asyncio.run(loader.load()), Loaded)
        # What comes after the answer is the end of TLS, without which the answer is as whole.
        whole = relay.passed - 200
        for number, count in enumerate(range(0, whole, step)):
            if number % 25 == 0:  # so that no identity is told to ask less often
                relay.cut_after(None)
                loader = Loader(folder / f"box{number}", token, service.root, url=url)
                assert isinstance(asyncio.run(loader.load()), Loaded)
            loader.take_another_key()
            before = issued(service.folder)
            relay.cut_after(count)
            taken_in_part += not isinstance(_load(loader), Unreachable)
            after_signing += issued(service.folder) - before
            relay.cut_after(None)
            assert isinstance(asyncio.run(loader.load()), Loaded), count
            signed_twice += issued(service.folder) - before - 1
            cut += 1
    return Cuts(cut=cut, after_signing=after_signing, taken_in_part=taken_in_part, signed_twice=signed_twice)


def _load(loader: Loader) -> Loaded | NotLoaded | Unreachable:
    try:
        return asyncio.run(loader.load())
    except Unreachable as error:
        return error


def issued(folder: Path) -> int:
    """Count what a service meant to sign, signed or not."""
    with sqlite3.connect(f"file:{folder / 'service.sqlite'}?mode=ro", uri=True) as database:
        count: int = database.execute("select count(*) from issuances").fetchone()[0]
    database.close()
    return count


# Bad wires (F-27)

LIMIT = 120.0
"""Seconds in which a certificate has to be there."""

_BETWEEN = 62.0  # seconds from one try to the next, as the agent does it at first


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One certificate over a bad wire: the seconds it took, and the causes of the tries that failed."""

    seconds: float
    causes: tuple[str, ...]
    is_loaded: bool


def load_over(qualities: Sequence[Quality], *, runs: int, between: float = _BETWEEN) -> list[list[Run]]:
    """Load certificates over wires side by side, so many over each, every time by a box that is new to the service."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        network = ends.enter_context(Network())
        router, host = network.host("router"), network.host("service")
        network.cable(host, "eth0", router, "wan")
        router.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; ip addr add 198.51.100.1/24 dev wan")
        host.sh(f"ip addr add {SERVICE[0]}/24 dev eth0; ip route add default via 198.51.100.1")
        service = ServiceThere(host, folder / "service", SERVICE[0])
        token = service.token()
        programs = []
        for number, quality in enumerate(qualities):
            box = _box(ends, network, router, number, quality)
            arguments = (str(folder / f"box{number}"), token, str(service.root), str(runs), str(between))
            environment = {**environment_without_settings(), "PYTHONPATH": ":".join(sys.path)}
            command = (sys.executable, "-m", "tests.journeys.loading", *arguments)
            programs.append(box.start(*command, stdout=subprocess.PIPE, text=True, env=environment))
        return [[Run(**json.loads(line)) for line in one.communicate()[0].splitlines()] for one in programs]


def _box(ends: ExitStack, network: Network, router: Host, number: int, quality: Quality) -> Host:
    box = network.host(f"box{number}")
    wire = SlowWire(box, "eth0", router, f"lan{number}", quality, seed=number)
    ends.callback(wire.close)
    own, gate = f"10.{number}.0.5", f"10.{number}.0.1"
    box.sh(f"ip addr add {own}/24 dev eth0; ip route add default via {gate}")
    router.sh(f"ip addr add {gate}/24 dev lan{number}")
    # The bad wire is the one to the Internet: who is on the local one is known.
    for one, end, other, other_end, address in ((box, "eth0", router, f"lan{number}", gate),
                                                (router, f"lan{number}", box, "eth0", own)):  # fmt: skip
        ethernet = other.sh(f"cat /sys/class/net/{other_end}/address").strip()
        one.sh(f"ip neigh replace {address} lladdr {ethernet} dev {end}")
    box.hosts(f"{SERVICE[0]} service.iot.example\n127.0.0.1 localhost\n")
    return box


async def _run(loader: Loader, between: float) -> Run:
    began = time.monotonic()
    causes: list[str] = []
    while True:
        tried = time.monotonic()
        try:
            is_loaded = isinstance(await loader.load(), Loaded)
            return Run(seconds=time.monotonic() - began, causes=tuple(causes), is_loaded=is_loaded)
        except Unreachable as error:
            causes.append(f"{error.cause} at {error.hop}")
        if tried + between - began > LIMIT:
            return Run(seconds=time.monotonic() - began, causes=tuple(causes), is_loaded=False)
        await asyncio.sleep(max(0.0, tried + between - time.monotonic()))


def main(arguments: Sequence[str]) -> None:
    """Load some certificates and print what became of each."""
    folder, token, root, runs, between = arguments
    for number in range(int(runs)):
        run = asyncio.run(_run(Loader(Path(folder) / str(number), token, Path(root)), float(between)))
        print(json.dumps({name: getattr(run, name) for name in Run.__dataclass_fields__}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
