"""A shop's network with names: the box, a router with a real resolver, and the Internet behind it.

The Internet is one host: it has the zone's own name server, ours, and a public resolver at 9.9.9.9, where the box looks
for one unless told otherwise; that one answers over TLS too (RFC 7858). On the router any resolver can be put, with any
filter, and systemd-resolved on the box. The box asks from its own host by a program that waits there, so that a
thousand runs start Python once.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.peers.authority import key_pem, make_root, make_server, pem
from tests.peers.netns import ROUTER, Host, Site, three_hosts

from faults._table import NotPossibleHere
from lancert.dns.server import NameServer
from lancert.dns.zone import ZoneFacts
from lancert.kit.settings import environment_without_settings
from lancert.protocol.names import Label, Zone, ranges_for_zone

ZONE = Zone("iot.example.net")
LABEL = Label("k3v7q2m4x5a6b7c2")
UNKNOWN = Label("aaaaaaaaaaaaaaaa")
OWN = "192.168.1.5"
INTERNET = "192.31.196.10"
"""The address of the zone's own server and of the service: one that no filter takes for private."""
PUBLIC = "9.9.9.9"
STUB = "127.0.0.53"
"""Where systemd-resolved answers on the box."""
_PUBLIC_NAME = "dns.example.net"
# What OPNsense takes for private when the protection against rebinding is on.
_UNBOUND_PRIVATE = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "233.252.0.0/24", "::1/128"),
    *("2001:db8::/32", "fc00::/8", "fd00::/8", "fe80::/10"),
)
# All there is beside the zone: the servers of the root.
_THE_INTERNET = (
    'local-zone: "." static',
    'local-data: ". 3600 IN NS a.root-servers.example."',
    'local-data: ". 3600 IN SOA a.root-servers.example. nobody.invalid. 1 3600 600 86400 60"',
    f'local-zone: "{ZONE}." transparent',
)
_PATIENCE = 20.0
# Its own files in the box's mount namespace: no D-Bus and no configuration of this machine. It has no user of its own
# where the package is not installed, so it is started as nobody, with the capabilities it asks for.
_RESOLVED_FILES = f"""
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd
printf '[Resolve]\\nDNS={ROUTER[0]}\\nFallbackDNS=\\n' >/etc/systemd/resolved.conf
mkdir -p /run/systemd/resolve
chown 65534:65534 /run/systemd/resolve
"""
_AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+net_bind_service,+net_raw,+setpcap", "--ambient-caps=+net_bind_service,+net_raw,+setpcap"),
)


@dataclass
class Shop:
    """The network, and what can be changed in it."""

    site: Site
    folder: Path
    asker: "Asker"
    _router: list[subprocess.Popen[Any]] = field(default_factory=list)
    _resolved: subprocess.Popen[Any] | None = None

    def dnsmasq(self, *options: str, knows_zone: bool = True) -> None:
        """Put dnsmasq on the router."""
        self._start_on(self.site.router, *_dnsmasq(self.folder / "router.pid", ROUTER, options, knows_zone))

    def unbound(self, *lines: str, private: bool, over_tls: bool = False) -> None:
        """Put unbound on the router; ``private`` hides what OPNsense hides, ``over_tls`` asks the public one alone."""
        hidden = [f"private-address: {network}" for network in _UNBOUND_PRIVATE] if private else []
        if over_tls:
            to = [_forward(".", f"{PUBLIC}@853#{_PUBLIC_NAME}", "forward-tls-upstream: yes")]
            hidden.append(f'tls-cert-bundle: "{self.folder}/root.pem"')
        else:
            to = [_forward(ZONE, INTERNET), _forward(".", PUBLIC)]
        self._start_on(self.site.router, *_unbound(self.folder / "router", ROUTER, (*hidden, *lines), to))

    def resolved(self) -> None:
        """Put systemd-resolved on the box, which asks the router; for the rest of the network's life."""
        box = self.site.box
        if self._resolved is None:
            box.sh(_RESOLVED_FILES)
        else:
            self._resolved.terminate()
            self._resolved.wait(_PATIENCE)
        self._resolved = box.start(*_AS_NOBODY, resolved_here(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _until_it_answers(box, STUB)

    def nobody(self) -> None:
        """Leave the router without any resolver."""
        for program in self._router:
            program.terminate()
            program.wait(_PATIENCE)
        self._router.clear()

    def asks(self, *servers: str) -> None:
        """Say whom the box asks."""
        self.site.box.resolv_conf("".join(f"nameserver {server}\n" for server in servers))

    def _start_on(self, host: Host, *command: str) -> None:
        self.nobody()
        self._router.append(host.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        _until_it_answers(self.site.box, ROUTER[0])


@dataclass
class Till:
    """A real service on the Internet and a real box in the shop, each a program on its own host."""

    shop: Shop
    folder: Path
    service: Path

    def lancert(self, host: Host, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on a host to its end."""
        return host.run(sys.executable, "-m", "lancert", *arguments, check=check, env=_environment())

    def admin(self, *arguments: str) -> Any:
        """Run an administration command and give what it says as JSON."""
        done = self.lancert(self.shop.site.service, "admin", "--folder", str(self.service), *arguments, "--json")
        return json.loads(done.stdout)

    def doctor(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run the doctor on the box: its exit status, and what it found by check."""
        done = self.lancert(self.shop.site.box, "box", "doctor", "--folder", str(self.folder), "--json", check=False)
        assert done.stderr == ""
        return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)}


class Names:
    """The zone's own name server, on the host that is the Internet."""

    def __init__(self, server: NameServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._loop = server, loop

    def know(self, *labels: Label) -> None:
        """Have the zone know these boxes and no others."""
        boxes = {label: (ip_address(OWN),) for label in labels}
        asyncio.run_coroutine_threadsafe(self._publish(boxes), self._loop).result(_PATIENCE)

    async def _publish(self, boxes: dict[Label, Any]) -> None:
        self._server.publish(replace(self._server.facts, boxes=boxes, serial=self._server.facts.serial + 1))


class Asker:
    """The program on the host of the box that runs the check."""

    def __init__(self, box: Host) -> None:
        command = [*box.prefix, sys.executable, "-m", "faults._asker"]
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
        )

    def runs(self, count: int = 1, **about: Any) -> list[dict[str, Any]]:
        """Run the check, and give what was found each time."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps({"runs": count, **about}) + "\n")
        self._program.stdin.flush()
        found: list[dict[str, Any]] = json.loads(self._program.stdout.readline())
        return found

    def end(self) -> None:
        """End it."""
        self._program.communicate(timeout=_PATIENCE)


@contextlib.contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """Make the network; leaving the block ends all of it."""
    with three_hosts() as site, contextlib.ExitStack() as ends:
        site.service.sh(
            f"ip addr add {INTERNET}/32 dev eth0\nip addr add {PUBLIC}/32 dev eth0\nip route add unreachable 1.1.1.1"
        )
        site.router.sh("ip route add default via 198.51.100.10")
        lines = (*_THE_INTERNET, *_certified(folder))
        public = _unbound(folder / "public", (PUBLIC, f"{PUBLIC}@853"), lines, [_forward(ZONE, INTERNET)])
        site.service.start(*public, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        site.box.resolv_conf(f"nameserver {ROUTER[0]}\n")
        _until_it_answers(site.box, PUBLIC)
        asker = Asker(site.box)
        ends.callback(asker.end)
        made = Shop(site=site, folder=folder, asker=asker)
        ends.callback(made.nobody)
        yield made


@contextlib.contextmanager
def till(folder: Path) -> Iterator[Till]:
    """Make the network with a real service and a connected box in it; the router has a plain resolver."""
    with shop(folder) as network:
        network.dnsmasq()
        made = Till(shop=network, folder=folder / "box", service=folder / "service")
        ports = ("--https-port", "443", "--http-port", "80", "--dns-port", "53")
        _start(
            network.site.service,
            folder / "service.out",
            "service",
            "run",
            "--folder",
            str(made.service),
            *ports,
            *("--zone", ZONE, "--listen", INTERNET, "--dns-listen", INTERNET, "--address", INTERNET),
        )
        _until((made.service / "service.json").exists, folder / "service.out")
        made.admin("tenant", "add", "A shop")
        made.admin("contract", "add", "M-1", "--tenant", made.admin("tenant", "list")[0]["id"])
        made.admin("subscription", "add", "--contract", "M-1", "--status", "in-progress", "--line", "iot-box=1")
        tenant, database = made.admin("tenant", "list")[0]["id"], "0f8fad5b-d9cb-469f-a165-70867728950e"
        made.admin("database", "add", database, "--tenant", tenant, "--name", "shop", "--environment", "production")
        token = made.admin("connection-token", "M-1", database)["token"]
        made.lancert(network.site.box, "box", "connect", "--folder", str(made.folder), token)
        _start(network.site.box, folder / "box.out", "box", "run", "--folder", str(made.folder), "--name", "till")
        _until(lambda: _is_secure(made), folder / "box.out")
        yield made


def _is_secure(made: Till) -> bool:
    said = made.lancert(made.shop.site.box, "box", "status", "--folder", str(made.folder), "--json", check=False)
    return '"state": "secure"' in said.stdout


def _start(host: Host, output: Path, *arguments: str) -> None:
    with output.open("wb") as file:
        host.start(sys.executable, "-m", "lancert", *arguments, stdout=file, stderr=file, env=_environment())


def _until(is_there: Callable[[], bool], output: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not is_there():
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.1)


def _environment() -> dict[str, str]:
    # A program finds what this process finds, wherever both were started.
    return {**environment_without_settings(), "PYTHONPATH": os.pathsep.join(sys.path)}


def _dnsmasq(pid: Path, addresses: tuple[str, ...], options: tuple[str, ...], knows_zone: bool) -> list[str]:
    return [
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--user=root"),
        *("--bind-interfaces", f"--pid-file={pid}", *(f"--listen-address={address}" for address in addresses)),
        *([f"--server=/{ZONE}/{INTERNET}"] if knows_zone else []),
        f"--server={PUBLIC}",
        *options,
    ]


def resolved_here() -> str:
    """Find systemd-resolved. Raises NotPossibleHere."""
    where = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/lib/systemd", "/lib/systemd"))
    found = shutil.which("systemd-resolved", path=where)
    if found is None:
        raise NotPossibleHere(
            "there is no systemd-resolved; installing it takes over /etc/resolv.conf, so rather unpack it: apt-get "
            "download systemd-resolved, dpkg-deb -x systemd-resolved_*.deb FOLDER, PATH=$PATH:FOLDER/lib/systemd"
        )
    return found


def _certified(folder: Path) -> tuple[str, ...]:
    """Give the public resolver a certificate of a root that the router is told to trust."""
    root = make_root()
    server = make_server(root, [_PUBLIC_NAME])
    (folder / "root.pem").write_bytes(pem(root.certificate))
    (folder / "public.pem").write_bytes(pem(server.certificate))
    (folder / "public.key").write_bytes(key_pem(server.key))
    return f'tls-service-pem: "{folder}/public.pem"', f'tls-service-key: "{folder}/public.key"'


def _forward(zone: str, to: str, *options: str) -> str:
    return f'forward-zone:\n  name: "{zone}"\n  forward-addr: {to}\n' + "".join(f"  {one}\n" for one in options)


def _unbound(folder: Path, addresses: tuple[str, ...], lines: tuple[str, ...], forward: list[str]) -> list[str]:
    folder.mkdir(exist_ok=True)
    server = [
        *(f"interface: {address}" for address in addresses),
        *("access-control: 0.0.0.0/0 allow", "access-control: ::0/0 allow", 'module-config: "iterator"'),
        *("do-daemonize: no", 'chroot: ""', 'username: ""', f'directory: "{folder}"', "use-syslog: no"),
        *(f'pidfile: "{folder}/unbound.pid"', f'logfile: "{folder}/unbound.log"', "num-threads: 1"),
        *lines,
    ]
    text = "server:\n" + "".join(f"  {line}\n" for line in server) + "".join(forward)
    (folder / "unbound.conf").write_text(text)
    return ["unbound", "-d", "-c", str(folder / "unbound.conf")]


def _until_it_answers(box: Host, server: str) -> None:
    for _ in range(20):
        if (
            box.run("dig", f"@{server}", "version.bind", "CH", "TXT", "+tries=1", "+time=1", check=False).returncode
            == 0
        ):
            return
    raise AssertionError(f"nobody answers at {server}")


@contextlib.contextmanager
def zone_on(host: Host) -> Iterator[Names]:
    """Serve the zone on a host without a service: a box, and nothing else."""
    started: Future[tuple[NameServer, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    facts = ZoneFacts(
        zone=ZONE,
        ranges=ranges_for_zone(ZONE),
        serial=1,
        name_servers=(f"ns1.{ZONE}",),
        boxes={LABEL: (ip_address(OWN),)},
        hosts={"ns1": (ip_address(INTERNET),), "service": (ip_address(INTERNET),)},
    )

    async def live() -> None:
        server, enough = NameServer(facts), asyncio.Event()
        await server.start((INTERNET,), 53)
        started.set_result((server, asyncio.get_running_loop(), enough))
        await enough.wait()
        await server.stop()

    def run() -> None:
        try:
            with host.inside():
                asyncio.run(live())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    server, loop, enough = started.result(_PATIENCE)
    try:
        yield Names(server, loop)
    finally:
        loop.call_soon_threadsafe(enough.set)
        thread.join(_PATIENCE)
