"""Settings are read once, and a name nobody knows is an error that names the nearest."""

import sys
from pathlib import Path

import pytest

from lancert.kit.settings import (
    SettingsError,
    default_folder,
    environment_without_settings,
    read_settings,
    reader_languages,
)

KNOWN = ("http_port", "https_port", "folder")


def test_environment_comes_before_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the environment wins over the file's; other parts' settings do not count."""
    file = tmp_path / "box.toml"
    file.write_text("http_port = 80\nhttps_port = 443\n")
    monkeypatch.setenv("LANCERT_BOX_HTTP_PORT", "8080")
    monkeypatch.setenv("LANCERT_SERVICE_ZONE", "iot.example.com")

    assert read_settings("box", KNOWN, file) == {"http_port": "8080", "https_port": 443}


def test_no_settings_are_no_error(tmp_path: Path) -> None:
    """Defaults work: neither file nor environment is needed."""
    assert read_settings("box", KNOWN, None) == {}
    assert read_settings("box", KNOWN, tmp_path / "absent.toml") == {}


def test_an_unknown_name_in_the_environment_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake is answered with the right spelling."""
    monkeypatch.setenv("LANCERT_BOX_HTP_PORT", "8080")

    with pytest.raises(SettingsError, match=r"no setting LANCERT_BOX_HTP_PORT; did you mean LANCERT_BOX_HTTP_PORT\?"):
        read_settings("box", KNOWN, None)


def test_an_unknown_name_in_a_file_names_the_nearest(tmp_path: Path) -> None:
    """The same for a line of a file, with the file's name."""
    file = tmp_path / "box.toml"
    file.write_text("foldr = 'x'\n")

    with pytest.raises(SettingsError, match=r"no setting foldr in box.toml; did you mean folder in box.toml\?"):
        read_settings("box", KNOWN, file)


def test_a_name_like_no_other_lists_the_known_ones(tmp_path: Path) -> None:
    """Where no name is near, all are told."""
    file = tmp_path / "box.toml"
    file.write_text("zzzzzz = 1\n")

    with pytest.raises(SettingsError, match="known are folder, http_port, https_port"):
        read_settings("box", KNOWN, file)


@pytest.mark.parametrize("content", [b"http_port = ", b"\xff\xfe", b"http_port = 1\nhttp_port = 2"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    """What cannot be read is said with the name of the file."""
    file = tmp_path / "box.toml"
    file.write_bytes(content)

    with pytest.raises(SettingsError, match=r"box.toml cannot be read"):
        read_settings("box", KNOWN, file)


@pytest.mark.parametrize(
    ("environment", "languages"),
    [
        ({}, []),
        ({"LANG": "es_ES.UTF-8"}, ["es_ES"]),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "it_IT"}, ["it_IT"]),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "id:it"}, ["id", "it"]),
        ({"LANG": "en_US", "LC_ALL": ""}, ["en_US"]),
    ],
)
def test_the_reader_s_languages_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], languages: list[str]
) -> None:
    """The usual variables count in their usual order."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert reader_languages() == languages


def test_the_folder_is_the_named_one_or_the_usual_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A named folder wins; otherwise each part has its own."""
    monkeypatch.setenv("LANCERT_BOX_FOLDER", str(tmp_path))

    assert default_folder("box") == tmp_path
    assert default_folder("service").parts[-2:] == ("lancert", "service")
    assert default_folder("service").is_absolute() or sys.platform == "win32"


def test_a_child_process_gets_no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are for the process they were given to."""
    monkeypatch.setenv("LANCERT_BOX_FOLDER", "x")
    monkeypatch.setenv("UNRELATED", "y")
    environment = environment_without_settings()

    assert environment["UNRELATED"] == "y"
    assert not [name for name in environment if name.startswith("LANCERT_")]
