"""A secret shows itself only when asked by name."""

import copy
import traceback

from lancert.kit.secret import Secret
from lancert.protocol.credential import Credential

CANARY = "canary-4711"


def test_a_secret_prints_as_dots_wherever_it_is_printed() -> None:
    """S-95: no way of writing it by accident shows it."""
    secret = Secret(CANARY)
    written = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", f"{secret:>30}"]
    written += [repr([secret]), repr({"a": secret}), repr(Credential(contract=secret)), repr(copy.copy(secret))]
    try:
        raise ValueError(secret)
    except ValueError:
        written.append(traceback.format_exc().replace("ValueError(secret)", ""))

    assert not [text for text in written if CANARY in text]
    assert all("••••" in text for text in written)


def test_a_secret_is_revealed_when_asked_by_name() -> None:
    """The wire and the private file get the text itself."""
    assert Secret(CANARY).reveal() == CANARY


def test_secrets_are_equal_when_their_texts_are() -> None:
    """They compare, count as the same key, and are false when empty."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("ä") != "ä"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert not Secret("")
    assert Secret("a")
