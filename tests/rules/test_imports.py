"""What an import may do: nothing but define things, and on the box nothing beyond the base install."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

RUN_BY_OTHERS = {"lancert.__main__", "lancert.service.store.migrations.env"}  # by Python, by Alembic

SOURCE = Path(__file__).resolve().parents[2] / "src"

# Written into a fresh interpreter before the package is imported. An event counts against the module of ours whose
# body is being run at that moment, whoever it calls.
WATCH = r"""
import sys, os, json, threading
source, names = json.loads(sys.argv[1])
seen = []
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.truncate", "os.symlink", "os.link",
           "socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system",
           "os.fork", "os.posix_spawn", "sqlite3.connect", "tempfile.mkstemp", "tempfile.mkdtemp", "os.putenv",
           "a thread starts"}

def body():
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "<module>" and (name.split(".")[0] == "lancert" or name in names):
            return name
        frame = frame.f_back
    return None

def does(event, args):
    if event == "open":
        path, mode, flags = args
        writes = (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        reads_ours = str(path).startswith(source) and not str(path).endswith((".py", ".pyc"))
        return writes or (reads_ours and not os.path.isdir(path))
    return event in CHANGES

def hook(event, args):
    if (event == "open" or event in CHANGES) and does(event, args):
        module = body()
        if module:
            seen.append([module, event, str(args[0])[:200] if args else ""])

def start(*args, real=threading._start_new_thread):
    sys.audit("a thread starts")
    return real(*args)

threading._start_new_thread = start  # Python 3.11 has no event of its own for this
sys.addaudithook(hook)
import importlib
for name in names:
    importlib.import_module(name)
print(json.dumps(seen))
"""

# Refuses every installed package that the base install does not bring.
HIDE = r"""
import sys, json
hidden = set(json.loads(sys.argv.pop(1)))

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def _names(source: Path) -> list[str]:
    paths = (path.relative_to(source.parent).with_suffix("") for path in sorted(source.rglob("*.py")))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths)
    return [name for name in names if name not in RUN_BY_OTHERS]


def _run(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def _happened(folder: Path, source: Path, names: list[str]) -> list[list[str]]:
    ended = _run(f"import sys; sys.path.insert(0, '.')\n{WATCH}", json.dumps([str(source), names]), folder=folder)
    assert ended.returncode == 0, ended.stderr
    happened: list[list[str]] = json.loads(ended.stdout.splitlines()[-1])
    return happened


def test_nothing_happens_on_import(source: Path, tmp_path: Path) -> None:
    """Importing any module writes no file, reads none of ours, opens no socket and starts nothing."""
    assert _happened(tmp_path, source, _names(source)) == []


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("open('left-behind', 'w')", "open"),
        ("import socket; socket.socket()", "socket.__new__"),
        ("import sqlite3; sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("import threading; threading.Thread(target=int).start()", "a thread starts"),
    ],
)
def test_something_on_import_would_be_seen(source: Path, tmp_path: Path, line: str, event: str) -> None:
    """The watch above can see."""
    (tmp_path / "busy.py").write_text(line)

    assert [entry[:2] for entry in _happened(tmp_path, source, ["busy"])] == [["busy", event]]


@pytest.fixture(scope="module")
def beyond_the_box(root: Path) -> list[str]:
    """The import names of everything installed here that the base install does not bring."""
    lock = (root / "requirements" / "box.txt").read_text(encoding="utf-8")
    base = {_normal(name) for name in re.findall(r"^([\w.-]+)==", lock, flags=re.MULTILINE)} | {"lancert"}
    names = {
        name
        for name, distributions in metadata.packages_distributions().items()
        if not {_normal(distribution) for distribution in distributions} & base
    }
    assert {"sqlalchemy", "alembic", "dns", "httptools", "uvloop"} <= names
    return sorted(names | {"structlog", "rich", "pydantic", "fastapi"})


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _command(*arguments: str, hidden: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    run = f"{HIDE}\nimport runpy\nrunpy.run_module('lancert', run_name='__main__', alter_sys=True)"
    return _run(run, json.dumps(hidden), *arguments, folder=folder)


def test_the_base_install_imports_all_of_the_box(source: Path, beyond_the_box: list[str], tmp_path: Path) -> None:
    """kit, protocol and box need nothing of the service extra, and the command line starts without it."""
    bare = re.compile(r"lancert(\.cli|\.(kit|protocol|box)(\..*)?)?")
    names = [name for name in _names(source) if bare.fullmatch(name)]
    ended = _run(
        f"{HIDE}\nimport importlib\nfor name in sys.argv[1:]: importlib.import_module(name)",
        json.dumps(beyond_the_box),
        *names,
        folder=tmp_path,
    )

    assert ended.returncode == 0, ended.stderr
    assert {"lancert.cli", "lancert.box", "lancert.kit", "lancert.protocol"} <= set(names)


@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("--help",), ("box", "--help"), ("explain", "ERR_IOT_HTTPS_CHECK_NO_SERVER")],
    ids=" ".join,
)
def test_the_base_install_runs_the_box_commands(
    arguments: tuple[str, ...], beyond_the_box: list[str], tmp_path: Path
) -> None:
    """An IoT system needs nothing but the base install."""
    ended = _command(*arguments, hidden=beyond_the_box, folder=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


@pytest.mark.parametrize("arguments", [("service", "run"), ("admin", "tenant", "list"), ("demo",)], ids=" ".join)
def test_a_command_without_its_extra_says_what_to_install(
    arguments: tuple[str, ...], beyond_the_box: list[str], tmp_path: Path
) -> None:
    """One line instead of a traceback."""
    ended = _command(*arguments, hidden=beyond_the_box, folder=tmp_path)

    assert ended.returncode != 0
    assert "lancert[service]" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
