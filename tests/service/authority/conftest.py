"""A real authority, made once for all tests that only use it, and what it needs to sign."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lancert.protocol.certificate import public_bytes
from lancert.protocol.names import DEMO_ZONE
from lancert.service.authority import EmbeddedAuthority, create_authority, open_authority
from lancert.service.authority.keys import new_key

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an authority for the demo zone; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("authority") / "authority"
    create_authority(folder, DEMO_ZONE, now=NOW)
    return folder


@pytest.fixture(scope="session")
def authority(authority_folder: Path) -> EmbeddedAuthority:
    """The authority, opened, verifying every signature."""
    return open_authority(authority_folder, DEMO_ZONE, now=NOW, verify_every=1)


@pytest.fixture(scope="session")
def box_key() -> bytes:
    """The public key of a box."""
    return public_bytes(new_key().public_key())


@pytest.fixture(scope="session")
def now() -> datetime:
    """The moment at which everything here happens."""
    return NOW
