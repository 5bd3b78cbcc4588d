"""docs/promises.md and the marks on the tests say the same.

The page has one table with one row per promise, in order, and each cell on its own is plain::

    | M1 | the promise, in one sentence | tests/outsiders/test_openssl.py, tests/... | what is still missing |

The third cell lists every test file that carries ``@pytest.mark.promise("M1")`` (or a ``pytestmark`` with it), and
no other; ``none`` when there is none yet. The fourth says ``nothing`` when nothing is missing. A promise without
tests cannot have nothing missing.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

IDS = tuple(f"M{number}" for number in range(1, 21))
_ROW = re.compile(r"\| (M\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")


class BadPage(ValueError):
    """The page is not written the way this module says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One promise as the page tells it."""

    sentence: str
    tests: frozenset[str]
    missing: str


def read_page(text: str) -> dict[str, Row]:
    """Read the rows of the page. Raises BadPage with the line at fault."""
    rows: dict[str, Row] = {}
    for line in text.splitlines():
        if not re.match(r"\|\s*M\d", line):
            continue
        row = _ROW.fullmatch(line.rstrip())
        if row is None:
            raise BadPage(f"not of the form “| M1 | sentence | tests/... | what is missing |”: {line}")
        name, sentence, tests, missing = row.groups()
        if name in rows:
            raise BadPage(f"{name} has two rows")
        files = [] if tests.strip() == "none" else [file.strip().strip("`") for file in tests.split(",")]
        if any(not file.startswith("tests/") for file in files):
            raise BadPage(f"{name}: test files are written from the root, as tests/...: {tests}")
        if not files and missing.strip() == "nothing":
            raise BadPage(f"{name}: no test shows it, so something is missing")
        rows[name] = Row(sentence=sentence.strip(), tests=frozenset(files), missing=missing.strip())
    if tuple(rows) != IDS:
        raise BadPage(f"the rows are {', '.join(rows) or 'none'}; wanted are M1 to M20 in order")
    return rows


def marks_in(text: str) -> frozenset[str]:
    """Give the ids marked in the source of a test file."""
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    marks = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "promise")
    return frozenset(
        argument.value
        for mark in marks
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def differences(rows: Mapping[str, Row], marked: Mapping[str, frozenset[str]]) -> list[str]:
    """Say where the page and the marks of the test files disagree."""
    found = []
    for name, row in rows.items():
        carrying = {file for file, names in marked.items() if name in names}
        found += [f"{name}: the page does not list {file}" for file in sorted(carrying - row.tests)]
        found += [f"{name}: {file} does not carry the mark" for file in sorted(row.tests - carrying)]
    known = set(rows)
    for file, names in sorted(marked.items()):
        found += [f"{name}: marked in {file}, but no such promise" for name in sorted(names - known)]
    return found


def test_page_and_marks_agree(root: Path) -> None:
    """What the page says of the tests is so, both ways."""
    rows = read_page((root / "docs" / "promises.md").read_text(encoding="utf-8"))
    files = sorted((root / "tests").rglob("test_*.py"))
    own = Path(__file__)
    marked = {
        file.relative_to(root).as_posix(): marks_in(file.read_text(encoding="utf-8")) for file in files if file != own
    }

    assert differences(rows, marked) == []


def _page(**changed: str) -> str:
    rows = {name: f"| {name} | A sentence. | none | everything |" for name in IDS}
    return "# Promises\n\n| id | promise | shown by | missing |\n|---|---|---|---|\n" + "\n".join(
        {**rows, **changed}.values()
    )


def test_a_page_of_the_right_form_is_read() -> None:
    """The form described above is the form that is read."""
    rows = read_page(_page(M3="| M3 | One request. | tests/a/test_b.py, `tests/test_c.py` | nothing |"))

    assert rows["M3"] == Row(
        sentence="One request.", tests=frozenset({"tests/a/test_b.py", "tests/test_c.py"}), missing="nothing"
    )
    assert rows["M4"].tests == frozenset()


@pytest.mark.parametrize(
    "row",
    [
        "| M3 | A sentence. | none |",
        "|M3| A sentence. | none | everything |",
        "| M3 | A sentence. | test_a.py | nothing |",
        "| M3 | A sentence. | none | nothing |",
        "| M4 | A sentence. | none | everything |",
        "| M21 | A sentence. | none | everything |",
        "",
    ],
)
def test_a_page_of_another_form_is_refused(row: str) -> None:
    """A row that would be overlooked is an error."""
    with pytest.raises(BadPage):
        read_page(_page(M3=row))


def test_each_disagreement_is_found() -> None:
    """A mark the page does not know, a file that lost its mark and a mark for no promise are all told."""
    rows = read_page(_page(M3="| M3 | A sentence. | tests/test_lost.py | nothing |"))
    text = 'pytestmark = pytest.mark.promise("M4", "M99")\n\n@pytest.mark.promise("M5")\ndef test_it(): ...\n'

    assert differences(rows, {"tests/test_new.py": marks_in(text)}) == [
        "M3: tests/test_lost.py does not carry the mark",
        "M4: the page does not list tests/test_new.py",
        "M5: the page does not list tests/test_new.py",
        "M99: marked in tests/test_new.py, but no such promise",
    ]
