"""Sentences for people: marked, translated, filled."""

from lancert.kit.language import N_, fill, translation


def test_a_marked_sentence_is_itself() -> None:
    """Marking changes nothing."""
    assert N_("The contract is missing.") == "The contract is missing."


def test_english_is_always_there() -> None:
    """A reader whose language is not offered reads English."""
    assert translation(["tlh", "xx_XX"]).gettext("The contract is missing.") == "The contract is missing."


def test_values_are_put_into_a_sentence() -> None:
    """Facts fill their places; what has no value stays readable and raises nothing."""
    assert fill("{server} answered {status}.", {"server": "a.example", "status": 404}) == "a.example answered 404."
    assert fill("{server} answered {status}.", {"server": "a.example"}) == "a.example answered status."


def test_a_value_is_text_and_no_format() -> None:
    """S-34: braces inside a value are shown as they are, and reach no attribute."""
    assert fill("{server}", {"server": "{0.__class__} {server}"}) == "{0.__class__} {server}"
