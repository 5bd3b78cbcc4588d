"""What the tests of the Debian package share: the builder, a program outside the package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def deb(root: Path) -> ModuleType:
    """The builder."""
    spec = importlib.util.spec_from_file_location("deb_builder", root / "tools" / "deb.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sources(root: Path) -> Path:
    """What the package is made of besides the agent."""
    return root / "packaging" / "debian"
