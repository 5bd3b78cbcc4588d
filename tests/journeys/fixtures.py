"""The fixtures of the stories: one service for a file of stories, as many IoT systems as a story needs.

Each ``conftest.py`` whose tests need them imports them by name.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.journeys.world import Box, Service, start_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A certificate service that runs for the stories of one file."""
    started = start_service(tmp_path_factory.mktemp("service") / "service")
    yield started
    started.stop()


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """A certificate service of one story alone, which may end it."""
    started = start_service(tmp_path / "service")
    yield started
    started.stop()


@pytest.fixture
def new_box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    """Make IoT systems; those that run are ended with the story."""
    made: list[Box] = []

    def make(env: dict[str, str] | None = None) -> Box:
        box = Box(tmp_path / f"box{len(made)}", env)
        made.append(box)
        return box

    yield make
    for box in made:
        box.stop()
