"""Issuance: server CPU for one durable certificate, every check on, beside the machine's crypto floor.

The service is the real program in its own process: HTTPS on kept-alive connections, SQLite with synchronous=FULL, its
own authority. The boxes are put into the database beforehand; the client, in another process, has signed all its
requests before the clock starts and keeps 64 connections busy. The first requests of a process, which compile its SQL
and tell its name server of the boxes, come before the clock too, for the peer as well. Counted is the CPU time of the
service's process, user and system, of all its threads: the median of three fresh services, since noise only ever adds.
Beside it stand the crypto floor and, where Debian's cfssl is installed, that program storing nothing. Nothing is left
running.
"""

import asyncio
import json
import multiprocessing
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from uuid import uuid4

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from bench.cfssl import cfssl, is_installed, request_for
from bench.floor import IN_USE, floor
from lancert.kit.settings import environment_without_settings
from lancert.protocol.messages import CertificateRequest, Counter, EnrolmentRequest, Kind, encode
from lancert.protocol.signatures import identity_of, sign
from lancert.service.directory.record import By
from lancert.service.directory.subscriptions import add_subscription
from lancert.service.directory.tenants import add_contract, add_database, add_tenant
from lancert.service.enrolment import Enrolled, enrol
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    Actor,
    ContractCode,
    DatabaseUuid,
    Line,
    SubscriptionId,
    SubscriptionStatus,
    TenantId,
)
from lancert.service.store.engine import transaction

CERTIFICATES = 4_000
RUNS = 3
CONNECTIONS = 64
WARM_UP = 256
BOXES_PER_CONTRACT = 5
PATIENCE = 120.0
MUST, AIM = 0.30, 0.24


@dataclass(frozen=True, slots=True)
class Measured:
    """What one load cost: CPU seconds of the service for each certificate, and wall seconds of the whole."""

    user: float
    system: float
    wall: float

    @property
    def cpu(self) -> float:
        return self.user + self.system


def main() -> None:
    middle = sorted((measure(CERTIFICATES) for _ in range(RUNS)), key=lambda one: one.cpu)[RUNS // 2]
    print(f"issuance, {CERTIFICATES:,} certificates on {CONNECTIONS} connections      ms CPU each")
    remark = f"median of {RUNS}, must be {MUST:.2f}, aim {AIM}"
    print(f"  service, all threads             {middle.cpu * 1e3:7.3f}  {remark}")
    print(f"    of it user, system             {middle.user * 1e3:7.3f} {middle.system * 1e3:7.3f}")
    ground = sum(floor(IN_USE).values())
    print(f"  crypto floor of this machine     {ground * 1e3:7.3f}")
    print(f"  above the floor                  {(middle.cpu - ground) * 1e3:7.3f}")
    print(f"  certificates a second            {CERTIFICATES / middle.wall:7.0f}")
    if is_installed():
        peer = measure_cfssl(CERTIFICATES)
        print(f"  cfssl, storing nothing           {peer.cpu * 1e3:7.3f}  over plain HTTP, as many connections")
    else:
        print("  cfssl, storing nothing           not installed (Debian: golang-cfssl)")


def measure(certificates: int) -> Measured:
    """Have that many certificates issued once by a fresh service."""
    with tempfile.TemporaryDirectory(prefix="lancert-bench-") as name, service(Path(name)) as ready:
        requests = prepare(Path(name), ready["https_port"], WARM_UP + certificates)
        return load(ready["https_port"], ready["pid"], requests, is_tls=True)


def measure_cfssl(certificates: int) -> Measured:
    """Have that many certificates signed once by a fresh cfssl."""
    with cfssl() as (port, process):
        return load(port, process, [request_for(number) for number in range(WARM_UP + certificates)], is_tls=False)


def load(port: int, process: int, requests: list[bytes], *, is_tls: bool) -> Measured:
    """Have all requests sent by a client of its own, and count what the process that answers needs for each."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    client = context.Process(target=ask_all, args=(theirs, port, requests, is_tls))
    client.start()
    try:
        expect(ours, "connected")
        before = cpu_of(process)
        started = time.perf_counter()
        ours.send("go")
        expect(ours, "done")
        wall = time.perf_counter() - started
        after = cpu_of(process)
    finally:
        client.join(PATIENCE)
    count = len(requests) - WARM_UP
    return Measured((after[0] - before[0]) / count, (after[1] - before[1]) / count, wall)


@contextmanager
def service(folder: Path) -> Iterator[dict[str, int]]:
    """Run the real service on free ports of loopback."""
    options = ["--https-port", "0", "--http-port", "none", "--dns-port", "0", "--log-level", "warning", "--json"]
    command = [sys.executable, *PROFILER, "-m", "lancert", "service", "run", "--folder", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment_without_settings())
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(PATIENCE)


PROFILER: list[str] = []


def prepare(folder: Path, port: int, certificates: int) -> list[bytes]:
    """Put customers and boxes into the database, and sign a request for each box."""
    now = datetime.now(UTC)
    by = By(actor=Actor("bench"), at=now)
    requests = []
    with transaction(folder) as connection:
        for number in range(certificates):
            if number % BOXES_PER_CONTRACT == 0:
                tenant, contract = TenantId(f"t{number}"), ContractCode(f"C-{number}")
                database = DatabaseUuid(str(uuid4()))
                add_tenant(connection, tenant, "A shop", by)
                add_contract(connection, contract, tenant, by)
                add_subscription(
                    connection,
                    SubscriptionId(f"S-{number}"),
                    contract,
                    by,
                    status=SubscriptionStatus.IN_PROGRESS,
                    lines=(Line(product=IOT_BOX_PRODUCT, quantity=BOXES_PER_CONTRACT),),
                )
                add_database(connection, database, tenant, by, name="shop")
            key = ed25519.Ed25519PrivateKey.generate()
            first = EnrolmentRequest(
                counter=Counter(boot=1, count=1),
                contract=contract,
                database=database,
                kind=Kind.BOX,
                name=f"Counter {number}",
                version="0.1.0",
            )
            enrolled = enrol(
                connection, first, identity=identity_of(key), body_hash=sha256(encode(first)).hexdigest(), now=now
            )
            assert isinstance(enrolled, Enrolled)
            requests.append(request_of(key, f"127.0.0.1:{port}"))
    return requests


def request_of(identity: ed25519.Ed25519PrivateKey, authority: str) -> bytes:
    """Write a request for a certificate as the bytes of HTTP."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()
    body = encode(CertificateRequest(counter=Counter(boot=1, count=2), csr=pem))
    path = "/api/v1/certificates"
    headers = {
        "host": authority,
        "user-agent": "lancert-box",
        "accept": "application/json",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **sign(key=identity, method="POST", authority=authority, path=path, body=body),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def ask_all(pipe: Pipe, port: int, requests: list[bytes], is_tls: bool) -> None:
    """Be the boxes: send every request once, over a bounded number of connections; lightly, since cores are shared."""
    uvloop.run(_ask_all(pipe, port, requests, is_tls))


async def _ask_all(pipe: Pipe, port: int, requests: list[bytes], is_tls: bool) -> None:
    context = None
    if is_tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    connections = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(CONNECTIONS)]

    async def one(waiting: Iterator[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(body.decode())

    async def send(some: list[bytes]) -> None:
        waiting = iter(some)
        await asyncio.gather(*(one(waiting, *connection) for connection in connections))

    try:
        await send(requests[:WARM_UP])
        pipe.send("connected")
        pipe.recv()
        await send(requests[WARM_UP:])
        pipe.send("done")
    except Exception as error:
        pipe.send(f"failed: {error}")


def expect(pipe: Pipe, word: str) -> None:
    if not pipe.poll(PATIENCE):
        raise TimeoutError("the client did not answer")
    if (said := pipe.recv()) != word:
        raise RuntimeError(said)


def cpu_of(process: int) -> tuple[float, float]:
    """Give the CPU seconds of a process in user and system mode, all threads (proc(5), stat)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


if __name__ == "__main__":
    main()
