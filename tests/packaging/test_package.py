"""The Debian package as dpkg reads it, packed around a small tree; the whole one is tried by tools/try_deb.py."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

EPOCH = 1_780_000_000


@pytest.fixture
def pack(deb: ModuleType, tmp_path: Path) -> Callable[[str, str], Path]:
    """Pack the package without the libraries, in a folder of its own; gives its file."""

    def do(version: str, folder: str) -> Path:
        stage = tmp_path / folder / "stage"
        deb.write_environment(stage)
        (stage / deb.HOME / "lib/python3.11/site-packages").mkdir(parents=True)
        deb.write_documents(stage, version, EPOCH)
        deb.write_sources(stage)
        built: Path = deb.pack(stage, "arm64", version, tmp_path / folder / "dist", EPOCH)
        return built

    return do


@pytest.fixture
def untidy_umask() -> Iterator[None]:
    """Take rights away from what is made, as a careful account does."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize(
    ("version", "spelt"),
    [("0.1.0", "0.1.0"), ("1.2.0rc1", "1.2.0~rc1"), ("1.2.0.dev3", "1.2.0~dev3"), ("1.2.0b2", "1.2.0~b2")],
)
def test_versions_are_spelt_so_that_candidates_come_first(deb: ModuleType, version: str, spelt: str) -> None:
    """dpkg would take 1.2.0rc1 for newer than 1.2.0 and refuse the release as a downgrade."""
    assert deb.debian_version(version) == spelt
    if spelt != version:
        release = version[:5]
        subprocess.run(["dpkg", "--compare-versions", spelt, "lt", release], check=True, timeout=60)


def test_the_version_is_that_of_the_project(deb: ModuleType) -> None:
    """There is one place where it is written."""
    from lancert import __version__

    assert deb.debian_version() == deb.debian_version(__version__)


def test_the_control_fields_are_filled(pack: Callable[[str, str], Path]) -> None:
    """Name, version, architecture and what must be there before."""
    built = pack("1.2.0", "one")
    fields = dict(re.findall(r"^([\w-]+): (.*)$", _said("dpkg-deb", "--field", str(built)), re.MULTILINE))

    assert built.name == "lancert-box_1.2.0_arm64.deb"
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("lancert-box", "1.2.0", "arm64")
    assert {part.split()[0] for part in fields["Depends"].split(", ")} == {
        *("ca-certificates", "init-system-helpers", "libc6", "libgcc-s1", "python3.11", "systemd")
    }
    assert int(fields["Installed-Size"]) > 0
    assert "@" not in "".join(value for name, value in fields.items() if name != "Maintainer")


@pytest.mark.usefixtures("untidy_umask")
def test_everything_is_roots_with_the_modes_it_needs(pack: Callable[[str, str], Path]) -> None:
    """Programs can be run, everything can be read, nothing can be written by others, whoever builds it."""
    listed = [
        line.split(maxsplit=5) for line in _said("dpkg-deb", "--contents", str(pack("1.2.0", "one"))).splitlines()
    ]
    modes = {path.split(" -> ")[0].removeprefix("."): mode for mode, *_, path in listed}

    assert {owner for _, owner, *_ in listed} == {"root/root"}
    programs = {path for path, mode in modes.items() if mode == "-rwxr-xr-x"}
    assert programs == {"/usr/bin/lancert", "/usr/lib/lancert-box/bin/lancert"}
    assert set(modes.values()) == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
    assert {
        "/usr/lib/systemd/system/lancert-box.service",
        "/usr/lib/sysusers.d/lancert-box.conf",
        "/usr/lib/lancert-box/pyvenv.cfg",
        "/usr/share/doc/lancert-box/copyright",
        "/usr/share/doc/lancert-box/changelog.gz",
        "/usr/share/doc/lancert-box/examples/box.toml",
    } <= set(modes)


def test_two_builds_are_the_same_bytes(pack: Callable[[str, str], Path]) -> None:
    """Whoever doubts a package can build it again and compare."""
    assert pack("1.2.0", "one").read_bytes() == pack("1.2.0", "two").read_bytes()


def test_a_downgrade_is_refused_with_a_sentence(pack: Callable[[str, str], Path], tmp_path: Path) -> None:
    """An older agent cannot read what a newer one wrote; equal and newer versions pass."""
    _said("dpkg-deb", "--control", str(pack("1.2.0~rc1", "one")), str(tmp_path / "control"))

    def preinst(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "control" / "preinst"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    refused = [preinst(action, "1.2.0") for action in ("upgrade", "install")]
    passed = [preinst("install"), preinst("upgrade", "1.1.0"), preinst("install", "1.2.0~rc1")]

    assert [ended.returncode for ended in refused] == [1, 1]
    assert "the older 1.2.0~rc1 cannot use what it wrote, so nothing was changed" in refused[0].stderr
    assert [(ended.returncode, ended.stderr) for ended in passed] == [(0, "")] * 3


def test_the_scripts_are_shell(deb: ModuleType, sources: Path) -> None:
    """Each is read to its end by the shell of Debian, and stops at the first thing that goes wrong."""
    for name in (*deb.SCRIPTS, "lancert"):
        script = sources / name
        assert re.search(r"^set -eu?$", script.read_text(encoding="utf-8"), re.MULTILINE)
        subprocess.run(["sh", "-n", str(script)], check=True, timeout=60)


def test_the_example_of_the_settings_is_read(sources: Path, tmp_path: Path) -> None:
    """Every line of the example is a setting the agent knows, once the # before it is gone."""
    from lancert.cli.box.options import SETTINGS
    from lancert.kit.settings import read_settings

    example = (sources / "box.toml").read_text(encoding="utf-8")
    (tmp_path / "box.toml").write_text(re.sub(r"^# (?=\w+ = )", "", example, flags=re.MULTILINE), encoding="utf-8")

    assert {"http_port", "https_port"} <= set(read_settings("box", SETTINGS, tmp_path / "box.toml"))
