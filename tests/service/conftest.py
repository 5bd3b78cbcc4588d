"""The small service every test of these may use, and its clock."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.service.harness import RunningService, ServiceThread, settings_for

from lancert.kit.clock import SettableClock
from lancert.service.limits import Rates


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still at the time of this run, so that TLS clients agree with it."""
    return SettableClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def start_service(tmp_path: Path, clock: SettableClock) -> Iterator[Callable[..., RunningService]]:
    """Start services; all of them are stopped at the end."""
    running: list[tuple[ServiceThread, httpx2.Client]] = []

    def start(folder: str = "service", rates: Rates | None = None, **other: Any) -> RunningService:
        settings = settings_for(tmp_path / folder, **other)
        thread = ServiceThread(settings, clock, rates)
        ready = thread.start()
        context = ssl.create_default_context(cafile=str(settings.folder / ready.root_file))
        # The name of the service stands in its certificate; loopback is where it is, without asking any DNS.
        client = httpx2.Client(
            base_url=f"https://127.0.0.1:{ready.https_port}",
            verify=context,
            trust_env=False,
            timeout=20,
        )
        context.check_hostname = False
        running.append((thread, client))
        return RunningService(ready=ready, folder=settings.folder, clock=clock, client=client)

    yield start
    for thread, client in running:
        client.close()
        thread.stop()


@pytest.fixture
def service(start_service: Callable[..., RunningService]) -> RunningService:
    """One running service."""
    return start_service()
