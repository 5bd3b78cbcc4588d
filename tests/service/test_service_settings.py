"""The settings of the service: their order, their defaults, and a sentence for each mistake."""

from pathlib import Path

import pytest

from lancert.kit.settings import SettingsError
from lancert.protocol.names import DEMO_ZONE
from lancert.service.settings import SETTINGS_FILE, service_settings


def test_without_any_setting_the_service_stays_on_this_machine(tmp_path: Path) -> None:
    """The first look needs no decision and is reachable by nobody else."""
    settings = service_settings({"folder": tmp_path})

    assert settings.zone == DEMO_ZONE
    assert settings.listen_host == settings.listen_dns == "127.0.0.1"
    assert settings.service_name == "service.lancert.localhost"
    assert settings.zone_servers == ("ns1.lancert.localhost",)


def test_a_zone_of_ones_own_is_served_to_everybody(tmp_path: Path) -> None:
    """Outside localhost the service listens on every address, and is told the one it has."""
    settings = service_settings({"folder": tmp_path, "zone": "IoT.example.com.", "address": "203.0.113.7"})

    assert settings.zone == "iot.example.com"
    assert settings.listen_host == "0.0.0.0"
    assert str(settings.address) == "203.0.113.7"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said last and nearest counts."""
    (tmp_path / SETTINGS_FILE).write_text('https_port = 1001\nhttp_port = 1002\ndns_port = "none"\nshared = true\n')
    monkeypatch.setenv("LANCERT_SERVICE_HTTPS_PORT", "2001")
    monkeypatch.setenv("LANCERT_SERVICE_HTTP_PORT", "2002")
    settings = service_settings({"folder": tmp_path, "https_port": "3001", "zone": None})

    assert (settings.https_port, settings.http_port, settings.dns_port) == (3001, 2002, None)
    assert settings.shared


def test_the_folder_may_stand_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder itself is a setting like the others, except in the file that lies in it."""
    monkeypatch.setenv("LANCERT_SERVICE_FOLDER", str(tmp_path))

    assert service_settings({}).folder == tmp_path


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"zone": "localhost"}, "zone"),
        ({"zone": "-.example.com"}, "zone"),
        ({"https_port": "65536"}, "https_port"),
        ({"https_port": "none"}, "https_port"),
        ({"http_port": "http"}, "http_port"),
        ({"listen": "service.example.com"}, "listen"),
        ({"dns_listen": "eth0"}, "dns_listen"),
        ({"zone": "iot.example.com"}, "--address"),
        ({"address": "service"}, "address"),
        ({"public_url": "http://service.lancert.localhost"}, "https://"),
        ({"public_url": "service.lancert.localhost"}, "https://"),
        ({"public_url": "https://service.lancert.localhost/x"}, "https://"),
        ({"public_url": "https://certs.example.com"}, "certificate and key"),
        ({"public_url": "https://192.168.1.10"}, "certificate and key"),
        ({"certificate": "chain.pem"}, "key"),
        ({"key": "key.pem"}, "certificate"),
        ({"shared": "maybe"}, "shared"),
        ({"log_level": "loud"}, "log_level"),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, given: dict[str, str], says: str) -> None:
    """The sentence names the setting and what it should look like."""
    with pytest.raises(SettingsError, match=says):
        service_settings({"folder": tmp_path, **given})


def test_an_unknown_setting_names_the_nearest_known_one(tmp_path: Path) -> None:
    """A setting that is silently ignored costs an afternoon."""
    (tmp_path / SETTINGS_FILE).write_text("https_prot = 443\n")

    with pytest.raises(SettingsError, match="did you mean https_port"):
        service_settings({"folder": tmp_path})


def test_the_folder_cannot_be_named_in_the_file_that_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ignoring the line would keep everything in another place than the one that stands there."""
    (tmp_path / SETTINGS_FILE).write_text('folder = "/srv/elsewhere"\n')
    with pytest.raises(SettingsError, match=r"service\.toml.*--folder or LANCERT_SERVICE_FOLDER"):
        service_settings({"folder": tmp_path})

    monkeypatch.setenv("LANCERT_SERVICE_FOLDER", str(tmp_path))
    with pytest.raises(SettingsError, match=r"folder cannot stand in service\.toml"):
        service_settings({})
