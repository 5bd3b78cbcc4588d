"""Windows: access lists in place of modes, replacing that waits for readers, locks by msvcrt, console signals.

The other half is ``posix``, with the same names. The calls to Windows itself are in ``win32`` and the decisions about
access lists in ``windows_access``: what is decided is tested on any system, what is called has run on none of ours.
"""

import errno
import locale
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, TypeVar

from lancert.kit.platform.room import Room
from lancert.kit.platform.win32 import calls
from lancert.kit.platform.windows_access import accounts_to_keep, private_folder, read_access

KIND = "virtual"
"""Which kind of IoT system a machine with this system usually is."""

OPEN_FLAGS: int = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
"""What every file is opened with besides."""

HAS_SCHEDULED_TASKS = True
"""Whether programs are started with the machine by scheduled tasks, as Windows does."""

OPEN_NO_LINK = 0
"""What a file is opened with besides, to fail when it is a link: here only an administrator makes links."""

DISK_IS_DAMAGED: tuple[int, ...] = ()
"""The error numbers, besides those every system has, that say that a disk is failing."""

PORT_REFUSED = (
    "Windows or another program keeps it for itself, as “netsh http show servicestate” and “netsh interface ipv4 show "
    "excludedportrange protocol=tcp” tell; choose another one"
)
"""Why this system refuses a port that no other program seems to use, and what to do."""

# A virus scanner or a backup opens a file for a moment and for that moment nobody may rename over it; so does every
# reader. 1.3 s in all: 1, 2, 4 ... 256 ms, then 256 ms three times.
_WAITS = tuple(min(0.001 * 2**turn, 0.256) for turn in range(12))
_WAITS_OF_READER = _WAITS[:7]  # all that is in a reader's way is one rename, which is short

_T = TypeVar("_T")


def patiently(act: Callable[[], _T], wait: Callable[[float], None] = time.sleep, waits: Sequence[float] = _WAITS) -> _T:
    """Do something again that was refused because another program has the file open at this moment. Raises OSError."""
    for seconds in waits:
        try:
            return act()
        except PermissionError:  # "access denied", "sharing violation" and "lock violation" are all this one
            wait(seconds)
    return act()


def make_private_folder(path: Path) -> None:
    """Make a folder for the own account, system and administrators alone; one that is there stays. Raises OSError."""
    own = calls.own_account()
    if read_access(calls.access_of(path.parent)).strangers(own):
        calls.make_folder(path, private_folder(own))
    else:
        # What is made in a private folder inherits its access list, and follows it when it is given to another account.
        path.mkdir(exist_ok=True)


def close_folder(path: Path) -> None:
    """Take every right on a folder away from strangers; one that belongs to a stranger is refused. Raises OSError."""
    own = calls.own_account()
    found = read_access(calls.access_of(path))
    if found.is_owned_by_stranger(own):
        raise PermissionError(
            errno.EACCES, "the folder belongs to another account, which could open it again", str(path)
        )
    if found.strangers(own):
        calls.set_access(path, private_folder(*accounts_to_keep(found, own)))
        _must_be_closed(path, own)


def give_to(path: Path, account: str) -> None:
    """Give a folder with all it holds to the account of the scheduled task; an administrator does. Raises OSError."""
    calls.set_access(path, private_folder(account), owner="BA")


def set_mode(descriptor: int, mode: int) -> None:
    """Leave the rights of a file that was just made as they came down from its folder."""


def set_owner(descriptor: int, user: int, group: int) -> None:
    """Refuse: accounts have no numbers here, and a file is given to one by its folder. Raises OSError."""
    raise OSError(errno.EOPNOTSUPP, "on Windows the folder says who may read a file")


def is_open_to_others(path: Path) -> bool:
    """Say whether strangers have any right on the file. Raises OSError."""
    return bool(read_access(calls.access_of(path)).strangers(calls.own_account()))


def close_to_others(path: Path) -> None:
    """Leave a file only the rights that come down from its folder. Raises OSError when these are too many."""
    calls.inherit_access(path)
    _must_be_closed(path, calls.own_account())


def _must_be_closed(path: Path, own: str) -> None:
    if read_access(calls.access_of(path)).strangers(own):
        raise OSError(errno.EACCES, "it cannot be closed to other accounts; the disk must be NTFS", str(path))


def open_to_read(path: Path) -> BinaryIO:
    """Open a file to read it, also while it is being replaced. Raises OSError."""
    return patiently(lambda: path.open("rb"), waits=_WAITS_OF_READER)


def replace(old: Path, new: Path) -> None:
    """Rename a file over another; it is on the disk when this returns. Raises OSError."""
    patiently(lambda: calls.move_over(old, new))


def sync_folder(path: Path) -> None:
    """Do nothing: a rename is written through, and Windows offers no such call."""


def room(folder: Path) -> Room:
    """Say what the disk of a folder has room for; Windows keeps no count of files. Raises OSError."""
    return Room(is_read_only=False, bytes=shutil.disk_usage(folder).free, files=None)


def take_lock(descriptor: int) -> None:
    """Lock an open file for this process; freed by the system with its end. Raises OSError when it is taken."""
    calls.lock(descriptor)


def state_folder(part: str, environment: Mapping[str, str], own_home: Callable[[], Path]) -> Path:
    """Give the folder a part keeps its state in, the same one for the scheduled task and for every account."""
    return Path(PureWindowsPath(environment.get("PROGRAMDATA") or r"C:\ProgramData") / "lancert" / part)


def reader_language() -> str | None:
    """Give the language Windows shows to this account, as gettext names it: ``es_ES``."""
    return locale.windows_locale.get(calls.screen_language())


def has_proxy_settings() -> bool:
    """Say whether the system itself may name a proxy, besides the environment."""
    return True


def listening_socket(address: str, port: int, backlog: int) -> socket.socket:
    """Listen on an address and port that no other program can take as well. Raises OSError."""
    listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without this option any other program may take over the port, and SO_REUSEADDR would invite it to.
        if (exclusive := getattr(socket, "SO_EXCLUSIVEADDRUSE", None)) is not None:
            listening.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        if listening.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


def keep_network_errors(door: socket.socket) -> None:
    """Do nothing: Windows does not tell a program what ICMP said."""


def kept_network_errors(door: socket.socket) -> list[bytes]:
    """Give nothing."""
    return []


def send_small_segments(door: socket.socket, size: int) -> None:
    """Do nothing: Windows lets no program choose."""


def repeat_steadily(door: socket.socket) -> None:
    """Do nothing: Windows lets no program choose."""


def open_files_limit() -> int | None:
    """Say how many files this process may have open; Windows sets no limit worth knowing."""
    return None


def when_told_to_stop(stop: Callable[[], None]) -> None:
    """Have this called in the running loop on Ctrl-C and Ctrl-Break; from here on they end nothing abruptly."""
    import asyncio  # not for a command that runs no loop
    import signal

    loop = asyncio.get_running_loop()
    # The loops of Windows know no signal handlers; Python calls these between two steps of the main thread, and the
    # loop is woken by the signal itself (signal.set_wakeup_fd, which the loop has set).
    for name in ("SIGINT", "SIGBREAK", "SIGTERM"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(stop))


def when_told_to_look_again(look: Callable[[], None]) -> None:
    """Do nothing: no signal of Windows asks for that, and the agent looks at its folder every second anyway."""


def tell_manager(address: str, message: bytes) -> None:
    """Refuse: no service manager that is told this way starts programs here. Raises OSError."""
    raise OSError(errno.EOPNOTSUPP, "there is no such service manager on Windows")
