"""The messages to a service manager, read from a real socket as one would read them."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lancert.kit.service_manager import ServiceManager
from lancert.kit.settings import notify_socket, watchdog_seconds

Listen = Callable[[str], socket.socket]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Open the socket of a manager at an address, a path or the name of an abstract one."""
    opened = []

    def at(address: str) -> socket.socket:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        opened.append(door)
        door.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        door.settimeout(10)
        return door

    yield at
    for door in opened:
        door.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of address a manager may name."""
    return str(tmp_path / "notify") if request.param == "path" else f"@lancert-{secrets.token_hex(8)}"


def test_each_message_is_one_datagram_of_assignments(listen: Listen, address: str) -> None:
    """What sd_notify(3) describes, for both kinds of socket: ready, alive, status, stopping."""
    door = listen(address)
    manager = ServiceManager(address)

    manager.ready("The homepage is served.")
    manager.alive()
    manager.status("One line\nand another.")
    manager.stopping()

    assert [door.recv(4096).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=The homepage is served.",
        "WATCHDOG=1",
        "STATUS=One line and another.",
        "STOPPING=1\nSTATUS=Stopping.",
    ]


def test_without_a_manager_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """An agent started at a terminal tries to tell nobody, and has nothing to complain of."""
    manager = ServiceManager(None)
    manager.ready("The homepage is served.")
    manager.alive()
    manager.stopping()

    assert caplog.records == []


@pytest.mark.parametrize("address", ["{folder}/nobody-there", "vsock:2:1234", "relative", "/" + "x" * 200])
def test_a_manager_that_cannot_be_told_stops_nothing(
    tmp_path: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The homepage matters more than who watches it; the log says what could not be delivered."""
    ServiceManager(address.format(folder=tmp_path)).alive()

    assert len(caplog.records) == 1


def test_a_manager_that_does_not_read_holds_up_nothing(listen: Listen, tmp_path: Path) -> None:
    """Once its queue is full, messages are lost rather than waited for."""
    with closing(listen(str(tmp_path / "notify"))):
        manager = ServiceManager(str(tmp_path / "notify"))

        def tell() -> None:
            for _ in range(2000):
                manager.alive()

        told = threading.Thread(target=tell, daemon=True)
        told.start()
        told.join(20)

        assert not told.is_alive()


def test_where_the_manager_listens_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd names its socket there; an empty name is none."""
    for value, read in (("/run/systemd/notify", "/run/systemd/notify"), ("@abstract", "@abstract"), ("", None)):
        monkeypatch.setenv("NOTIFY_SOCKET", value)
        assert notify_socket() == read
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert notify_socket() is None


@pytest.mark.parametrize(
    ("microseconds", "process", "seconds"),
    [
        ("30000000", None, 30.0),
        ("30000000", "own", 30.0),
        ("30000000", "1", None),
        ("500000", None, 0.5),
        (None, None, None),
        ("", None, None),
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
        ("\u0663", None, None),
    ],
)
def test_the_watchdog_is_ours_alone(
    monkeypatch: pytest.MonkeyPatch, microseconds: str | None, process: str | None, seconds: float | None
) -> None:
    """Microseconds, and only if this process is meant: a child inherits the environment, not the duty."""
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", process)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)

    assert watchdog_seconds() == seconds
