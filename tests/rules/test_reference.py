"""The reference says what the code does: generated parts are up to date, and no public thing is missing.

``make reference`` writes the generated parts; what must be in them is asked of the code itself here, not of the
generator. docs/security.md has one row for each requirement S-01 to S-115, with files that name it or a reason::

    | S-01 | in our words | `box/test_keys.py`<br>`...` | what is missing, or — |
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest
from starlette.routing import Route

from lancert.cli import group
from lancert.protocol.messages import ProblemAnswer
from lancert.protocol.problems import CATALOGUE, Criterion
from lancert.service.api.pages import make_pages
from lancert.service.settings import ServiceSettings

REQUIREMENTS = tuple(f"S-{number:02}" for number in range(1, 116))
_ROW = re.compile(r"\| (S-\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")


@pytest.fixture(scope="module")
def reference(our_program: Callable[[str], ModuleType]) -> ModuleType:
    """The generator, a program outside the package."""
    return our_program("reference")


def _page(root: Path, name: str) -> str:
    return (root / "docs" / name).read_text(encoding="utf-8")


def test_the_generated_parts_are_up_to_date(root: Path, reference: ModuleType) -> None:
    """A page that lags behind the code misleads; make reference brings it up to date."""
    assert list(reference.stale_pages(root)) == []


def test_a_changed_page_is_noticed_and_written_words_are_kept(reference: ModuleType) -> None:
    """Only what stands between the marks is written anew."""
    page = f"Words.\n\n{reference.BEGIN}\nold\n{reference.END}\n\nMore words.\n"

    assert reference.with_generated(page, "new") == (
        f"Words.\n\n{reference.BEGIN}\n\nnew\n\n{reference.END}\n\nMore words.\n"
    )


@pytest.mark.parametrize("marks", [(), ("BEGIN",), ("BEGIN", "END", "END")])
def test_a_page_without_its_marks_is_an_error(reference: ModuleType, marks: tuple[str, ...]) -> None:
    """A page that lost a mark would never be written again without anybody noticing."""
    with pytest.raises(ValueError):
        reference.with_generated("\n".join(getattr(reference, mark) for mark in marks), "new")


def test_every_problem_cause_and_criterion_is_explained(root: Path) -> None:
    """Whoever searches the documents for a code finds it."""
    page = _page(root, "reference/problems.md")
    codes = [f"## {row.code}" for row in CATALOGUE]
    causes = [f"| `{cause.id}` |" for row in CATALOGUE for cause in row.causes]

    assert [wanted for wanted in [*codes, *causes, *(f"| `{one}` |" for one in Criterion)] if wanted not in page] == []


def test_every_command_and_option_is_explained(root: Path) -> None:
    """Each command has a heading of its own, and below it all its options."""
    sections = dict(
        part.split("\n", 1)
        for part in _page(root, "reference/commands.md").split("\n## ")
        if part.startswith("lancert")
    )
    missing = []
    for name, command in _commands(group, "lancert"):
        options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        missing += [f"{name} {one.opts[0]}" for one in options if one.opts[0] not in sections.get(name, "")]
        missing += [name] if name not in sections else []

    assert missing == []


def _commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            assert inner is not None
            found += _commands(inner, f"{name} {below}")
    return found


def test_every_setting_is_explained(root: Path, source: Path) -> None:
    """Each setting of both parts is there with its name in the environment."""
    page = _page(root, "reference/settings.md")
    text = (source / "cli" / "box" / "options.py").read_text(encoding="utf-8")
    listed = re.search(r"^SETTINGS = \(([^)]+)\)", text, re.MULTILINE)
    assert listed is not None
    wanted = [f"LANCERT_BOX_{name.upper()}" for name in re.findall(r'"(\w+)"', listed.group(1))]
    wanted += [f"LANCERT_SERVICE_{name.upper()}" for name in ServiceSettings.__dataclass_fields__]

    assert [name for name in wanted if f"| `{name}` |" not in page] == []


def test_every_address_and_kind_of_error_of_the_service_is_explained(root: Path, source: Path) -> None:
    """What the service answers is in the reference: its pages, the box protocol, each type of problem document."""
    page = _page(root, "reference/api.md")
    pages = make_pages(root_pem="", crl=bytes, crl_path="/crl/{issuer}.crl", openapi={})
    wanted = [f"## GET {route.path}\n" for route in pages.routes if isinstance(route, Route)]
    box = (source / "service" / "api" / "box.py").read_text(encoding="utf-8")
    wanted += [f"## POST {path}\n" for path in re.findall(r'"(/api/[^"]+)":', box)]
    problems = (source / "service" / "api" / "problems.py").read_text(encoding="utf-8")
    wanted += [f"| `urn:lancert:problem:{name}` |" for name in re.findall(r'name="([a-z-]+)"', problems)]
    wanted.append(f"| `{ProblemAnswer.REFUSED}` |")

    assert len(wanted) > 15
    assert [one for one in wanted if one not in page] == []


def test_every_file_a_box_keeps_is_explained(root: Path, source: Path) -> None:
    """Nobody has to guess what a file in the folder is, and what happens without it."""
    page = _page(root, "reference/files.md")
    text = "".join((source / "box" / name).read_text(encoding="utf-8") for name in ("folder.py", "store.py"))
    names = set(re.findall(r'"([a-z-]+\.(?:json|pem))"', text))

    assert {"identity.pem", "boot.json", "pending-key.pem"} <= names
    assert [name for name in sorted(names) if f"{name}`" not in page] == []


def test_each_requirement_has_a_row_with_tests_or_a_reason(root: Path) -> None:
    """What is not shown is said, and what is said to be shown is named by that very test."""
    wrong, seen = [], []
    for line in _page(root, "security.md").splitlines():
        if not line.startswith("| S-"):
            continue
        row = _ROW.fullmatch(line)
        assert row is not None, f"not of the form this module describes: {line}"
        name, _, files, note = row.groups()
        seen.append(name)
        listed = re.findall(r"`([^`]+)`", files)
        if not listed and note == "—":
            wrong.append(f"{name}: neither a test nor a reason")
        for file in listed:
            path = root / "tests" / file
            if not path.is_file() or not re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")):
                wrong.append(f"{name}: {file} does not name it")

    assert tuple(seen) == REQUIREMENTS
    assert wrong == []


def test_the_files_that_security_names_are_there(root: Path, source: Path) -> None:
    """A threat is answered by a module and shown by a test that exist."""
    rows = [line for line in _page(root, "security.md").splitlines() if re.match(r"\| T-\d\d \|", line)]
    missing = []
    for row in rows:
        *_, modules, tests, _ = row.split("|")
        missing += [name for name in re.findall(r"`([\w/]+(?:\.py|/))`", modules) if not (source / name).exists()]
        missing += [name for name in re.findall(r"`([^`]+)`", tests) if not (root / "tests" / name).is_file()]

    assert len(rows) > 15
    assert missing == []
