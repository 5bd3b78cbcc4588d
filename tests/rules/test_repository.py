"""What must not stand in any file of the project, and links that lead somewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Written in pieces, so that this file does not hold what it forbids.
REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("pypi", "python", "org"),
            ("registry", "npmjs", "org"),
            ("proxy", "golang", "org"),
            ("index", "crates", "io"),
        )
    )
    + "|--(?:extra-)?index-"
    + "url|--find-"
    + "links"
)
MACHINES = re.compile(r"(?<![\w.<>{}-])/(?:ro" + r"ot|ho" + r"me|wo" + r"rk|Us" + r"ers|op" + r"t/pypi)/|/tm" + r"p/\w")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _lines_with(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    return (number for number, line in enumerate(text.splitlines(), 1) if pattern.search(line))


def _found(pattern: re.Pattern[str], files: list[Path], root: Path) -> list[str]:
    return [
        f"{path.relative_to(root).as_posix()}:{number}"
        for path in files
        for number in _lines_with(pattern, _text(path))
    ]


def test_no_file_names_a_registry(project_files: list[Path], root: Path) -> None:
    """Where packages come from is a matter of the machine, never of the project."""
    # The one program that writes the locks is told not to write them.
    files = [path for path in project_files if path != root / "tools" / "lock.py"]

    assert _found(REGISTRIES, files, root) == []


def test_no_file_names_a_folder_of_somebodys_machine(project_files: list[Path], root: Path) -> None:
    """A path that exists on one machine only helps nobody else."""
    assert _found(MACHINES, project_files, root) == []


@pytest.mark.parametrize(
    "line",
    [
        "https://" + "pypi" + ".org/simple",
        "--index-" + "url https://example.com",
        "https://files." + "pythonhosted" + ".org/x.whl",
    ],
)
def test_a_registry_would_be_found(line: str) -> None:
    """The pattern can match."""
    assert list(_lines_with(REGISTRIES, f"first\n{line}\n")) == [2]


@pytest.mark.parametrize("parts", [("ho", "me/me/x"), ("ro", "ot/.cache"), ("wo", "rk/main"), ("tm", "p/w/x")])
def test_a_path_of_a_machine_would_be_found(parts: tuple[str, str]) -> None:
    """The pattern can match."""
    assert list(_lines_with(MACHINES, f"see /{''.join(parts)} there")) == [1]
    assert list(_lines_with(MACHINES, "net/work/ https://example.com/work/ {folder}/root/ca.pem")) == []


def _dead_links(path: Path) -> list[str]:
    """Give the links of a page that lead to no file, or to a heading that is not there."""
    dead = []
    text = re.sub(r"```.*?```|`[^`\n]*`", "", _text(path), flags=re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = (path.parent / name) if name else path
        if not file.exists() or (heading and file.suffix == ".md" and heading not in _headings(file)):
            dead.append(target)
    return dead


def _headings(page: Path) -> set[str]:
    written = re.findall(r"^#+ +(.+?) *#*$", _text(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in written}


def test_every_link_between_pages_leads_somewhere(project_files: list[Path], root: Path) -> None:
    """A dead link is found here rather than by the reader."""
    pages = [path for path in project_files if path.suffix == ".md"]
    dead = {page.relative_to(root).as_posix(): _dead_links(page) for page in pages}

    assert {page: links for page, links in dead.items() if links} == {}


def test_a_dead_link_would_be_found(tmp_path: Path) -> None:
    """Missing files and missing headings are both dead; code and other sites are left alone."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One thing: first\n[a](page.md#one-thing-first) [b](gone.md) [c](#second) `[d](code.md)` [e](https://x.example)"
    )

    assert _dead_links(page) == ["gone.md", "#second"]


def test_the_catalogue_of_sentences_is_up_to_date(root: Path) -> None:
    """Every sentence people read is in the catalogue that translators are given."""
    asked = [sys.executable, str(root / "tools" / "messages.py"), "--check"]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stderr


def test_every_lock_pins_every_package_with_hashes(root: Path) -> None:
    """A package that changed after it was locked is not installed; the same package has one version everywhere."""
    versions: dict[str, set[str]] = {}
    locks = sorted((root / "requirements").glob("*.txt"))
    for lock in locks:
        for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8")):
            if entry.startswith("#"):
                continue
            name, _, rest = entry.partition("==")
            versions.setdefault(name, set()).add(rest.split()[0])
            assert "--hash=sha256:" in rest, f"{lock.name}: {name}"

    assert {lock.name for lock in locks} == {"box.txt", "build.txt", "dev.txt", "service.txt", "test.txt"}
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
