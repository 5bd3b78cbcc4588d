"""A small network made real: hosts in network namespaces of their own, joined by cables, with names and firewalls.

    with three_hosts() as site:
        site.router.firewall('chain forward { type filter hook forward priority 0; tcp dport 443 drop; }')
        site.box.run("curl", "https://198.51.100.10/")
        with site.service.inside():
            peer = HttpsPeer(...)        # what is opened in here lives on that host

A host is a namespace for network and mounts (so ``/etc/resolv.conf`` is its own) that a ``cat`` keeps alive for as
long as this process holds its input: nothing is left, even after SIGKILL. Nothing here can reach the world outside.
It takes root on Linux, or the root of a user namespace; without, it fails and says so. See namespaces(7), veth(4).
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 30.0
SERVICE = ("198.51.100.10", "fd12:3456:0:2::10")
"""The service's addresses in the site of three hosts."""
BOX = ("192.168.1.5", "fd12:3456:0:1::5")
"""The box's addresses there."""
ROUTER = ("192.168.1.1", "fd12:3456:0:1::1")
"""The router's addresses, on the side of the box."""
_WAN = ("198.51.100.1", "fd12:3456:0:2::1")

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_NEEDED = ("unshare", "nsenter", "ip", "nft")
_HOW = (
    "this test makes network namespaces, which takes root on Linux with {needed}: run it as root, "
    "or as the root of a user namespace: unshare --user --map-root-user COMMAND"
)


class Host:
    """One host of a network; ended with it, together with every program that was started on it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._programs: list[subprocess.Popen[Any]] = []
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", "echo ready && exec cat >/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            raise AssertionError(_HOW.format(needed=", ".join(_NEEDED)) + self._why())
        # The files of /sys/class/net are those of the namespace that mounted them.
        # Addresses are used at once, without first asking whether somebody else has them (RFC 4862, 5.4).
        self.sh(
            "ip link set lo up\nmount -t sysfs sysfs /sys\n"
            "for of in all default; do echo 0 >/proc/sys/net/ipv6/conf/$of/accept_dad; done"
        )

    def _why(self) -> str:
        _out, error = self._keeper.communicate(timeout=PATIENCE)
        return f" ({error.decode().strip()})"

    @property
    def prefix(self) -> tuple[str, ...]:
        """Give what to put before a command to have it run here, for those who start programs themselves."""
        return ("nsenter", f"--target={self._keeper.pid}", "--net", "--mount", f"--wd={os.getcwd()}", "--")

    def run(
        self, *command: str, check: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program here to its end."""
        done = subprocess.run(
            [*self.prefix, *command], capture_output=True, text=True, timeout=PATIENCE, check=False, env=env
        )
        if check:
            assert done.returncode == 0, f"{self.name}: {' '.join(command)}: {done.stdout}{done.stderr}"
        return done

    def sh(self, script: str) -> str:
        """Run a few lines of shell here, which all have to succeed, and give what they print."""
        return self.run("sh", "-e", "-c", script).stdout

    def start(self, *command: str, **options: Any) -> "subprocess.Popen[Any]":
        """Start a program here that ends with the network at the latest."""
        program = subprocess.Popen([*self.prefix, *command], **{"stdin": subprocess.DEVNULL, **options})
        self._programs.append(program)
        return program

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Open sockets on this host in the block: those of this thread, for the network only (not its files)."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/proc/{self._keeper.pid}/ns/net", "rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def resolv_conf(self, text: str) -> None:
        """Give this host its own ``/etc/resolv.conf``; it may be given again."""
        self._file("/etc/resolv.conf", text)

    def hosts(self, text: str) -> None:
        """Give this host its own ``/etc/hosts``; it may be given again."""
        self._file("/etc/hosts", text)

    def _file(self, path: str, text: str) -> None:
        own = self._folder / f"{self.name}-{Path(path).name}"
        is_new = not own.exists()
        own.write_text(text, encoding="utf-8")
        if is_new:
            self.run("mount", "--bind", str(own), path)

    def firewall(self, chains: str) -> None:
        """Set the rules of nftables, in place of those there were; an empty text takes all away (nft(8))."""
        rules = self._folder / f"{self.name}.nft"
        rules.write_text(f"flush ruleset\ntable inet told {{\n{chains}\n}}\n" if chains else "flush ruleset\n")
        self.run("nft", "-f", str(rules))

    def end(self) -> None:
        """End the programs of this host, then the host."""
        for program in self._programs:
            program.terminate()
        for program in self._programs:
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        # What programs left behind them goes too, so that nothing holds the namespace.
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self._keeper.communicate(timeout=PATIENCE)

    def _left(self) -> list[int]:
        mine = os.stat(f"/proc/{self._keeper.pid}/ns/net").st_ino
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.stat(process / "ns/net").st_ino == mine and int(process.name) != self._keeper.pid:
                    found.append(int(process.name))
        return [pid for pid in found if pid != os.getpid()]


class Network:
    """Hosts and the cables between them; leaving the block ends all of it."""

    def __init__(self) -> None:
        missing = [program for program in _NEEDED if shutil.which(program) is None]
        if sys.platform != "linux" or missing or os.geteuid() != 0:
            raise AssertionError(_HOW.format(needed=", ".join(_NEEDED)))
        self._folder = Path(tempfile.mkdtemp(prefix="lancert-network-"))
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as ends:
            ends.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for host in self._hosts:
                ends.callback(host.end)

    def host(self, name: str) -> Host:
        """Add a host, without any cable yet."""
        made = Host(name, self._folder)
        self._hosts.append(made)
        return made

    def cable(self, one: Host, one_end: str, other: Host, other_end: str) -> None:
        """Join two hosts; each end is an interface that is up and has no address yet."""
        one.sh(
            f"ip link add {one_end} type veth peer name {other_end} netns {other._keeper.pid}\nip link set {one_end} up"
        )
        other.sh(f"ip link set {other_end} up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A shop's network: the box on its interface ``eth0``, the router (``lan``, ``wan``), the service (``eth0``)."""

    network: Network
    box: Host
    router: Host
    service: Host


@contextlib.contextmanager
def three_hosts(families: Sequence[int] = (4, 6)) -> Iterator[Site]:
    """Make box, router and service, each on its own host; the router forwards for the families of addresses.

    Their addresses are ``BOX``, ``ROUTER`` and ``SERVICE``, version 4 first.
    """
    with Network() as network:
        box, router, service = network.host("box"), network.host("router"), network.host("service")
        network.cable(box, "eth0", router, "lan")
        network.cable(service, "eth0", router, "wan")
        if 4 in families:
            router.sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
        if 6 in families:
            router.sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        for index, family in ((0, 4), (1, 6)):
            if family in families:
                plan = ((box, "eth0", BOX), (router, "lan", ROUTER), (router, "wan", _WAN), (service, "eth0", SERVICE))
                for host, interface, addresses in plan:
                    host.sh(_set(interface, addresses[index], family))
                box.sh(f"ip -{family} route add default via {ROUTER[index]}")
                service.sh(f"ip -{family} route add default via {_WAN[index]}")
        yield Site(network=network, box=box, router=router, service=service)


def _set(interface: str, address: str, family: int) -> str:
    return f"ip addr add {address}/{24 if family == 4 else 64} dev {interface}"


def _enter(namespace: int) -> None:
    # os.setns exists from Python 3.12 on. Only the thread that calls changes its network.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, _NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{threading.current_thread().name} cannot enter the network: {os.strerror(number)}")
