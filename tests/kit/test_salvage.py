"""A broken settings file costs the lines that are broken and no others."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancert.kit.salvage import Broken, Fault, salvage

GOOD = b'# The shop\nhttp_port = 8080\nlisten = [\n  "127.0.0.1",\n  "::1",\n]\nname = "Till 2"  # by the door\n'


def test_a_whole_file_is_read_as_it_is() -> None:
    """Values and the line each stands on; a mark of Windows at the beginning, and its ends of lines, do no harm."""
    for content in (GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n")):
        found = salvage(content)

        assert found.values == {"http_port": 8080, "listen": ["127.0.0.1", "::1"], "name": "Till 2"}
        assert found.lines == {"http_port": 2, "listen": 3, "name": 7}
        assert found.broken == ()


@pytest.mark.parametrize(
    ("line", "fault", "name"),
    [
        (b"https_port = ", Fault.SYNTAX, "https_port"),
        (b"https_port: 443", Fault.SYNTAX, None),
        (b'kind = "iot-box', Fault.SYNTAX, "kind"),
        (b"kind = iot-box", Fault.SYNTAX, "kind"),
        (b"address = [", Fault.SYNTAX, "address"),
        (b"address = " + b"[" * 5000, Fault.SYNTAX, "address"),
        (b"https_port = 09", Fault.SYNTAX, "https_port"),
        (b"https_port = " + b"9" * 5000, Fault.SYNTAX, "https_port"),
        (b"from = 2026-02-30", Fault.SYNTAX, "from"),
        (b"= 5", Fault.SYNTAX, None),
        (b"<html>", Fault.SYNTAX, None),
        (b"{", Fault.SYNTAX, None),
        (b'kind = "\xff"', Fault.NOT_TEXT, None),
        (b"\x00\x00", Fault.SYNTAX, None),
        (b"http_port = 81", Fault.TWICE, "http_port"),
    ],
)
def test_a_broken_line_is_named_and_the_others_count(line: bytes, fault: Fault, name: str | None) -> None:
    """Between two good lines, with the number people see in their editor and the setting it was meant to be."""
    found = salvage(b"http_port = 8080\n\n" + line + b'\nname = "Till 2"\n')

    assert found.values == {"http_port": 8080, "name": "Till 2"}
    assert found.broken == (Broken(line=3, fault=fault, name=name),)


def test_lines_that_belong_to_a_broken_one_are_not_counted_as_their_own() -> None:
    """A list that was never closed is one mistake, and what comes after it counts."""
    found = salvage(b'listen = [\n  "127.0.0.1",\n  "::1"\nname = "Till 2"\n')

    assert found.values == {"name": "Till 2"}
    assert found.broken == (Broken(line=1, fault=Fault.SYNTAX, name="listen"),)


def test_tables_are_read_one_by_one() -> None:
    """Of three hand-overs the broken one is named by the line in it, and the others are there in their order."""
    found = salvage(
        b'name = "Till\n[[deploy]]\nkey = "a"\n\n[[deploy]]\nkey = "b"\nmode = 0x\n'
        b'[[deploy]]\nkey = "c"\n[box]\nx = 1\n'
    )

    assert found.values == {"deploy": [{"key": "a"}, {"key": "c"}], "box": {"x": 1}}
    assert found.broken == (
        Broken(line=1, fault=Fault.SYNTAX, name="name"),
        Broken(line=7, fault=Fault.SYNTAX, name="deploy"),
    )


def test_a_file_of_another_kind_is_broken_and_bounded() -> None:
    """A picture, or text in UTF-16, is read to no end and raises nothing."""
    for content in (bytes(range(256)) * 200, GOOD.decode().encode("utf-16"), b"x\n" * 30_000, b"a = [\n" * 10_000):
        found = salvage(content)

        assert found.values == {}
        assert 1 <= len(found.broken) <= 100


@given(st.binary(max_size=200) | st.text(alphabet="ab=[]\"'\n #1.{},\\", max_size=80).map(str.encode))
def test_whatever_stands_in_a_file_is_read_or_named(content: bytes) -> None:
    """No content raises, and a file without a broken line is exactly what TOML says it is."""
    content = content.replace(b"\r", b"")
    found = salvage(content)

    if not found.broken:
        assert found.values == tomllib.loads(content.removeprefix(b"\xef\xbb\xbf").decode())
