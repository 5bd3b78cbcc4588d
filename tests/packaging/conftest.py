"""What the tests of the Debian package share: the builder, a program outside the package."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def deb(our_program: Callable[[str], ModuleType]) -> ModuleType:
    """The builder."""
    return our_program("deb")


@pytest.fixture(scope="session")
def sources(root: Path) -> Path:
    """What the package is made of besides the agent."""
    return root / "packaging" / "debian"
