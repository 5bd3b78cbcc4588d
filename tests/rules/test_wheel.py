"""The wheel alone, installed bare, is a working IoT system: its commands run and the box's tests pass."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)

BOX_TESTS = ("tests/kit", "tests/protocol", "tests/box")


def _run(command: Sequence[str | Path], folder: Path, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a program away from the repository's own packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST_"))}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def _do(command: Sequence[str | Path], folder: Path) -> str:
    ended = _run(command, folder)
    assert ended.returncode == 0, f"{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    _do([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], root)
    (built,) = folder.glob("lancert-*.whl")
    return built


@pytest.fixture(scope="module")
def bare(root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and the box's lock, nothing else; gives its folder of programs."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    _do([sys.executable, "-m", "venv", "--without-pip", folder], root)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    _install(programs, root, "--require-hashes", "-r", root / "requirements" / "box.txt")
    _install(programs, root, "--no-deps", wheel)
    return programs


def _install(programs: Path, root: Path, *what: str | Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "--disable-pip-version-check")
    _do([*pip, "install", "--no-input", "--quiet", "--only-binary", ":all:", *what], root)


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path, root: Path) -> None:
    """Templates, styles, sentences and migrations travel with the code; tests do not."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = root / "src"
    made = ("__pycache__", ".mo")
    files = (path for path in source.rglob("*") if path.is_file() and not any(part in str(path) for part in made))

    assert held == {path.relative_to(source).as_posix() for path in files}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--version"], "0.1.0"),
        (["explain", "ERR_IOT_HTTPS_CHECK_NO_SERVER"], "ERR_IOT_HTTPS_CHECK_NO_SERVER"),
        (["box", "--help"], "lancert box"),
    ],
    ids=["version", "explain", "box"],
)
def test_the_command_runs_from_the_bare_wheel(bare: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    """What an IoT system needs is in the base install."""
    assert said in _do([bare / "lancert", *arguments], tmp_path)


def test_the_box_passes_its_tests_from_the_bare_wheel(bare: Path, root: Path, tmp_path: Path) -> None:
    """kit, protocol and box keep their rules with no package of the service in sight."""
    _install(bare, root, "--require-hashes", "-r", root / "requirements" / "test.txt")
    missing = "import importlib.util as u; print([n for n in ('sqlalchemy', 'alembic', 'dns') if u.find_spec(n)])"
    assert _do([bare / "python", "-P", "-c", missing], tmp_path).strip() == "[]"

    tests = [root / name for name in BOX_TESTS if (root / name).is_dir()]
    options = ("-q", "-c", root / "pyproject.toml", "--rootdir", root)
    ended = _run([bare / "python", "-P", "-m", "pytest", *options, *tests], tmp_path, seconds=500)

    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout.splitlines()[-1]
