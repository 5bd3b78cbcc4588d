"""A small real service on loopback, and a box that speaks to it with the real signature code."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from lancert.kit.clock import SettableClock
from lancert.protocol.signatures import Identity, identity_of, sign
from lancert.service.app import Ready, run
from lancert.service.directory.record import By
from lancert.service.directory.subscriptions import add_subscription
from lancert.service.directory.tenants import add_contract, add_database, add_tenant
from lancert.service.limits import Rates
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    Actor,
    ContractCode,
    DatabaseUuid,
    Environment,
    Line,
    SubscriptionId,
    SubscriptionStatus,
    TenantId,
)
from lancert.service.settings import ServiceSettings
from lancert.service.store import Connection
from lancert.service.store.engine import transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One tenant with one contract, one running subscription and one production database."""

    tenant: TenantId
    contract: ContractCode
    subscription: SubscriptionId
    database: DatabaseUuid


def by(at: datetime = NOON) -> By:
    """Who changes the directory in tests."""
    return By(actor=Actor("test"), at=at)


def add_customer(
    connection: Connection,
    name: str = "shop",
    *,
    quantity: int = 5,
    status: SubscriptionStatus = SubscriptionStatus.IN_PROGRESS,
    environment: Environment = Environment.PRODUCTION,
) -> Credentials:
    """Add a customer that is eligible for as many boxes, if nothing else is said."""
    made = Credentials(
        tenant=TenantId(name),
        contract=ContractCode(f"C-{name}"),
        subscription=SubscriptionId(f"S-{name}"),
        database=DatabaseUuid(str(uuid4())),
    )
    add_tenant(connection, made.tenant, f"The {name}", by())
    add_contract(connection, made.contract, made.tenant, by())
    add_subscription(
        connection,
        made.subscription,
        made.contract,
        by(),
        status=status,
        lines=(Line(product=IOT_BOX_PRODUCT, quantity=quantity),),
    )
    add_database(connection, made.database, made.tenant, by(), name=name, environment=environment)
    return made


def csr_pem(key: Any, names: tuple[str, ...] = (), common_name: str | None = None) -> str:
    """Make an honest signing request."""
    subject = [] if common_name is None else [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass(slots=True, kw_only=True)
class SmallBox:
    """A box with its identity key and counter, without any of the agent."""

    client: httpx2.Client
    authority: str
    identity_key: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    boot: int = 1
    count: int = 0
    id: str = ""
    label: str = ""

    @property
    def identity(self) -> Identity:
        """The public identity key."""
        return identity_of(self.identity_key)

    def counter(self) -> dict[str, int]:
        """The next counter."""
        self.count += 1
        return {"boot": self.boot, "count": self.count}

    def signed(self, path: str, body: bytes) -> dict[str, str]:
        """The headers of a signed request."""
        headers = sign(key=self.identity_key, method="POST", authority=self.authority, path=path, body=body)
        return {**headers, "content-type": "application/json"}

    def post(self, path: str, body: Any) -> httpx2.Response:
        """Send a signed request; a body that is not bytes is written as JSON."""
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=written, headers=self.signed(path, written))

    def enrolment(self, credentials: Credentials, **other: Any) -> dict[str, Any]:
        """An honest enrolment."""
        return {
            "counter": self.counter(),
            "contract": credentials.contract,
            "database": credentials.database,
            "kind": "iot-box",
            "name": "Front counter",
            "version": "0.1.0",
            **other,
        }

    def enrol(self, credentials: Credentials, **other: Any) -> httpx2.Response:
        """Enrol."""
        return self.post("/api/v1/enrolments", self.enrolment(credentials, **other))

    def ask(self, csr: str | None = None) -> httpx2.Response:
        """Ask for a certificate for the own key."""
        body = {"counter": self.counter(), "csr": csr_pem(self.key) if csr is None else csr}
        return self.post("/api/v1/certificates", body)

    def report(self, *addresses: str, **other: Any) -> httpx2.Response:
        """Report."""
        body = {
            "counter": self.counter(),
            "version": "0.1.0",
            "addresses": list(addresses),
            "certificate": None,
            "problems": [],
            **other,
        }
        return self.post("/api/v1/reports", body)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """A service that runs in a thread of this process, with a clock that moves only when told to."""

    ready: Ready
    folder: Path
    clock: SettableClock
    client: httpx2.Client
    stop: Callable[[], None]

    def box(self) -> SmallBox:
        """A box that has never been here."""
        return SmallBox(client=self.client, authority=self.client.base_url.netloc.decode())

    def enrolled(self, credentials: Credentials | None = None) -> "SmallBox":
        """A box that is enrolled, with a customer of its own if none is named."""
        box = self.box()
        answer = box.enrol(credentials or self.customer())
        assert answer.status_code == 200, answer.text
        box.label = answer.json()["label"]
        box.id = answer.json()["box"]
        return box

    def change(self, work: Callable[[Connection], Any]) -> Any:
        """Change or read the directory as a command beside the service does."""
        with transaction(self.folder) as connection:
            return work(connection)

    def customer(self, **other: Any) -> Credentials:
        """Add a customer of its own."""
        name = f"shop-{uuid4().hex[:12]}"
        made = self.change(lambda connection: add_customer(connection, name, **other))
        assert isinstance(made, Credentials)
        return made


def settings_for(folder: Path, **other: Any) -> ServiceSettings:
    """The settings of a small service on free ports of loopback."""
    ports = {"https_port": 0, "http_port": 0, "dns_port": 0}
    return ServiceSettings(folder=folder, listen="127.0.0.1", **{**ports, **other})


def client_of(folder: Path, ready: Ready) -> httpx2.Client:
    """A client that trusts the root of this service alone."""
    context = ssl.create_default_context(cafile=str(folder / ready.root_file))
    # Loopback is where the service is, without asking any DNS; its name is looked at by other tests.
    context.check_hostname = False
    return httpx2.Client(base_url=f"https://127.0.0.1:{ready.https_port}", verify=context, trust_env=False, timeout=20)


class ServiceThread:
    """Runs a service in a thread until it is stopped."""

    def __init__(self, settings: ServiceSettings, clock: SettableClock, rates: Rates | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._rates = rates
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._is_ready = threading.Event()
        self._ready: Ready | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> Ready:
        """Start it and wait until it is ready."""
        self._thread.start()
        assert self._is_ready.wait(30)
        if self._error is not None:
            self._thread.join()
            raise self._error
        assert self._ready is not None
        return self._ready

    def stop(self) -> None:
        """Stop it and wait for its end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            work = run(
                self._settings,
                on_ready=self._note,
                stop=self._stop,
                clock=self._clock,
                rates=self._rates,
                signals=False,
            )
            self._loop.run_until_complete(work)
        except BaseException as error:
            self._error = error
        finally:
            self._loop.close()
            self._is_ready.set()

    def _note(self, ready: Ready) -> None:
        self._ready = ready
        self._is_ready.set()


def problem(response: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    """Claim that an answer is this problem document, and give it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:lancert:problem:{name}", document
    assert document["status"] == status
    return document
