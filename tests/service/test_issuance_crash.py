"""kill -9 at each step of issuance: no signature without an intent, and asking again gives that certificate (F-53).

A process with the real store, desk and authority is killed by the authority it was handed, at the step that is asked
for; the next process finds the database as the kill left it.
"""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.service.harness import add_customer, csr_pem

from lancert.kit.clock import SettableClock
from lancert.protocol.messages import Counter, EnrolmentRequest, Kind
from lancert.protocol.names import DEMO_ZONE
from lancert.protocol.signatures import Identity
from lancert.service.authority import EmbeddedAuthority, LeafPlan, create_authority, open_authority
from lancert.service.decision import Asked
from lancert.service.enrolment import enrol
from lancert.service.issuance import Desk, Granted
from lancert.service.signing_request import read_signing_request
from lancert.service.store.engine import DATABASE_FILE, open_engine, transaction
from lancert.service.store.writer import Store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IDENTITY = Identity("A" * 43)
KEY = ec.derive_private_key(0x1234567, ec.SECP256R1())

STEPS = ("before intent", "before sign", "after sign", "before record is answered", "never")


class DyingAuthority:
    """Signs like the one it wraps, and kills its process at one step."""

    def __init__(self, authority: EmbeddedAuthority, step: str) -> None:
        self._authority = authority
        self._step = step

    @property
    def root(self) -> x509.Certificate:
        """The root."""
        return self._authority.root

    @property
    def issuing(self) -> x509.Certificate:
        """The issuing certificate."""
        return self._authority.issuing

    def plan(self, *, names: tuple[str, ...], public_key: bytes, now: datetime) -> LeafPlan:
        """Plan inside the transaction that will record the intent."""
        self._die_at("before intent")
        return self._authority.plan(names=names, public_key=public_key, now=now)

    def sign(self, plan: LeafPlan) -> bytes:
        """Sign, after the intent was committed."""
        self._die_at("before sign")
        leaf = self._authority.sign(plan)
        self._die_at("after sign")
        return leaf

    def _die_at(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


def asked(count: int = 2) -> Asked:
    """A request for a certificate, always for the same key."""
    return Asked(
        identity=IDENTITY,
        counter=Counter(boot=1, count=count),
        body_hash=f"{count}" * 64,
        request=read_signing_request(csr_pem(KEY)),
    )


async def issue(folder: Path, step: str, *requests: Asked) -> list[bytes]:
    """Ask a desk over this folder for certificates, and give them."""
    authority = open_authority(folder / "authority", DEMO_ZONE, now=NOW)
    store = Store(open_engine(folder))
    desk = Desk(store=store, authority=DyingAuthority(authority, step), zone=DEMO_ZONE, clock=SettableClock(NOW))
    outcomes = await asyncio.gather(*(desk.ask(one) for one in requests))
    if step == "before record is answered":
        os.kill(os.getpid(), signal.SIGKILL)
    await desk.close()
    await store.close()
    assert all(isinstance(outcome, Granted) for outcome in outcomes)
    return [outcome.certificate for outcome in outcomes if isinstance(outcome, Granted)]


def issue_in_process(folder: Path, step: str) -> None:
    """Be the process that is killed."""
    asyncio.run(issue(folder, step, asked()))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder with an authority, an eligible customer and one box."""
    create_authority(tmp_path / "authority", DEMO_ZONE, now=NOW)
    with transaction(tmp_path) as connection:
        shop = add_customer(connection)
        request = EnrolmentRequest(
            counter=Counter(boot=1, count=1),
            contract=shop.contract,
            database=shop.database,
            kind=Kind.BOX,
            name="Counter",
            version="0.1.0",
        )
        enrol(connection, request, identity=IDENTITY, body_hash="1" * 64, now=NOW)
    return tmp_path


@pytest.fixture
def rows(prepared: Path) -> Callable[[], list[tuple[str, bytes | None]]]:
    """Serial and certificate of every issuance on the disk."""

    def read() -> list[tuple[str, bytes | None]]:
        database = sqlite3.connect(prepared / DATABASE_FILE)
        try:
            return database.execute("SELECT serial, certificate FROM issuances ORDER BY number").fetchall()
        finally:
            database.close()

    return read


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("count", [2, 3], ids=["the same request again", "a new request"])
def test_a_kill_at_any_step_leaves_one_intent_and_one_certificate(
    prepared: Path, rows: Callable[[], list[tuple[str, bytes | None]]], step: str, count: int
) -> None:
    """Whatever step the process dies at, the next one ends with one certificate, that of the recorded intent."""
    process = multiprocessing.get_context("spawn").Process(target=issue_in_process, args=(prepared, step))
    process.start()
    process.join(60)
    assert process.exitcode == (0 if step == "never" else -signal.SIGKILL)
    left = rows()

    (certificate,) = asyncio.run(issue(prepared, "", asked(count)))

    ((serial, recorded),) = rows()
    assert recorded == certificate
    assert format(x509.load_der_x509_certificate(certificate).serial_number, "x") == serial
    match step:
        case "before intent":
            assert left == []
        case "before sign" | "after sign":
            assert left == [(serial, None)]
        case _:
            assert left == [(serial, certificate)]


def test_many_requests_at_once_for_one_key_get_one_certificate(
    prepared: Path, rows: Callable[[], list[tuple[str, bytes | None]]]
) -> None:
    """A box that asks a hundred times at once has one certificate in the end (F-59)."""
    certificates = asyncio.run(issue(prepared, "", *(asked(count) for count in range(2, 102))))

    assert len(certificates) == 100
    assert len(set(certificates)) == 1 == len(rows())
