"""What every test may use: the outside tools, free ports, and how hypothesis searches."""

import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Waiting for a slow machine is no failure (deadline), and a build that fails fails for everybody (derandomize).
settings.register_profile("lancert", deadline=None, max_examples=100)
settings.register_profile("lancert-ci", deadline=None, max_examples=100, derandomize=True, database=None)
settings.load_profile("lancert-ci" if os.environ.get("CI") else "lancert")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def our_program() -> Callable[[str], ModuleType]:
    """Load one of our programs in ``tools``, which are no package, by its name."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Find an outside program; one that is missing fails the test and names its Debian package."""
    lines = (ROOT / "tools" / "outside-tools.txt").read_text(encoding="utf-8").splitlines()
    packages = dict(line.split() for line in lines if not line.startswith("#"))

    def find(program: str) -> str:
        if program not in packages:
            pytest.fail(f"{program} is not listed in tools/outside-tools.txt")
        path = shutil.which(program)
        if path is None:
            pytest.fail(f"{program} is missing: make test installs it as root; or apt-get install {packages[program]}")
        return path

    return find


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Draw ports of loopback that nobody listens on, for programs that cannot take port 0; free for TCP and UDP."""

    def draw() -> int:
        while True:
            with socket.socket(type=socket.SOCK_STREAM) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", 0))
                port: int = tcp.getsockname()[1]
                try:
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port

    return draw
