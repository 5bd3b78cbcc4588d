"""The [[deploy]] tables: what is understood, and what is complained about by its key with what to write instead."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from lancert.box.deploy.reading import parse_targets
from lancert.box.deploy.targets import Command, Part, Request, Signal, Verify

NGINX = {
    "name": "nginx",
    "full_chain": "/srv/tls/full-chain.pem",
    "key": "/srv/tls/key.pem",
    "reload": ["/usr/sbin/nginx", "-s", "reload"],
    "verify": "127.0.0.1:443",
}


def _complaint(**changed: Any) -> tuple[str, str]:
    """Give key and sentence of the one complaint about a table with these changes."""
    targets, complaints = parse_targets([{**NGINX, **changed}], is_posix=True)
    assert targets == ()
    (complaint,) = complaints
    return complaint.key, complaint.words(str)


def test_a_target_as_the_guides_write_it() -> None:
    """Paths, owner, rights, reload and where to look, from TOML as people write it."""
    written = """
    [[deploy]]
    name = "haproxy"
    combined = "/var/lib/lancert/deploy/haproxy/combined.pem"
    owner = "root"
    group = "haproxy"
    mode = "0640"
    reload_request = "/var/lib/lancert/deploy/haproxy/reload"
    verify = "[::1]:8443"
    server_name = "till.example.com"
    timeout = 10
    """
    (target,), complaints = parse_targets(tomllib.loads(written)["deploy"], is_posix=True)

    assert complaints == ()
    assert target.files == ((Part.COMBINED, Path("/var/lib/lancert/deploy/haproxy/combined.pem")),)
    assert (target.owner, target.group, target.mode, target.timeout) == ("root", "haproxy", 0o640, 10.0)
    assert target.reload == Request(file=Path("/var/lib/lancert/deploy/haproxy/reload"))
    assert target.verify == Verify(host="::1", port=8443, server_name="till.example.com")
    assert target.verify.address == "[::1]:8443"


def test_what_is_left_out_has_a_default_that_is_safe() -> None:
    """Without more than paths, only the agent's own account can read the key, and nothing is run."""
    (target,), _ = parse_targets([{"name": "app", "key": "/srv/tls/key.pem"}], is_posix=True)

    assert (target.mode, target.owner, target.group) == (0o600, None, None)
    assert (target.reload, target.verify) == (None, None)


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ({"reload": ["/bin/true"]}, Command(arguments=("/bin/true",))),
        ({"reload_signal": "HUP", "pid_file": "/run/x/x.pid"}, Signal(name="HUP", pid_file=Path("/run/x/x.pid"))),
        ({"reload_signal": "SIGUSR2", "pid_file": "/run/x/x.pid"}, Signal(name="USR2", pid_file=Path("/run/x/x.pid"))),
        ({}, None),
    ],
)
def test_there_are_three_ways_to_reload_and_none(written: dict[str, Any], understood: object) -> None:
    """A command, a signal, a request; a program that watches its files needs none of them."""
    (target,), complaints = parse_targets([{"name": "x", "key": "/srv/tls/key.pem", **written}], is_posix=True)

    assert complaints == ()
    assert target.reload == understood


@pytest.mark.parametrize("nothing", [None, []])
def test_most_boxes_have_no_targets(nothing: object) -> None:
    """Nothing is said about what nobody asked for."""
    assert parse_targets(nothing, is_posix=True) == ((), ())


@pytest.mark.parametrize(
    ("changed", "key", "says"),
    [
        ({"name": "Nginx!"}, "deploy[1].name", "small letters"),
        ({"name": None}, "deploy[1].name", "needs a name"),
        ({"key": "key.pem"}, "deploy.nginx.key", "absolute path, such as /var/lib/lancert/deploy/nginx/key.pem"),
        ({"key": "/srv/../etc/key.pem"}, "deploy.nginx.key", "absolute path"),
        ({"key": "/srv/tls/.key.pem"}, "deploy.nginx.key", "dot"),
        ({"key": "/key.pem"}, "deploy.nginx.key", "absolute path"),
        ({"key": 7}, "deploy.nginx.key", "absolute path"),
        ({"key": "/srv/other/key.pem"}, "deploy.nginx.full_chain", "one folder, here /srv/other"),
        ({"key": "/srv/tls/full-chain.pem"}, "deploy.nginx.full_chain", "same path"),
        ({"key": None, "full_chain": None}, "deploy.nginx.full_chain", "No file is named"),
        ({"nginx": "/srv/tls/$host.conf"}, "deploy.nginx.nginx", "letters, digits"),
        ({"mode": "0644"}, "deploy.nginx.mode", "nobody else may read the key"),
        ({"mode": 640}, "deploy.nginx.mode", "0640"),
        ({"mode": "rw-r-----"}, "deploy.nginx.mode", "0640"),
        ({"mode": True}, "deploy.nginx.mode", "0640"),
        ({"owner": "no such; rm"}, "deploy.nginx.owner", "account"),
        ({"reload": "nginx -s reload"}, "deploy.nginx.reload", "list"),
        ({"reload": ["nginx", "-s", "reload"]}, "deploy.nginx.reload", "absolute path, such as /usr/sbin/nginx"),
        ({"reload": []}, "deploy.nginx.reload", "list"),
        ({"reload": ["/bin/true", ""]}, "deploy.nginx.reload", "list"),
        ({"reload_request": "/srv/tls/reload"}, "deploy.nginx.reload_request", "One way to reload"),
        ({"reload": None, "reload_request": "/srv/x/reload"}, "deploy.nginx.reload_request", "/srv/tls"),
        ({"reload": None, "reload_request": "/srv/tls/key.pem"}, "deploy.nginx.reload_request", "of its own"),
        ({"reload": None, "reload_signal": "KILL", "pid_file": "/run/x/x.pid"}, "deploy.nginx.reload_signal", "HUP"),
        ({"reload": None, "reload_signal": "HUP"}, "deploy.nginx.pid_file", "/run/nginx.pid"),
        ({"pid_file": "/run/x/x.pid"}, "deploy.nginx.pid_file", "reload_signal"),
        ({"verify": "127.0.0.1"}, "deploy.nginx.verify", "address and a port"),
        ({"verify": "127.0.0.1:0"}, "deploy.nginx.verify", "address and a port"),
        ({"verify": "127.0.0.1:70000"}, "deploy.nginx.verify", "address and a port"),
        ({"verify": "https://localhost:443"}, "deploy.nginx.verify", "address and a port"),
        ({"verify": None, "server_name": "a.example"}, "deploy.nginx.server_name", "verify"),
        ({"server_name": "a.example:443"}, "deploy.nginx.server_name", "without a port"),
        ({"timeout": 0}, "deploy.nginx.timeout", "1 to 300"),
        ({"timeout": "long"}, "deploy.nginx.timeout", "1 to 300"),
        ({"fullchain": "/srv/tls/x.pem"}, "deploy.nginx.fullchain", "did you mean full_chain"),
        ({"zzzz": 1}, "deploy.nginx.zzzz", "known are name"),
    ],
)
def test_a_mistake_is_named_by_its_key(changed: dict[str, Any], key: str, says: str) -> None:
    """Whoever wrote it reads which key it is and what to write."""
    found, sentence = _complaint(**changed)

    assert found == key
    assert says in sentence


@pytest.mark.parametrize("written", ["yes", {"name": "nginx"}, ["nginx"], 7])
def test_a_table_that_is_no_list_of_tables_is_complained_about(written: object) -> None:
    """[deploy] in place of [[deploy]], or a value from the environment, stops nothing."""
    targets, (complaint,) = parse_targets(written, is_posix=True)

    assert targets == ()
    assert "[[deploy]]" in complaint.words(str)


def test_a_mistake_costs_its_own_target_alone() -> None:
    """The other targets are supplied."""
    good = {"name": "app", "key": "/srv/app/key.pem"}
    targets, complaints = parse_targets([{**NGINX, "mode": "0666"}, good], is_posix=True)

    assert [target.name for target in targets] == ["app"]
    assert [complaint.key for complaint in complaints] == ["deploy.nginx.mode"]


def test_two_targets_do_not_share_a_name_or_a_file() -> None:
    """What one writes the other would overwrite."""
    again = {**NGINX, "full_chain": "/srv/2/full-chain.pem", "key": "/srv/2/key.pem"}
    other = {"name": "other", "key": NGINX["key"]}
    targets, complaints = parse_targets([NGINX, again, other], is_posix=True)

    assert [target.name for target in targets] == ["nginx"]
    assert [complaint.key for complaint in complaints] == ["deploy.nginx.name", "deploy.other.key"]


def test_another_system_is_told_so() -> None:
    """M19: on Windows a table is complained about, and the agent runs."""
    targets, (complaint,) = parse_targets([NGINX], is_posix=False)

    assert targets == ()
    assert "Linux" in complaint.words(str)
