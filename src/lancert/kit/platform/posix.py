"""Linux and its kin: modes, directories that are synced, flock, signals, a socket to the service manager.

The other half is ``windows``, with the same names.
"""

import contextlib
import errno
import fcntl
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from lancert.kit.platform.room import Room

assert sys.platform != "win32"  # what follows is not looked at when the types are checked for Windows

KIND = "iot-box"
"""Which kind of IoT system a machine with this system usually is."""

OPEN_FLAGS = os.O_CLOEXEC
"""What every file is opened with besides."""

HAS_SCHEDULED_TASKS = False
"""Whether programs are started with the machine by scheduled tasks, as Windows does."""

OPEN_NO_LINK = os.O_NOFOLLOW
"""What a file is opened with besides, to fail when it is a link that leads elsewhere."""

DISK_IS_DAMAGED: tuple[int, ...] = (errno.EUCLEAN,) if sys.platform == "linux" else ()
"""The error numbers, besides those every system has, that say that a disk is failing."""

PORT_REFUSED = "only root, or a service with CAP_NET_BIND_SERVICE, may use ports below 1024; choose higher ones"
"""Why this system refuses a port that no other program seems to use, and what to do."""

# What ICMP said about a connection, for IP and IPv6 (ip(7), IP_RECVERR; ipv6(7), IPV6_RECVERR).
_RECEIVE_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_THIN_LINEAR_TIMEOUTS = 16  # linux/tcp.h
_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700


def make_private_folder(path: Path) -> None:
    """Make a folder for its owner alone; one that is there stays as it is. Raises OSError."""
    path.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def close_folder(path: Path) -> None:
    """Take every right on a folder away from all but its owner. Raises OSError."""
    if stat.S_IMODE(path.stat().st_mode) != _PRIVATE_FOLDER:
        path.chmod(_PRIVATE_FOLDER)


def set_mode(descriptor: int, mode: int) -> None:
    """Give an open file its mode; the umask may have taken rights away when it was made. Raises OSError."""
    os.fchmod(descriptor, mode)


def set_owner(descriptor: int, user: int, group: int) -> None:
    """Give an open file to another account, group or both; -1 leaves either as it is. Raises OSError."""
    os.fchown(descriptor, user, group)


def is_open_to_others(path: Path) -> bool:
    """Say whether anybody but the owner has any right on the file. Raises OSError."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def close_to_others(path: Path) -> None:
    """Take every right on the file away from all but its owner. Raises OSError."""
    path.chmod(_PRIVATE_FILE)


def open_to_read(path: Path) -> BinaryIO:
    """Open a file to read it. Raises OSError."""
    return path.open("rb")


def replace(old: Path, new: Path) -> None:
    """Rename a file over another; on the disk once its folder is synced. Raises OSError."""
    old.replace(new)


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def room(folder: Path) -> Room:
    """Say what the disk of a folder has room for. Raises OSError."""
    found = os.statvfs(folder)
    # Some blocks and files are kept for root alone.
    blocks, files = (found.f_bfree, found.f_ffree) if os.geteuid() == 0 else (found.f_bavail, found.f_favail)
    return Room(
        is_read_only=bool(found.f_flag & os.ST_RDONLY),
        bytes=blocks * found.f_frsize,
        # A file system that makes room for files as it goes says that it has none.
        files=files if found.f_files > 0 else None,
    )


def take_lock(descriptor: int) -> None:
    """Lock an open file for this process; freed by the system with its end. Raises OSError when it is taken."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def state_folder(part: str, environment: Mapping[str, str], own_home: Callable[[], Path]) -> Path:
    """Give the folder a part keeps its state in: the system's for root, else one below the own home."""
    if os.geteuid() == 0:
        return Path("/var/lib/lancert") / part
    return Path(environment.get("XDG_STATE_HOME") or own_home() / ".local" / "state") / "lancert" / part


def reader_language() -> str | None:
    """Give the language this system speaks, as gettext names it: here the environment alone says so."""
    return None


def has_proxy_settings() -> bool:
    """Say whether the system itself may name a proxy, besides the environment."""
    return sys.platform == "darwin"


def listening_socket(address: str, port: int, backlog: int) -> socket.socket:
    """Listen on an address and port; a connection that is dying from before is no hindrance. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=backlog)


def keep_network_errors(door: socket.socket) -> None:
    """Have the system keep what ICMP says about a connection, and who said it, where it can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            door.setsockopt(*_RECEIVE_ERRORS[door.family], 1)


def kept_network_errors(door: socket.socket) -> list[bytes]:
    """Give what the system kept, each as a struct sock_extended_err and the socket address behind it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            _data, more, _flags, _from = door.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            return [content for level, option, content in more if (level, option) in _RECEIVE_ERRORS.values()]
    return []


def send_small_segments(door: socket.socket, size: int) -> None:
    """Have a connection send and ask for segments of at most this many bytes, where the system lets one choose."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size)


def repeat_steadily(door: socket.socket) -> None:
    """Have what is lost of a short conversation sent again at a steady pace, not after ever longer waits (tcp-thin).

    What a listening connection is told counts for those it accepts.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            door.setsockopt(socket.IPPROTO_TCP, _THIN_LINEAR_TIMEOUTS, 1)


def open_files_limit() -> int | None:
    """Say how many files this process may have open; None when its system sets no limit worth knowing."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def when_told_to_stop(stop: Callable[[], None]) -> None:
    """Have this called in the running loop on SIGTERM and SIGINT; from here on they end nothing abruptly."""
    import asyncio  # not for a command that runs no loop

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


def when_told_to_look_again(look: Callable[[], None]) -> None:
    """Have this called in the running loop on SIGHUP, which asks a program to read its settings again."""
    import asyncio  # not for a command that runs no loop

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, look)


def tell_manager(address: str, message: bytes) -> None:
    """Send one datagram to the socket of a service manager, without waiting for it. Raises OSError."""
    if address[0] not in "/@":
        raise OSError("only sockets of this machine are written to")
    # An abstract socket has a zero byte where a path has its first one (unix(7)).
    name = os.fsencode(address)
    target = b"\0" + name[1:] if name.startswith(b"@") else name
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as door:
        door.setblocking(False)  # a manager that does not read must not hold up the homepage
        door.sendto(message, target)
