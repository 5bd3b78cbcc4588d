"""A small world for the stories: a service, shops, and IoT systems, each the real program in its own process."""

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from lancert.kit.settings import environment_without_settings

PATIENCE = 30.0
_LOOK = 0.05


def lancert(*arguments: str, check: bool = True, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "lancert", *arguments],
        capture_output=True,
        text=True,
        env={**environment_without_settings(), **(env or {})},
        timeout=PATIENCE,
        check=False,
    )
    if check:
        assert done.returncode == 0, f"lancert {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done


def until(look: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Look again and again until there is something to see."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(_LOOK)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


class Program:
    """A command of lancert that keeps running."""

    def __init__(
        self, output: Path, *arguments: str, env: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> None:
        self._output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", "lancert", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**environment_without_settings(), **(env or {})},
            )

    def said(self) -> str:
        """Give what it printed."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it the way systemd does."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Service:
    """A certificate service with its own authority and DNS."""

    folder: Path
    program: Program
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Give its address."""
        return str(self.facts["url"])

    @property
    def root(self) -> Path:
        """Give the file of its root certificate."""
        return self.folder / str(self.facts["root_file"])

    def admin(self, *arguments: str) -> Any:
        """Run an administration command and give what it says as JSON."""
        return json.loads(lancert("admin", "--folder", str(self.folder), *arguments, "--json").stdout)

    def shop(self, *, environment: str = "production", status: str = "in-progress", quantity: int | None = 1) -> "Shop":
        """Set up a tenant with a contract, a subscription and a database."""
        mark = uuid.uuid4().hex[:10]
        tenant = self.admin("tenant", "add", f"Shop {mark}")["id"]
        contract = f"M-{mark}"
        self.admin("contract", "add", contract, "--tenant", tenant)
        line = ["--line", f"iot-box={quantity}"] if quantity is not None else []
        subscription = self.admin("subscription", "add", "--contract", contract, "--status", status, *line)["id"]
        database = str(uuid.uuid4())
        options = ("--tenant", tenant, "--name", mark, "--environment", environment)
        self.admin("database", "add", database, *options)
        return Shop(service=self, contract=contract, database=database, subscription=str(subscription))

    def stop(self) -> None:
        """End it."""
        self.program.stop()

    def start_again(self) -> None:
        """Start it on the same ports with the same folder."""
        ready = self.folder / "service.json"
        ready.unlink(missing_ok=True)
        again = start_service(self.folder, https_port=self.facts["https_port"], dns_port=self.facts["dns_port"])
        self.program, self.facts = again.program, again.facts


def start_service(
    folder: Path,
    *,
    https_port: int = 0,
    dns_port: int = 0,
    zone: str = "lancert.localhost",
    env: dict[str, str] | None = None,
) -> Service:
    """Start a service and wait until it is ready."""
    program = Program(
        folder.with_suffix(".out"),
        *("service", "run", "--folder", str(folder), "--zone", zone),
        *("--https-port", str(https_port), "--http-port", "0", "--dns-port", str(dns_port)),
        env=env,
    )
    ready = folder / "service.json"

    def is_ready() -> bool:
        assert program.process.poll() is None, program.said()
        return ready.exists()

    until(is_ready, "the service")
    return Service(folder=folder, program=program, facts=json.loads(ready.read_text()))


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A customer with everything a certificate needs, or not."""

    service: Service
    contract: str
    database: str
    subscription: str

    def token(self) -> str:
        """Give the connection token an owner would paste."""
        return str(self.service.admin("connection-token", self.contract, self.database)["token"])


class Box:
    """An IoT system: its folder, and its agent when it runs."""

    def __init__(self, folder: Path, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.program: Program | None = None
        self._env = env

    def start(self) -> "Box":
        """Start the agent and wait until its homepage is served."""
        listening = self.folder / "listening.json"
        ports = json.loads(listening.read_text()) if listening.exists() else {"http": 0, "https": 0}
        listening.unlink(missing_ok=True)
        self.program = Program(
            self.folder.with_suffix(".out"),
            *("box", "run", "--folder", str(self.folder), "--listen", "127.0.0.1", "--address", "127.0.0.1"),
            *("--http-port", str(ports["http"]), "--https-port", str(ports["https"]), "--name", "till"),
            env=self._env,
        )
        program = self.program

        def is_served() -> bool:
            assert program.process.poll() is None, program.said()
            return listening.exists()

        until(is_served, "the homepage")
        return self

    def stop(self) -> None:
        """End the agent."""
        if self.program is not None:
            self.program.stop()

    def restart(self) -> None:
        """End the agent and start it again on the same ports."""
        self.stop()
        self.start()

    def connect(self, shop: Shop) -> "Box":
        """Connect it with the shop's token."""
        lancert("box", "connect", "--folder", str(self.folder), shop.token())
        return self

    def connect_to(self, url: str, root: Path, *, contract: str = "M-1", database: str | None = None) -> "Box":
        """Connect it to any server that is trusted by a root file."""
        credential = ("--contract", contract, "--database", database or str(uuid.uuid4()))
        lancert("box", "connect", "--folder", str(self.folder), url, "--ca", str(root), *credential)
        return self

    @property
    def ports(self) -> dict[str, int]:
        """Give where the homepage listens."""
        told = json.loads((self.folder / "listening.json").read_text())
        return {"http": told["http"], "https": told["https"]}

    def get(self, path: str) -> tuple[int, str]:
        """Open a page of the homepage over HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def post(self, path: str, fields: dict[str, str], *, root: Path | None = None) -> tuple[int, str]:
        """Send a form as its own page does: over HTTP by IP address, with a root over HTTPS by name."""
        if root is None:
            host = f"127.0.0.1:{self.ports['http']}"
            door: contextlib.AbstractContextManager[socket.socket]
            door, origin = socket.create_connection(("127.0.0.1", self.ports["http"]), timeout=20), f"http://{host}"
        else:
            host = urlsplit(self.status()["url"]).netloc
            door, origin = strict_connection(self, host.partition(":")[0], root), f"https://{host}"
        body = urlencode(fields).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with door as stream:
            stream.sendall(head.encode() + body)
            answer = http.client.HTTPResponse(stream)
            answer.begin()
            return answer.status, answer.read().decode()

    def pin(self) -> str:
        """Have a new PIN made, and give it as it is printed."""
        said = lancert("box", "pin", "--folder", str(self.folder)).stdout
        return said.rpartition(":")[2].strip()

    def status(self) -> dict[str, Any]:
        """Give the status document of the homepage."""
        status, body = self.get("/status.json")
        assert status == 200
        document: dict[str, Any] = json.loads(body)
        return document

    def until_state(self, state: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for a state; shows what was there instead if it does not come."""
        with contextlib.suppress(AssertionError):
            until(lambda: self.status()["state"] == state, state, seconds)
        document = self.status()
        assert document["state"] == state, json.dumps(document, indent=1)
        return document

    def until_problem(self, code: str, cause: str | None = None) -> dict[str, Any]:
        """Wait for a problem, and give it."""

        def there() -> dict[str, Any] | None:
            for problem in self.status()["problems"]:
                if problem["code"] == code and (cause is None or problem["cause"]["id"] == cause):
                    return dict(problem)
            return None

        try:
            found: dict[str, Any] = until(there, f"{code} {cause or ''}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.status(), indent=1)}") from None
        return found

    def log(self) -> list[dict[str, Any]]:
        """Give the events of its log."""
        return [json.loads(line) for line in (self.folder / "log" / "box.log").read_text().splitlines()]

    def tries(self) -> int:
        """Say how many times it asked for a certificate."""
        return sum(event["event"] == "loading a certificate" for event in self.log())


@contextlib.contextmanager
def strict_connection(box: Box, name: str, root: Path) -> Iterator[ssl.SSLSocket]:
    """Connect like a payment terminal: nothing but this root is trusted."""
    context = ssl.create_default_context(cafile=root)
    with (
        socket.create_connection(("127.0.0.1", box.ports["https"]), timeout=10) as tcp,
        context.wrap_socket(tcp, server_hostname=name) as tls,
    ):
        yield tls
