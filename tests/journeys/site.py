"""A shop on a network of its own: the real service and the real agent, each on its host, with a router between.

    with three_hosts() as site, a_service(site, folder) as service, a_box(site, folder) as box:
        box.connect(service.shop())
        box.until("secure")

The zone is ``iot.example``; the box asks the service's own DNS, so that names work without the world outside.
"""

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.peers.netns import SERVICE, Host, Site

from lancert.kit.settings import environment_without_settings

PATIENCE = 30.0
ZONE = "iot.example"
SERVICE_NAME = f"service.{ZONE}"
_LOOK = 0.02


def until(look: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Look again and again until there is something to see."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if seen := look():
                return seen
        time.sleep(_LOOK)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


class ServiceThere:
    """The certificate service on its host, on the usual ports."""

    def __init__(self, host: Host, folder: Path, address: str) -> None:
        self._host = host
        self.folder = folder
        everywhere = "::" if ":" in address else "0.0.0.0"
        self._output = folder.with_suffix(".out")
        with self._output.open("ab") as output:
            self._program = host.start(
                *(sys.executable, "-m", "lancert", "service", "run", "--folder", str(folder), "--zone", ZONE),
                *("--listen", everywhere, "--address", address, "--dns-port", "53"),
                *("--https-port", "443", "--http-port", "80"),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment_without_settings(),
            )
        until(self._is_ready, "the service")
        self.root = folder / "authority" / "root.pem"

    def _is_ready(self) -> bool:
        assert self._program.poll() is None, self._output.read_text()
        return (self.folder / "service.json").exists()

    def admin(self, *arguments: str) -> Any:
        """Run an administration command and give what it says as JSON."""
        command = (sys.executable, "-m", "lancert", "admin", "--folder", str(self.folder), *arguments, "--json")
        return json.loads(self._host.run(*command, env=environment_without_settings()).stdout)

    def token(self) -> str:
        """Set up a shop with all a certificate needs, and give its connection token."""
        mark = uuid.uuid4().hex[:10]
        tenant = self.admin("tenant", "add", f"Shop {mark}")["id"]
        self.admin("contract", "add", f"M-{mark}", "--tenant", tenant)
        self.admin("subscription", "add", "--contract", f"M-{mark}", "--status", "in-progress", "--line", "iot-box=999")
        database = str(uuid.uuid4())
        self.admin("database", "add", database, "--tenant", tenant, "--name", mark, "--environment", "production")
        return str(self.admin("connection-token", f"M-{mark}", database)["token"])


class BoxThere:
    """The agent on its host, on the usual ports of all its addresses."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self._output = folder.with_suffix(".out")
        self.program: subprocess.Popen[Any] | None = None

    def lancert(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of lancert on this host."""
        command = (sys.executable, "-m", "lancert", *arguments)
        return self.host.run(*command, check=check, env=environment_without_settings())

    def start(self) -> "BoxThere":
        """Start the agent and wait until its homepage is served."""
        (self.folder / "listening.json").unlink(missing_ok=True)
        with self._output.open("ab") as output:
            self.program = self.host.start(
                *(sys.executable, "-m", "lancert", "box", "run", "--folder", str(self.folder), "--name", "till"),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment_without_settings(),
            )
        until(self._is_served, "the homepage")
        return self

    def _is_served(self) -> bool:
        assert self.program is not None
        assert self.program.poll() is None, self._output.read_text()
        return (self.folder / "listening.json").exists()

    def stop(self) -> None:
        """End the agent."""
        assert self.program is not None
        self.program.terminate()
        self.program.wait(15)

    def get(self, path: str, *, of: str = "127.0.0.1", seconds: float = 10.0) -> tuple[int, str]:
        """Open a page of the homepage over HTTP from the box's own screen."""
        with self.host.inside():
            connection = http.client.HTTPConnection(of, 80, timeout=seconds)
            connection.connect()
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def status(self) -> dict[str, Any]:
        """Give the status document."""
        status, body = self.get("/status.json")
        assert status == 200, body
        document: dict[str, Any] = json.loads(body)
        return document

    def until_state(self, state: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for a state; shows what was there instead if it does not come."""
        try:
            until(lambda: self.status()["state"] == state, state, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.status(), indent=1)}") from None
        return self.status()

    def log(self) -> list[dict[str, Any]]:
        """Give the events of its log."""
        return [json.loads(line) for line in (self.folder / "log" / "box.log").read_text().splitlines()]

    def tries(self) -> int:
        """Say how many times it asked for a certificate."""
        return sum(event["event"] == "loading a certificate" for event in self.log())


def a_service(site: Site, folder: Path, address: str = SERVICE[0]) -> ServiceThere:
    """Start the service at its address, and have the box ask its DNS."""
    site.box.resolv_conf(f"nameserver {address}\noptions timeout:2 attempts:1\n")
    return ServiceThere(site.service, folder, address)


@contextlib.contextmanager
def visitor(host: Host, address: str, name: str, root: Path) -> Iterator[ssl.SSLSocket]:
    """Connect from a host like a payment terminal: nothing but this root is trusted."""
    context = ssl.create_default_context(cafile=root)
    with host.inside():
        plain = socket.create_connection((address, 443), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=name) as tls:
        yield tls


def page_over_https(host: Host, address: str, name: str, root: Path) -> tuple[int, str]:
    """Open the front page over HTTPS by name, at an address."""
    with visitor(host, address, name, root) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(tls)
        answer.begin()
        return answer.status, answer.read().decode()
