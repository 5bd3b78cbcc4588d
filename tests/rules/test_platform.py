"""What only one system has is asked for in one place: ``kit/platform``, where both halves offer the same names.

Held for everything a box is made of. ``mypy --platform win32`` is the complete check of names; this one also finds
questions about the system itself, and what is hidden behind them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BOX = ("box/", "kit/", "protocol/", "cli/box/", "cli/__init__.py", "cli/explain.py")
ONE_PLACE = "kit/platform/"

# Modules that are of one system as a whole, and what another system has instead.
OF_ONE_SYSTEM = {
    "box/deploy/": "handing certificates to nginx and its like: on Windows the settings refuse a target",
    "box/netlink.py": "the kernel's own word on addresses: elsewhere network.py asks ifaddr, and asks again",
    "box/network.py": "what the kernel says about an interface, once netlink was there",
    "box/diagnosis/resolvers.py": "whom the system asks for names; without these files nobody is known",
}

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty", "uvloop"}
WINDOWS_MODULES = {"msvcrt", "winreg", "winsound", "_winapi"}
NAMES = {
    "os": {
        *("chown", "fchown", "lchown", "fchmod", "chroot", "fork", "forkpty", "setsid", "setuid", "setgid", "umask"),
        *("getuid", "geteuid", "getgid", "getegid", "getgroups", "initgroups", "getpgid", "setpgid", "killpg", "nice"),
        *("mkfifo", "mknod", "openpty", "pread", "pwrite", "pathconf", "sysconf", "statvfs", "fstatvfs", "sendfile"),
        *("sync", "uname", "getloadavg", "set_blocking", "get_blocking", "sched_getaffinity", "posix_fadvise"),
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "O_DSYNC", "O_NOCTTY", "O_TMPFILE"),
        *("O_BINARY", "O_NOINHERIT", "startfile", "name"),
    },
    "sys": {"platform", "getwindowsversion"},
    "signal": {
        *("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGQUIT", "SIGPIPE", "SIGBREAK", "alarm"),
        *("pause", "setitimer", "sigwait", "pthread_kill", "pthread_sigmask", "CTRL_C_EVENT", "CTRL_BREAK_EVENT"),
    },
    "socket": {
        *("AF_UNIX", "AF_NETLINK", "AF_PACKET", "SO_REUSEADDR", "SO_REUSEPORT", "SO_EXCLUSIVEADDRUSE"),
        *("SO_PEERCRED", "SO_BINDTODEVICE", "SCM_RIGHTS", "MSG_DONTWAIT", "MSG_NOSIGNAL", "create_server"),
    },
    "select": {"epoll", "poll", "kqueue"},
    "ctypes": {"WinDLL", "windll", "WinError", "get_last_error", "CDLL", "cdll"},
}
METHODS = {"add_signal_handler", "remove_signal_handler", "owner", "group"}


def _of_one_system(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = any(alias.name.split(".")[0] in MODULES | WINDOWS_MODULES for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[0]
            found = module in MODULES | WINDOWS_MODULES or bool(
                NAMES.get(module, set()) & {alias.name for alias in node.names}
            )
        elif isinstance(node, ast.Attribute):
            known = NAMES.get(node.value.id, set()) if isinstance(node.value, ast.Name) else set()
            found = node.attr in known
        elif isinstance(node, ast.Call):
            found = _asks_in_vain(node) or _is_path_from_the_root(node)
        else:
            continue
        if found:
            yield node


def _asks_in_vain(call: ast.Call) -> bool:
    """Find ``hasattr(os, "fork")``, ``getattr(socket, "AF_UNIX", None)`` and methods of one system."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in METHODS and not call.args[2:] and call.func.attr != "group"
    if not (isinstance(call.func, ast.Name) and call.func.id in {"hasattr", "getattr"} and len(call.args) >= 2):
        return False
    of, name = call.args[:2]
    return isinstance(of, ast.Name) and isinstance(name, ast.Constant) and str(name.value) in NAMES.get(of.id, set())


def _is_path_from_the_root(call: ast.Call) -> bool:
    """Find ``Path("/etc/...")``: another system has no such place."""
    named = isinstance(call.func, ast.Name) and call.func.id in {"Path", "PurePath", "open"}
    return named and any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.startswith("/") for one in call.args
    )


CAUGHT = (
    "import fcntl",
    "from pwd import getpwnam",
    "import msvcrt",
    "os.geteuid()",
    "from os import fork",
    "os.open(path, os.O_RDONLY | os.O_DIRECTORY)",
    "sys.platform == 'win32'",
    "os.name == 'posix'",
    "loop.add_signal_handler(signal.SIGINT, stop.set)",
    "signal.signal(signal.SIGHUP, look)",
    "hasattr(socket, 'AF_UNIX')",
    "getattr(os, 'O_CLOEXEC', 0)",
    "socket.create_server(('127.0.0.1', 80))",
    "door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)",
    "ctypes.WinDLL('kernel32')",
    "Path('/proc/self/fd')",
    "open('/etc/resolv.conf')",
)
PASSED = (
    "import os, socket, signal; os.open(path, os.O_RDONLY); os.replace(old, new); os.fsync(file)",
    "signal.signal(signal.SIGINT, stop)",
    "socket.socket(socket.AF_INET6); getattr(agent, 'name', None); match.group(1)",
    "system.platform_name; Path('box') / 'log'; router.name; '/api/v1/reports'",
)


@pytest.mark.parametrize("snippet", CAUGHT)
def test_what_only_one_system_has_is_found(snippet: str) -> None:
    """The rule is not blind: modules, names, flags, signals, questions about the system and its places."""
    assert list(_of_one_system(ast.parse(snippet)))


@pytest.mark.parametrize("snippet", PASSED)
def test_what_every_system_has_is_let_pass(snippet: str) -> None:
    """And it does not cry at what Windows has as well."""
    assert list(_of_one_system(ast.parse(snippet))) == []


def _applies(name: str) -> bool:
    return name.startswith(BOX) and not name.startswith((ONE_PLACE, *OF_ONE_SYSTEM))


@pytest.mark.promise("M19")
def test_the_box_asks_its_system_in_one_place(modules: dict[Path, ast.Module], source: Path) -> None:
    """M19: nothing the IoT system is made of stops on Windows because of a name that Windows does not have."""
    asked = [
        f"{path.relative_to(source).as_posix()}:{getattr(node, 'lineno', 0)}"
        for path, tree in modules.items()
        if _applies(path.relative_to(source).as_posix())
        for node in _of_one_system(tree)
    ]

    assert asked == []


def test_every_exception_is_needed(modules: dict[Path, ast.Module], source: Path) -> None:
    """What asks nothing any more leaves the list."""
    names = {
        path.relative_to(source).as_posix(): any(True for _ in _of_one_system(tree)) for path, tree in modules.items()
    }

    for exception in OF_ONE_SYSTEM:
        assert any(asks for name, asks in names.items() if name.startswith(exception)), exception
