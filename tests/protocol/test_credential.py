"""The credential and the token that carries it to a box."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancert.kit.secret import Secret
from lancert.protocol.credential import (
    ConnectionToken,
    Credential,
    NotACredential,
    NotAToken,
    parse_contract,
    parse_database_uuid,
    parse_fingerprint,
    parse_token,
)

CONTRACT = "M240719-1"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
FINGERPRINT = "ab" * 32
TOKENS = st.builds(
    ConnectionToken,
    server=st.text(max_size=80),
    root_fingerprint=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    contract=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{1,62}[A-Za-z0-9]", fullmatch=True).map(Secret),
    database=st.uuids().map(str).map(Secret),
)


@pytest.mark.parametrize("text", [CONTRACT, f"  {CONTRACT}\n", "abc", "a" * 64, "S/2026/0001", "a.b_c-d"])
def test_a_contract_is_read_as_people_copy_it(text: str) -> None:
    """Spaces around it do not count."""
    assert parse_contract(text).reveal() == text.strip()


@pytest.mark.parametrize("text", ["", "ab", "a" * 65, "-abc", "abc-", "a b c", "äbc", "a<b>c", "a\nb", "٣٣٣", "a;b"])
def test_what_is_not_written_as_a_contract_is_refused(text: str) -> None:
    """M14: the owner is told how a contract looks, and does not see their text thrown back."""
    with pytest.raises(NotACredential, match="3 to 64 letters and digits"):
        parse_contract(text)


@pytest.mark.parametrize("text", [UUID, UUID.upper(), f" {UUID} "])
def test_a_database_uuid_is_read_as_people_copy_it(text: str) -> None:
    """Case and spaces around it do not count."""
    assert parse_database_uuid(text).reveal() == UUID


@pytest.mark.parametrize(
    "text",
    ["", UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID[:-1], UUID + "0", UUID.replace("0", "g"),
     UUID.replace("0", "٠"), "0f8fad5bd-9cb-469f-a165-70867728950e"],
)  # fmt: skip
def test_what_is_not_written_as_a_database_uuid_is_refused(text: str) -> None:
    """The owner is told how one looks, with an example."""
    with pytest.raises(NotACredential, match="8-4-4-4-12"):
        parse_database_uuid(text)


@pytest.mark.parametrize(
    ("contract", "database", "missing"),
    [
        (CONTRACT, UUID, ()),
        (None, UUID, ("contract",)),
        (CONTRACT, None, ("database",)),
        (None, None, ("contract", "database")),
    ],
)
def test_a_credential_knows_what_is_missing(
    contract: str | None, database: str | None, missing: tuple[str, ...]
) -> None:
    """Each half may be missing."""
    credential = Credential(
        contract=Secret(contract) if contract else None, database=Secret(database) if database else None
    )

    assert credential.missing == missing
    assert credential.is_complete is (missing == ())


@given(TOKENS)
def test_a_token_comes_back_from_its_text(token: ConnectionToken) -> None:
    """What is written is read, also with the line breaks of a mail in it."""
    text = token.write().reveal()

    assert parse_token(text) == token
    assert parse_token(f" {text[:20]}\n {text[20:]}\r\n") == token


@given(TOKENS)
def test_a_token_shows_no_secret_when_printed(token: ConnectionToken) -> None:
    """S-95: neither the token nor its text prints contract or UUID."""
    shown = f"{token!r} {token.write()!r} {token.write()}"

    assert token.database.reveal() not in shown
    assert token.write().reveal() not in shown


def _token(parts: object) -> str:
    return "lct1." + urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


GOOD = {"s": "https://a.example", "r": FINGERPRINT, "c": CONTRACT, "d": UUID}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lct1.",
        "lct2." + _token(GOOD)[5:],
        _token(GOOD)[5:],
        _token(GOOD)[:-9],
        _token(GOOD)[:30] + "x" + _token(GOOD)[31:],
        _token(GOOD) + "ä",
        _token([]),
        _token("text"),
        _token(None),
        _token({**GOOD, "x": 1}),
        _token({**GOOD, "s": 7}),
        _token({**GOOD, "s": None}),
        _token({**GOOD, "r": "ab"}),
        _token({**GOOD, "r": 7}),
        _token({**GOOD, "r": FINGERPRINT.upper()}),
        _token({**GOOD, "c": "x"}),
        _token({**GOOD, "c": 7}),
        _token({**GOOD, "c": None}),
        _token({**GOOD, "d": CONTRACT}),
        _token({name: value for name, value in GOOD.items() if name != "d"}),
        "lct1." + urlsafe_b64encode(b"[" * 1400).decode().rstrip("="),
        "lct1." + urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
        _token({**GOOD, "s": "x" * 4000}),
    ],
)  # fmt: skip
def test_a_damaged_token_is_refused_with_what_to_do(text: str) -> None:
    """Whoever copied half of it is told to copy the whole."""
    with pytest.raises(NotAToken, match="copy the whole of it"):
        parse_token(text)


@given(st.text() | st.binary().map(lambda content: "lct1." + urlsafe_b64encode(content).decode()))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    """Anything is a token or is refused as none."""
    try:
        token = parse_token(text)
    except NotAToken:
        return
    assert parse_token(token.write().reveal()) == token


@pytest.mark.parametrize(
    "text",
    [FINGERPRINT, FINGERPRINT.upper(), f" sha256:{FINGERPRINT} ", ":".join(["AB"] * 32), " ".join(["ab"] * 32)],
)
def test_a_fingerprint_is_read_as_tools_print_it(text: str) -> None:
    """With colons, with a prefix, in capitals: the same fingerprint."""
    assert parse_fingerprint(text) == FINGERPRINT


@pytest.mark.parametrize("text", ["", "ab" * 20, "ab" * 33, "xy" * 32, "ä" * 64, "sha1:" + "ab" * 32])
def test_another_fingerprint_is_refused(text: str) -> None:
    """Only SHA-256 counts."""
    with pytest.raises(NotAToken, match="64 hexadecimal digits"):
        parse_fingerprint(text)
