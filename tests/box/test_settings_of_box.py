"""A setting that cannot be used counts as not set and is named; everything else in the file counts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lancert.box.notices import Notice
from lancert.box.settings import SETTINGS, SettingsWatch, own_addresses, read_settings
from lancert.cli.box.options import WRITTEN
from lancert.kit.settings import read_settings as read_strictly

GOOD = {"http_port": 8080, "name": "Till 2"}
GOOD_TEXT = 'http_port = 8080\nname = "Till 2"\n'


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the environment of the tests says to a box."""
    for name in list(os.environ):
        if name.startswith("LANCERT_BOX_"):
            monkeypatch.delenv(name)


def words(notice: Notice) -> str:
    """Give all a reader sees of a notice."""
    document = notice.document(str)
    return " ".join([document["title"], document["meaning"], *document["remedy"]])


def test_every_setting_has_an_example_that_can_be_used(tmp_path: Path) -> None:
    """What a notice tells people to write is right, in the file and in the environment."""
    assert {*SETTINGS} == {*WRITTEN} - {"folder", "deploy"}
    (tmp_path / "box.toml").write_text("\n".join(one.example for one in SETTINGS.values()))
    read = read_settings(tmp_path, WRITTEN)

    assert read.notices == ()
    assert read.values.keys() == SETTINGS.keys()
    written = read_strictly("box", WRITTEN, tmp_path / "box.toml")
    for name in ("http_port", "listen", "address", "name", "kind", "maintenance"):
        assert read.values[name] == written[name]


@pytest.mark.parametrize(
    ("line", "notice", "says"),
    [
        ("https_port = ", "settings-line", ["Line 3 of box.toml", "https_port = 443"]),
        ("kind = iot-box", "settings-line", ["Line 3 of box.toml", 'kind = "iot-box"']),
        ("nonsense", "settings-line", ["Line 3 of box.toml", "name = value"]),
        (
            "htps_port = 443",
            "settings-unknown",
            ["htps_port", "line 3", "Did you mean https_port?", "https_port = 443"],
        ),
        ("zzzzzz = 1", "settings-unknown", ["zzzzzz", "The settings are: ", "maintenance"]),
        ("[box]\nkind = 'virtual'", "settings-section", ["Line 3", "[box]", "Remove line 3"]),
        ("folder = '/srv'", "settings-value", ["folder", "line 3", "command line"]),
        ("name = 'Till 3'", "settings-twice", ["name stands in box.toml twice", "line 3"]),
        ("https_port = 70000", "settings-value", ["line 3", "https_port", "from 0 to 65535", "https_port = 443"]),
        ("https_port = -1", "settings-value", ["https_port"]),
        ("https_port = true", "settings-value", ["https_port"]),
        ("https_port = 443.0", "settings-value", ["https_port"]),
        ("https_port = [443]", "settings-value", ["https_port"]),
        ("https_port = '٤٤٣'", "settings-value", ["https_port"]),
        ("listen = 5", "settings-value", ["listen", 'listen = ["192.168.1.5"]']),
        ("listen = ['till.example.com']", "settings-value", ["listen"]),
        ("address = ['8.8.8.8']", "settings-value", ["private network", 'address = ["192.168.1.5"]']),
        ("address = [1, 2]", "settings-value", ["address"]),
        ("kind = 'toaster'", "settings-value", ["iot-box or virtual"]),
        ("kind = ['virtual']", "settings-value", ["kind"]),
        ("maintenance = 'at night'", "settings-value", ['maintenance = "02:00-05:00"']),
        ("maintenance = 02:00:00", "settings-value", ["maintenance"]),
    ],
)
def test_a_wrong_line_is_named_with_what_to_write(tmp_path: Path, line: str, notice: str, says: list[str]) -> None:
    """The file, the line, the setting and a line that would do; the other settings count."""
    (tmp_path / "box.toml").write_text(f"{GOOD_TEXT}{line}\n")
    read = read_settings(tmp_path, WRITTEN)

    assert read.values == GOOD
    assert [one.id for one in read.notices] == [notice]
    for text in ("box.toml", *says):
        assert text in words(read.notices[0])


@pytest.mark.parametrize("content", ["name = ''", "name = '  '", f"name = '{'x' * 65}'", 'name = "a\\nb"', "name = 7"])
def test_a_name_that_no_homepage_could_show_does_not_count(tmp_path: Path, content: str) -> None:
    """Empty, longer than the service takes, over two lines, a number."""
    (tmp_path / "box.toml").write_text(content)

    assert [one.id for one in read_settings(tmp_path, WRITTEN).notices] == ["settings-value"]


def _a_directory(file: Path) -> None:
    file.mkdir()


def _a_pipe(file: Path) -> None:
    os.mkfifo(file)


def _too_large(file: Path) -> None:
    file.write_text(GOOD_TEXT + "#" * 70_000)


def _a_loop(file: Path) -> None:
    file.symlink_to(file)


@pytest.mark.parametrize(
    ("spoil", "notice"),
    [
        (_a_directory, "settings-no-file"),
        (_a_pipe, "settings-no-file"),
        (_too_large, "settings-too-large"),
        (_a_loop, "settings-disk"),
    ],
)
def test_what_cannot_be_read_as_a_file_is_named(tmp_path: Path, spoil: Callable[[Path], None], notice: str) -> None:
    """A directory or a pipe in its place, a file nobody wrote by hand, a link that leads nowhere."""
    spoil(tmp_path / "box.toml")
    read = read_settings(tmp_path, WRITTEN)

    assert read.values == {}
    assert [one.id for one in read.notices] == [notice]
    assert "box.toml" in words(read.notices[0])


def test_many_mistakes_are_told_a_few_at_a_time(tmp_path: Path) -> None:
    """Five, in the order of their lines, and how many more there are."""
    (tmp_path / "box.toml").write_text("".join(f"wrong{number} = 1\n" for number in range(30)))
    told = read_settings(tmp_path, WRITTEN).notices

    assert [one.facts.get("line") for one in told] == ["1", "2", "3", "4", "5", None]
    assert "25 more" in words(told[-1])


def test_the_environment_comes_first_and_stops_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that cannot be used is named as it is written, and the file counts in its place."""
    (tmp_path / "box.toml").write_text(GOOD_TEXT)
    monkeypatch.setenv("LANCERT_BOX_NAME", "Till 9")
    monkeypatch.setenv("LANCERT_BOX_LISTEN", "127.0.0.1,::1")
    monkeypatch.setenv("LANCERT_BOX_HTTP_PORT", "eighty")
    monkeypatch.setenv("LANCERT_BOX_HTPS_PORT", "443")
    monkeypatch.setenv("LANCERT_BOX_FOLDER", str(tmp_path))
    read = read_settings(tmp_path, WRITTEN)

    assert read.values == {"name": "Till 9", "listen": ["127.0.0.1", "::1"], "http_port": 8080}
    assert sorted(one.id for one in read.notices) == ["environment-unknown", "environment-value"]
    said = " ".join(map(words, read.notices))
    assert "LANCERT_BOX_HTTP_PORT=80" in said
    assert "Did you mean LANCERT_BOX_HTTPS_PORT?" in said


def test_an_address_this_machine_does_not_have_is_not_listened_on() -> None:
    """A box whose address changed starts all the same, and says which line is out of date."""
    listen, told = own_addresses(("127.0.0.1", "203.0.113.7"))

    assert listen == ("127.0.0.1",)
    assert "203.0.113.7 is not an address of this machine now" in words(told[0])
    assert own_addresses(("127.0.0.1",)) == (("127.0.0.1",), ())


# While the agent runs


def _watch(folder: Path, **in_use: object) -> SettingsWatch:
    read = read_settings(folder, WRITTEN)
    return SettingsWatch(folder, WRITTEN, read=read, in_use={name: read.values.get(name) for name in SETTINGS} | in_use)


def _rewrite(file: Path, content: str) -> None:
    """Save as an editor does, so that the change is seen however fast it comes."""
    beside = file.with_suffix(".new")
    beside.write_text(content)
    beside.replace(file)


def _told(watch: SettingsWatch) -> list[str]:
    watch.look()
    return [notice.id for notice in watch.notices]


def test_a_mended_file_is_noticed_without_a_restart(tmp_path: Path) -> None:
    """Where the mended line says what is in use anyway, nothing is left to tell; else a restart is asked for."""
    file = tmp_path / "box.toml"
    file.write_text("http_port = 80a\nname = 'Till 2'\n")
    watch = _watch(tmp_path, http_port=8080)
    seen = [_told(watch)]
    for content in ("http_port = 8081\nname = 'Till 2'\n", "http_port = 8080\nname = 'Till 2'\n", "name = 'Till 2'\n"):
        _rewrite(file, content)
        seen.append(_told(watch))

    assert seen == [["settings-line"], ["settings-restart"], [], ["settings-restart"]]


def test_a_changed_file_asks_for_a_restart_and_a_changed_back_one_does_not(tmp_path: Path) -> None:
    """Also a file that appears, breaks or goes while the agent runs."""
    file = tmp_path / "box.toml"
    watch = _watch(tmp_path)
    seen = []
    for content in ("maintenance = '02:00-05:00'\n", "maintenance = 2\n", "# nothing\n"):
        _rewrite(file, content)
        seen.append(_told(watch))
    file.unlink()
    seen.append(_told(watch))

    assert seen == [["settings-restart"], ["settings-value"], [], []]


def test_a_setting_that_was_typed_is_not_compared(tmp_path: Path) -> None:
    """The command line wins over the file, so a restart with the same command line would change nothing."""
    (tmp_path / "box.toml").write_text("http_port = 80\n")
    read = read_settings(tmp_path, WRITTEN)
    watch = SettingsWatch(tmp_path, WRITTEN, read=read, in_use={"name": None})
    _rewrite(tmp_path / "box.toml", "http_port = 81\n")

    assert _told(watch) == []
