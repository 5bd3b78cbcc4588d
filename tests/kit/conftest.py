"""What the tests of the small tools share: a umask that takes nothing away."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def careless_umask() -> Iterator[None]:
    """Let every file be made with all the rights it asks for."""
    before = os.umask(0)
    yield
    os.umask(before)
