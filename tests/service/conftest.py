"""Small services every test of these may use: one of its own, or one shared by a module."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.service.harness import RunningService, ServiceThread, client_of, settings_for

from lancert.kit.clock import SettableClock
from lancert.service.limits import Rate, Rates

GENEROUS = Rates(
    per_identity=Rate(burst=10_000, seconds=1),
    per_source=Rate(burst=10_000, seconds=1),
    guesses=Rate(burst=10_000, seconds=1),
)


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still at the time of this run, so that TLS clients agree with it."""
    return _now()


@pytest.fixture
def start_service(tmp_path: Path, clock: SettableClock) -> Iterator[Callable[..., RunningService]]:
    """Start services; all of them are stopped at the end."""
    with ExitStack() as stack:

        def start(folder: str = "service", rates: Rates | None = None, **other: Any) -> RunningService:
            return _start(stack, tmp_path / folder, clock, rates, **other)

        yield start


@pytest.fixture
def service(start_service: Callable[..., RunningService]) -> RunningService:
    """A running service of one's own."""
    return start_service()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A running service for tests that each bring their own customer, and are never told to slow down."""
    with ExitStack() as stack:
        yield _start(stack, tmp_path_factory.mktemp("shared") / "service", _now(), GENEROUS)


def _start(stack: ExitStack, folder: Path, clock: SettableClock, rates: Rates | None, **other: Any) -> RunningService:
    thread = ServiceThread(settings_for(folder, **other), clock, rates)
    ready = thread.start()
    stack.callback(thread.stop)
    client = stack.enter_context(client_of(folder, ready))
    return RunningService(ready=ready, folder=folder, clock=clock, client=client, stop=thread.stop)


def _now() -> SettableClock:
    return SettableClock(datetime.now(UTC).replace(microsecond=0))
