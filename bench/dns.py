"""DNS: CPU per query, of the answer alone and of a running server, beside plain dnspython on the same machine.

The served figures are the CPU time of the server's process, user and system, while a client in another process
keeps a number of queries under way over loopback. With many the server works in batches, as it does whenever its
load matters. With one, each query may wake a sleeping processor: that figure is the kernel's more than ours, and on
a virtual machine it falls anywhere between 7 and 40 us from run to run. Nothing is left running.
"""

import asyncio
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import ip_address
from multiprocessing.connection import Connection
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset

from lancert.dns.answer import answer
from lancert.dns.general import answer_generally
from lancert.dns.server import NameServer
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import DEMO_ZONE, new_label, ranges_for_zone

Respond = Callable[[bytes], bytes | None]

BOXES = 20_000
QUERIES = 50_000
SLOW_QUERIES = 8_000
UNDER_WAY = 32
ROUNDS = 3
MOST_US = 12.0


def main() -> None:
    facts = a_zone()
    query = dns.message.make_query(f"192-168-1-5.{next(iter(facts.boxes))}.{DEMO_ZONE}", "A", use_edns=0).to_wire()
    print(f"DNS, a zone of {BOXES:,} boxes                     us CPU a query")
    strict = cost(lambda: answer(query, facts, transport=Transport.UDP), QUERIES)
    row("answer, strict path", strict)
    row("answer, general path", cost(lambda: answer_generally(query, facts, transport=Transport.UDP), SLOW_QUERIES))
    row("answer, plain dnspython", cost(lambda: plain_dnspython(query), SLOW_QUERIES))
    for name in loops():
        batched, batched_share = served(facts, query, name, UNDER_WAY)
        single, single_share = served(facts, query, name, 1)
        row(
            f"served on {name}, {UNDER_WAY} under way",
            batched,
            f"answered {batched_share:.1%}, must be at most {MOST_US:g}",
        )
        row(f"served on {name}, one at a time", single, f"answered {single_share:.1%}")


def row(name: str, seconds: float, remark: str = "") -> None:
    print(f"  {name:<40} {seconds * 1e6:7.1f}  {remark}".rstrip())


def a_zone() -> ZoneFacts:
    """A demo zone of many boxes, each with two addresses."""
    reported = (ip_address("192.168.1.5"), ip_address("fd12:3456::1"))
    return ZoneFacts(
        zone=DEMO_ZONE,
        ranges=ranges_for_zone(DEMO_ZONE),
        serial=1,
        name_servers=(f"ns1.{DEMO_ZONE}",),
        boxes={new_label(): reported for _ in range(BOXES)},
        hosts={"ns1": (ip_address("127.0.0.1"),)},
    )


def plain_dnspython(query: bytes) -> bytes:
    """What the shortest server on dnspython does: read, take the address out of the name, answer."""
    message = dns.message.from_wire(query)
    response = dns.message.make_response(message)
    response.flags |= dns.flags.AA
    question = message.question[0]
    address = question.name.labels[0].decode().replace("-", ".")
    response.answer.append(dns.rrset.from_text(question.name, 3600, "IN", "A", address))
    return response.to_wire()


def cost(call: Callable[[], object], calls: int) -> float:
    """Give the CPU seconds of one call: the best of a few rounds, since noise only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(calls):
            call()
        best = min(best, (time.process_time() - started) / calls)
    return best


def loops() -> list[str]:
    """Name the event loops there are."""
    return ["uvloop", "asyncio"] if find_spec("uvloop") else ["asyncio"]


def served(facts: ZoneFacts, query: bytes, loop: str, under_way: int) -> tuple[float, float]:
    """Load a server in a process of its own; its CPU seconds per answer, and the share of queries answered."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=live, args=(facts, loop, theirs), daemon=True)
    process.start()
    try:
        port = ours.recv()
        assert process.pid is not None
        ask(port, query, 2_000, under_way)
        before = cpu_seconds(process.pid)
        answered = ask(port, query, QUERIES, under_way)
        return (cpu_seconds(process.pid) - before) / max(answered, 1), answered / QUERIES
    finally:
        process.terminate()
        process.join()


def live(facts: ZoneFacts, loop: str, pipe: Connection) -> None:
    """Be the server until the process is ended."""

    async def serve() -> None:
        server = NameServer(facts)
        await server.start("127.0.0.1", 0)
        pipe.send(server.port)
        await asyncio.Event().wait()

    if loop == "uvloop":
        import uvloop

        uvloop.run(serve())
    else:
        asyncio.run(serve())


def ask(port: int, query: bytes, count: int, under_way: int) -> int:
    """Send queries, never more than some at once, and count the answers; a second of silence ends it."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", port))
        for _ in range(under_way):
            client.send(query)
        sent, answered = under_way, 0
        try:
            while answered < count:
                client.recv(2048)
                answered += 1
                if sent < count:
                    client.send(query)
                    sent += 1
        except TimeoutError:
            pass
        return answered


def cpu_seconds(pid: int) -> float:
    """Read the user and system time of a process (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
