"""``lancert explain``: the problem catalogue on the terminal."""

import json
from collections.abc import Callable

import click.testing
import pytest

from lancert.cli import group
from lancert.protocol.problems import CATALOGUE, CRITERIA, LOAD_REQUEST_NO_RESULT, Problem

Answer = click.testing.Result
Explain = Callable[..., Answer]
every_code = pytest.mark.parametrize("row", CATALOGUE, ids=[row.code for row in CATALOGUE])


@pytest.fixture
def explain() -> Explain:
    """Type ``lancert explain`` with these words."""

    def type_it(*words: str) -> Answer:
        return click.testing.CliRunner().invoke(group, ["explain", *words], prog_name="lancert")

    return type_it


def flat(answer: Answer) -> str:
    """Give what was printed with its line breaks taken out."""
    return " ".join(answer.output.split())


@every_code
@pytest.mark.promise("M12", "M13", "M14", "M15", "M16", "M17")
def test_every_code_is_explained(explain: Explain, row: Problem) -> None:
    """What happened, what it means, what to do, and each cause with its id; no placeholder is left over."""
    answer = explain(row.code)

    assert answer.exit_code == 0
    assert answer.output.startswith(row.code)
    assert row.title in answer.output
    for number in range(1, len(row.remedy) + 1):
        assert f"  {number}. " in answer.output
    for cause in row.causes:
        assert f"  {cause.id} " in answer.output
    assert "{" not in answer.output
    assert max(map(len, answer.output.splitlines())) <= 100


@every_code
def test_json_holds_the_same_row(explain: Explain, row: Problem) -> None:
    """Programs get every field, filled in the same way."""
    document = json.loads(explain(row.code, "--json").output)

    assert document["code"] == row.code
    assert document["title"] == row.title
    assert len(document["remedy"]) == len(row.remedy)
    assert [cause["id"] for cause in document["causes"]] == [cause.id for cause in row.causes]
    assert "{" not in json.dumps(document["remedy"]) + document["meaning"]


@every_code
def test_a_code_is_found_as_people_type_it(explain: Explain, row: Problem) -> None:
    """In lower case, without its common beginning, and as it stands on the homepage with digits behind it."""
    expected = explain(row.code).output
    short = row.code.removeprefix("ERR_IOT_HTTPS_")

    for words in ((row.code.lower(),), (short,), (short.lower(),), (f" {row.code} ",)):
        assert explain(*words).output == expected


@pytest.mark.parametrize(
    "words", [("LOAD_REQUEST_STATUS", "404"), ("ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 404",), ("404",)]
)
def test_the_three_digits_are_put_into_the_sentences(explain: Explain, words: tuple[str, ...]) -> None:
    """The code is typed as the homepage shows it, as two words or as one in quotes, or by its digits alone."""
    answer = explain(*words)

    assert "answered with the HTTP status 404" in flat(answer)
    assert "include the three digits 404" in flat(answer)


def test_a_refusal_lists_every_condition(explain: Explain) -> None:
    """Each criterion of a certificate with what it means and what to do."""
    answer = explain(LOAD_REQUEST_NO_RESULT.code)

    for criterion, text in CRITERIA.items():
        assert f"  {criterion.value}" in answer.output
        assert text.meaning.partition("{")[0].strip() in flat(answer)
        assert text.remedy in flat(answer)


def test_without_a_code_all_are_listed(explain: Explain) -> None:
    """Six lines, and how to read more."""
    answer = explain()

    assert answer.exit_code == 0
    for row in CATALOGUE:
        assert f"{row.code} " in answer.output
        assert row.title in answer.output
    assert "lancert explain CODE" in answer.output


@pytest.mark.parametrize("words", [("ERR_IOT_HTTPS_NO_SUCH",), ("4040",), ("LOAD REQUEST",), ("",)])
def test_an_unknown_code_lists_the_known_ones(explain: Explain, words: tuple[str, ...]) -> None:
    """Exit status 2 and all six codes to choose from."""
    answer = explain(*words)

    assert answer.exit_code == 2
    assert f"“{' '.join(words)}” is not one of the codes" in answer.output
    assert all(row.code in answer.output for row in CATALOGUE)


def test_a_code_typed_as_a_command_leads_here() -> None:
    """The mistake people really make: the code alone behind ``lancert``."""
    answer = click.testing.CliRunner().invoke(group, ["ERR_IOT_HTTPS_LOAD_REQUEST_STATUS", "404"], prog_name="lancert")

    assert answer.exit_code == 2
    assert "type: lancert explain ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 404" in answer.output
