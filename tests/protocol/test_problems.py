"""The problem catalogue: six public codes, each with its sentences, and the criteria of a refusal."""

import re
import string

import pytest

from lancert.protocol import problems
from lancert.protocol.problems import (
    CATALOGUE,
    CRITERIA,
    Cause,
    Criterion,
    Occurrence,
    Problem,
    Reason,
    find_problem,
)

FACTS = {"server": "https://a.example", "status": "404", "missing": "the contract", "reference": "1a2b3c4d"}
FACTS |= {"proxy": "10.0.0.3:3128", "firewall": "192.168.1.1", "port": "443", "needed": "4", "here": "6"}
PLACEHOLDERS = {
    problems.CHECK_NO_SERVER: set[str](),
    problems.CHECK_CERT_READ_EXCEPTION: set[str](),
    problems.LOAD_NO_CREDENTIAL: set[str](),
    problems.LOAD_REQUEST_EXCEPTION: {
        *("server", "reference", "proxy", "status", "firewall", "port", "needed", "here"),
    },
    problems.LOAD_REQUEST_STATUS: {"server", "status"},
    problems.LOAD_REQUEST_NO_RESULT: {"server"},
}
CRITERION_FACTS = {
    Criterion.DATABASE_NOT_PRODUCTION: {"environment"},
    Criterion.SUBSCRIPTION_NOT_IN_PROGRESS: {"status"},
    Criterion.NO_SEAT_LEFT: {"used", "quantity"},
}
CAUSES = [(problem, cause) for problem in CATALOGUE for cause in problem.causes]


def _english(sentence: str) -> str:
    return sentence


def _placeholders(*sentences: str) -> set[str]:
    return {name for text in sentences for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _is_a_sentence(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Z{].*[.]", text)) and "!" not in text


@pytest.mark.promise("M12", "M13", "M14", "M15", "M16", "M17")
def test_the_codes_are_those_of_the_product_pages() -> None:
    """The six codes are public and permanent."""
    assert [problem.code for problem in CATALOGUE] == [
        "ERR_IOT_HTTPS_CHECK_NO_SERVER",
        "ERR_IOT_HTTPS_CHECK_CERT_READ_EXCEPTION",
        "ERR_IOT_HTTPS_LOAD_NO_CREDENTIAL",
        "ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION",
        "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS",
        "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT",
    ]


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.code)
def test_every_problem_says_what_happened_and_what_to_do(problem: Problem) -> None:
    """A title, a meaning and at least one step, in whole sentences without exclamation marks."""
    assert problem.title
    assert not problem.title.endswith(".")
    assert _is_a_sentence(problem.meaning)
    assert problem.remedy
    assert all(map(_is_a_sentence, problem.remedy))


@pytest.mark.parametrize(("problem", "cause"), CAUSES, ids=lambda row: getattr(row, "id", ""))
def test_every_cause_is_reached_by_its_id_and_says_why(problem: Problem, cause: Cause) -> None:
    """A cause has a public id of its own within its problem, and whole sentences."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cause.id)
    assert problem.cause(cause.id) is cause
    assert _is_a_sentence(cause.meaning)
    assert all(map(_is_a_sentence, cause.remedy))


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.code)
def test_the_sentences_of_a_problem_name_only_facts_it_is_given(problem: Problem) -> None:
    """No reader ever sees an empty place: what is asked for is what an occurrence brings."""
    sentences = [problem.title, problem.meaning, *problem.remedy]
    for cause in problem.causes:
        sentences += [cause.meaning, *cause.remedy]

    assert _placeholders(*sentences) == PLACEHOLDERS[problem]


@pytest.mark.promise("M4", "M5", "M17")
@pytest.mark.parametrize("criterion", Criterion)
def test_every_criterion_has_sentences_with_the_facts_it_is_given(criterion: Criterion) -> None:
    """M17: whoever is refused reads which criterion is not met, and what to do about it."""
    row = CRITERIA[criterion]

    assert _is_a_sentence(row.meaning)
    assert _is_a_sentence(row.remedy)
    assert _placeholders(row.meaning, row.remedy) == CRITERION_FACTS.get(criterion, set())


@pytest.mark.promise("M17")
def test_the_criteria_are_those_of_the_design() -> None:
    """The codes of the criteria are public and permanent."""
    assert {criterion.value for criterion in Criterion} == {
        "credential-not-recognised",
        "database-not-production",
        "database-duplicated",
        "subscription-not-in-progress",
        "no-iot-box-line",
        "no-seat-left",
        "iot-system-suspended",
        "identity-conflict",
    }


@pytest.mark.parametrize(("problem", "cause"), CAUSES, ids=lambda row: getattr(row, "id", ""))
def test_an_occurrence_is_told_with_its_facts(problem: Problem, cause: Cause) -> None:
    """Every row renders completely: no braces are left."""
    occurrence = Occurrence(problem=problem, cause_id=cause.id, facts=FACTS)
    told = [occurrence.title(_english), occurrence.meaning(_english), occurrence.cause_meaning(_english) or ""]
    told += occurrence.remedy(_english)

    assert all(told)
    assert not [text for text in told if "{" in text or "}" in text]
    assert occurrence.remedy(_english)[: len(cause.remedy)] == [step.format_map(FACTS) for step in cause.remedy]


@pytest.mark.promise("M16")
def test_the_three_digits_are_part_of_the_code() -> None:
    """M16: the status belongs to the code that people read out to the support."""
    occurrence = Occurrence(problem=problems.LOAD_REQUEST_STATUS, facts={"server": "x", "status": "404"})

    assert occurrence.code == "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 404"


@pytest.mark.promise("M17")
def test_the_remedies_of_all_reasons_come_first() -> None:
    """All unmet criteria are named, each with its own remedy, before what holds for every refusal."""
    reasons = (
        Reason(criterion=Criterion.DATABASE_NOT_PRODUCTION, facts={"environment": "staging"}),
        Reason(criterion=Criterion.NO_SEAT_LEFT, facts={"used": "2", "quantity": "2"}),
    )
    occurrence = Occurrence(
        problem=problems.LOAD_REQUEST_NO_RESULT, cause_id="refused", facts={"server": "x"}, reasons=reasons
    )

    assert [reason.meaning(_english) for reason in reasons] == [
        "The database is not a production instance; it is marked as: staging.",
        "All IoT boxes of the subscription are in use: 2 of 2.",
    ]
    assert occurrence.remedy(_english)[:2] == [CRITERIA[reason.criterion].remedy for reason in reasons]


@pytest.mark.promise("M20")
def test_sentences_are_told_in_the_reader_s_language() -> None:
    """M20: the sentence is translated first and filled in afterwards, so facts stay as they are."""
    occurrence = Occurrence(problem=problems.LOAD_REQUEST_STATUS, facts=FACTS)
    spanish = {problems.LOAD_REQUEST_STATUS.meaning: "{server} respondió con el estado {status}."}

    assert occurrence.meaning(lambda text: spanish.get(text, text)) == "https://a.example respondió con el estado 404."


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.code)
def test_a_problem_is_found_as_people_type_its_code(problem: Problem) -> None:
    """Any case, with or without the common beginning, with or without the three digits."""
    short = problem.code.removeprefix("ERR_IOT_HTTPS_")

    assert find_problem(problem.code) is problem
    assert find_problem(f"  {problem.code.lower()} 404 ") is problem
    assert find_problem(short) is problem
    assert find_problem(short.lower()) is problem


@pytest.mark.parametrize("text", ["", " ", "4040", "ERR_IOT_HTTPS_", "ERR_IOT_HTTPS_LOAD", "LOAD_REQUEST", "\0"])
def test_an_unknown_code_is_not_guessed(text: str) -> None:
    """Half a code is none."""
    assert find_problem(text) is None
