"""Strangers who send nothing, one byte a second, or anything but HTTP, at a real agent; faults/ has the full sizes."""

from collections.abc import Iterator

import pytest
from faults._garbage import Garbage
from faults._process import largest
from faults._servers import Agent
from faults.endurance import rows as endurance
from faults.garbage import errors_in, refused, storm
from faults.slow import MEMORY, P99, both_doors, slow_clients, visited


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A box with a certificate, whose service is away."""
    agent = Agent(tmp_path_factory.mktemp("hostile"))
    yield agent
    agent.stop()


def test_slow_connections_hold_nobody_up(agent: Agent) -> None:
    """F-32: with 200 connections at one byte a second the homepage and its HTTPS door answer as ever."""
    with slow_clients(agent.http, agent.target.port, connections=200, sources=40):
        visits = visited(both_doors(agent.http, agent.target), seconds=3)

    assert visits.failures == ()
    assert len(visits.seconds) > 10
    assert visits.p99 <= P99
    assert largest(agent.pid) <= MEMORY


@pytest.mark.parametrize("table", Garbage("").tables)
def test_what_is_not_one_request_is_refused_and_the_connection_closed(agent: Agent, table: str) -> None:
    """F-33: hidden requests, oversized ones and foreign protocols get one 4xx at most, and the end."""
    assert refused(agent.http, Garbage(f"127.0.0.1:{agent.http}").tables[table]) == {}


def test_random_requests_end_nothing(agent: Agent) -> None:
    """F-33: spoiled requests over HTTP, in TLS and at the TLS port: no 5xx, nobody hangs, no error in the log."""
    stormed = storm(agent.http, agent.target.port, 2_000)

    assert (stormed.done, stormed.broken) == (2_000, 0)
    assert stormed.statuses["200"] > 20
    assert errors_in(agent.folder.log_file) == []
    assert agent.target.shown() == agent.first


def test_memory_stays_and_missing_descriptors_are_survived() -> None:
    """F-73: the short form of the endurance proof, with its controls."""
    assert [row.case for row in endurance(requests=1_500, handshakes=200) if not row.is_kept] == []
