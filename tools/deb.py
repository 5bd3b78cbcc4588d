"""Build the Debian package of the box: ``dist/lancert-box_<version>_<architecture>.deb``, for Debian 12.

The agent lies under ``/usr/lib/lancert-box`` as a virtual environment of Debian's own Python: the wheel of this
project, and the libraries of ``requirements/box.txt`` checked by hash, compiled here because the agent may write
nowhere but in its folder. Everything else is in ``packaging/debian``. Two builds of one state are the same bytes.
"""

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.utils import format_datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "packaging" / "debian"
HOME = "usr/lib/lancert-box"
PYTHON = "3.11"
# The C library of Debian 12 is 2.36; wheels are taken that need no newer one, and the package asks for as much.
LIBC = "2.34"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # cffi has no wheel for armhf
# What the wheels of a machine may call themselves (PEP 600), newest first.
PLATFORMS = ("manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_17", "manylinux2014")

SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
PLACES = {
    "lancert": ("usr/bin/lancert", 0o755),
    "lancert-box.service": ("usr/lib/systemd/system/lancert-box.service", 0o644),
    "lancert-deploy@.path": ("usr/lib/systemd/system/lancert-deploy@.path", 0o644),
    "lancert-deploy@.service": ("usr/lib/systemd/system/lancert-deploy@.service", 0o644),
    "sysusers.conf": ("usr/lib/sysusers.d/lancert-box.conf", 0o644),
    "box.toml": ("usr/share/doc/lancert-box/examples/box.toml", 0o644),
}
GUIDES = ("debian.md", "nginx.md", "haproxy.md", "application.md")
LAUNCHER = f"""#!/{HOME}/bin/python -I
import sys

from lancert.cli import main

sys.exit(main())
"""


class CannotBuild(Exception):
    """The package cannot be built here; the text says what to do."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the Debian package of the box.")
    parser.add_argument("--architecture", choices=MACHINES, default=own_architecture())
    parser.add_argument("--as-version", default=debian_version(), help="another version, to try an upgrade")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the package")
    asked = parser.parse_args(arguments)
    try:
        built = build(asked.architecture, asked.as_version, asked.out)
    except CannotBuild as reason:
        print(reason, file=sys.stderr)
        return 1
    print(f"{built}: {built.stat().st_size / 1e6:.1f} MB, sha256 {hashlib.sha256(built.read_bytes()).hexdigest()}")
    return 0


def build(architecture: str, version: str, out: Path) -> Path:
    """Build the package and give its file. Raises CannotBuild."""
    compiler = python_of_debian()
    epoch = source_date()
    with tempfile.TemporaryDirectory(prefix="lancert-deb-") as temporary:
        stage = Path(temporary, "stage")
        site = stage / HOME / "lib" / f"python{PYTHON}" / "site-packages"
        site.mkdir(parents=True)
        install_libraries(site, MACHINES[architecture])
        install_wheel(site, Path(temporary, "wheel"), epoch)
        write_environment(stage)
        compile_all(compiler, stage, site)
        write_documents(stage, version, epoch)
        write_sources(stage)
        return pack(stage, architecture, version, out, epoch)


def debian_version(version: str | None = None) -> str:
    """Spell a version (PEP 440) as Debian does, so that a candidate sorts before what it is one for."""
    if version is None:
        found = re.search(r'__version__ = "(.+)"', (ROOT / "src/lancert/__init__.py").read_text(encoding="utf-8"))
        assert found is not None
        version = found[1]
    return re.sub(r"\.?(a|b|rc|dev)(\d+)", r"~\1\2", version)


def own_architecture() -> str:
    """Give what Debian calls this machine."""
    by_machine = {machine: name for name, machine in MACHINES.items()}
    return by_machine.get(os.uname().machine, "amd64")


def python_of_debian() -> str:
    """Give Debian's own Python, by which the modules are compiled and will be run. Raises CannotBuild."""
    found = shutil.which(f"python{PYTHON}", path="/usr/bin")
    if found is None:
        raise CannotBuild(f"The package is for Debian 12 and its Python {PYTHON}, which is not here: build it there.")
    return found


def source_date() -> int:
    """Give the time that every file of the package bears: SOURCE_DATE_EPOCH, else that of the last commit."""
    if named := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(named)
    if shutil.which("git") and (ROOT / ".git").exists():
        asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        if said:
            return int(said)
    return int((ROOT / "CHANGELOG.md").stat().st_mtime)


def install_libraries(site: Path, machine: str) -> None:
    """Install what requirements/box.txt names, as wheels of that machine, each checked by hash."""
    platforms = [part for platform in PLATFORMS for part in ("--platform", f"{platform}_{machine}")]
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--target", str(site), "--no-compile", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
        *("--implementation", "cp", "--python-version", PYTHON, *platforms),
        *("-r", str(ROOT / "requirements" / "box.txt")),
    )
    shutil.rmtree(site / "bin", ignore_errors=True)


def install_wheel(site: Path, folder: Path, epoch: int) -> None:
    """Build the wheel of this project and lay it out; being pure, unpacking is all that installing would do."""
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)),
        environment={"SOURCE_DATE_EPOCH": str(epoch)},
    )
    (wheel,) = folder.glob("lancert-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    # pip's own notes about where and how it installed; dpkg keeps better ones.
    for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for note in site.glob(f"*.dist-info/{name}"):
            note.unlink()


def write_environment(stage: Path) -> None:
    """Make the rest of the virtual environment: the Python, what makes it one, and the program."""
    folder = stage / HOME / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(f"../../../bin/python{PYTHON}")
    (folder / "lancert").write_text(LAUNCHER, encoding="utf-8")
    described = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    (stage / HOME / "pyvenv.cfg").write_text(described, encoding="utf-8")


def compile_all(compiler: str, stage: Path, site: Path) -> None:
    """Compile every module under the path it will have, never to be compared with its source again; and templates."""
    run(
        *(compiler, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(stage), "-p", "/", str(site)),
        environment={"PYTHONHASHSEED": "0"},
    )
    templates = "from lancert.box.homepage.drawing import compile_templates as compile; compile()"
    written = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
    run(compiler, "-c", templates, environment={**written, "PYTHONPATH": str(site)})


def write_documents(stage: Path, version: str, epoch: int) -> None:
    """Write the copyright and the changelog, and add the guides."""
    folder = stage / "usr/share/doc/lancert-box"
    folder.mkdir(parents=True)
    site = stage / HOME / "lib" / f"python{PYTHON}" / "site-packages"
    (folder / "copyright").write_text(copyright_of(site), encoding="utf-8")
    entry = changelog(version, epoch).encode()
    (folder / "changelog.gz").write_bytes(gzip.compress(entry, 9, mtime=0))
    for guide in GUIDES:
        shutil.copyfile(ROOT / "docs" / "guides" / guide, folder / guide)


def write_sources(stage: Path) -> None:
    """Put the files of packaging/debian where they belong."""
    for name, (place, _mode) in PLACES.items():
        (stage / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SOURCES / name, stage / place)


def copyright_of(site: Path) -> str:
    """Say whose work lies in the package and under which licence (DEP-5)."""
    own = (ROOT / "LICENSE").read_text(encoding="utf-8")
    holder = next(line for line in own.splitlines() if line.startswith("Copyright"))
    text = "\n".join(f" {line}" if line else " ." for line in own.splitlines()[2:])
    paragraphs = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: lancert",
        f"Files: *\nCopyright: {holder.removeprefix('Copyright (c) ')}\nLicense: MIT\n{text}",
    ]
    for about in sorted(site.glob("*.dist-info")):
        fields = HeaderParser().parsestr((about / "METADATA").read_text(encoding="utf-8"))
        if fields["Name"] == "lancert":
            continue
        licence = fields["License-Expression"] or fields["License"] or "see its files"
        paragraphs.append(
            f"Files: {HOME}/lib/python{PYTHON}/site-packages/{fields['Name'].lower()}*\n"
            f"Copyright: the authors of {fields['Name']} {fields['Version']}\n"
            f"License: {licence.splitlines()[0]}\nComment: the texts are in {about.name} beside it."
        )
    return "\n\n".join(paragraphs) + "\n"


def changelog(version: str, epoch: int) -> str:
    """Write the newest entry of CHANGELOG.md as Debian reads it."""
    newest = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
    text = textwrap.fill(
        " ".join(newest.split("\n", 1)[1].split()), 76, initial_indent="  * ", subsequent_indent="    "
    )
    date = format_datetime(datetime.fromtimestamp(epoch, UTC))
    return f"lancert-box ({version}) stable; urgency=medium\n\n{text}\n\n -- {maintainer()}  {date}\n"


def maintainer() -> str:
    """Give who answers for the package."""
    (line,) = re.findall(r"^Maintainer: (.+)$", (SOURCES / "control").read_text(encoding="utf-8"), re.MULTILINE)
    return str(line)


def pack(stage: Path, architecture: str, version: str, out: Path, epoch: int) -> Path:
    """Add what dpkg reads, set the modes, and make the one file. Raises CannotBuild."""
    control = stage / "DEBIAN"
    control.mkdir()
    values = {
        "VERSION": version,
        "ARCHITECTURE": architecture,
        "LIBC": LIBC,
        "INSTALLED_SIZE": str(sum(path.lstat().st_size for path in files(stage)) // 1024 + 1),
    }
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(stage)}\n" for path in files(stage)]
    for name in ("control", *SCRIPTS):
        text = (SOURCES / name).read_text(encoding="utf-8")
        filled = re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text)
        (control / name).write_text(filled, encoding="utf-8")
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    set_modes(stage)
    out.mkdir(parents=True, exist_ok=True)
    built = out / f"lancert-box_{version}_{architecture}.deb"
    run(
        *("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(stage), str(built)),
        environment={"SOURCE_DATE_EPOCH": str(epoch)},
    )
    return built


def files(stage: Path) -> Iterator[Path]:
    """Give the ordinary files that will be installed, in a stable order."""
    inside = (path for path in sorted(stage.rglob("*")) if path.relative_to(stage).parts[0] != "DEBIAN")
    return (path for path in inside if path.is_file() and not path.is_symlink())


def set_modes(stage: Path) -> None:
    """Give every file the mode it is to have, whatever the umask here."""
    programs = {stage / HOME / "bin" / "lancert", *(stage / place for place, mode in PLACES.values() if mode == 0o755)}
    programs |= {stage / "DEBIAN" / name for name in SCRIPTS}
    stage.chmod(0o755)
    for path in stage.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)


def run(*command: str, environment: dict[str, str] | None = None) -> None:
    """Run one step; what it says is shown when it fails. Raises CannotBuild."""
    try:
        ended = subprocess.run(
            command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise CannotBuild(f"{command[0]} is missing; on Debian it comes with the package dpkg.") from error
    if ended.returncode != 0:
        raise CannotBuild(f"{ended.stdout}{ended.stderr}\nThis step failed: {' '.join(command[:6])} ...")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
