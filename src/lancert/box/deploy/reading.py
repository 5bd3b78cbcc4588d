"""Reads the ``[[deploy]]`` tables of ``box.toml``: targets that are sound, and a complaint for each that is not.

Pure, and it never raises: a table with a mistake is left out and complained about, the others count. The agent runs
whatever is written there.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lancert.box.deploy.targets import Command, Part, Request, Signal, Target, Verify
from lancert.kit.language import N_, Translate, fill

KEYS = (
    "name",
    *(part.value for part in Part),
    *("owner", "group", "mode", "reload", "reload_signal", "pid_file", "reload_request"),
    *("verify", "server_name", "timeout"),
)
SIGNALS = ("HUP", "USR1", "USR2")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:/\s]+)):([0-9]{1,5})")
_FOR_NGINX = re.compile(r"[A-Za-z0-9._/-]+")
_EXAMPLES = {"full_chain": "full-chain.pem", "nginx": "certificate.conf", "reload_request": "reload"}
_MOST_TARGETS = 16
_LONGEST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What is wrong with one key; ``sentence`` is marked for translation and says what to write."""

    key: str
    sentence: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def words(self, translate: Translate) -> str:
        """Say it in the reader's language."""
        return fill(translate(self.sentence), self.facts)


class _Wrong(Exception):
    """A value cannot be used."""

    def __init__(self, key: str, sentence: str, **facts: object) -> None:
        super().__init__(sentence)
        self.key, self.sentence, self.facts = key, sentence, {name: str(value) for name, value in facts.items()}


def parse_targets(
    table: object, *, is_posix: bool = sys.platform != "win32"
) -> tuple[tuple[Target, ...], tuple[Complaint, ...]]:
    """Read the value of ``deploy``; None and an empty list mean that there are no targets."""
    if table is None or table == []:
        return (), ()
    if not isinstance(table, list) or not all(isinstance(one, Mapping) for one in table):
        return (), (Complaint(key="deploy", sentence=N_("Each target is a table of its own under [[deploy]].")),)
    if not is_posix:
        return (), (Complaint(key="deploy", sentence=N_("Hand-over works on Linux only; leave [[deploy]] out.")),)
    targets: list[Target] = []
    complaints: list[Complaint] = []
    for number, one in enumerate(table[:_MOST_TARGETS], 1):
        name = one.get("name")
        where = f"deploy.{name}" if isinstance(name, str) and _NAME.fullmatch(name) else f"deploy[{number}]"
        try:
            targets.append(_beside(targets, _target(one)))
        except _Wrong as wrong:
            complaints.append(Complaint(key=f"{where}.{wrong.key}", sentence=wrong.sentence, facts=wrong.facts))
    if len(table) > _MOST_TARGETS:
        sentence = N_("There are at most {most} targets; the others are left out.")
        complaints.append(Complaint(key="deploy", sentence=sentence, facts={"most": str(_MOST_TARGETS)}))
    return tuple(targets), tuple(complaints)


def _beside(others: list[Target], target: Target) -> Target:
    """Refuse what another target has already."""
    if any(other.name == target.name for other in others):
        raise _Wrong("name", N_("Two targets are called {name}; give each a name of its own."), name=target.name)
    taken = {path for other in others for _, path in other.files}
    for part, path in target.files:
        if path in taken:
            raise _Wrong(part.value, N_("Another target has the file {path} already."), path=path)
    return target


def _target(table: Mapping[str, Any]) -> Target:
    for key in table:
        if key not in KEYS:
            import difflib  # for a mistake only

            near = difflib.get_close_matches(key, KEYS, 1)
            if near:
                raise _Wrong(key, N_("There is no such setting; did you mean {near}?"), near=near[0])
            raise _Wrong(key, N_("There is no such setting; known are {known}."), known=", ".join(KEYS))
    name = _text(table, "name", _NAME, N_("A target needs a name of small letters, digits and -, such as nginx."))
    if name is None:
        raise _Wrong("name", N_("A target needs a name of small letters, digits and -, such as nginx."))
    files = tuple((part, path) for part in Part if (path := _path(table, part.value)) is not None)
    _judge_files(files)
    account = N_("Write the name of an account or group of this machine, or its number.")
    target = Target(
        name=name,
        files=files,
        owner=_text(table, "owner", _ACCOUNT, account),
        group=_text(table, "group", _ACCOUNT, account),
        mode=_mode(table),
        reload=_reload(table),
        verify=_verify(table),
        timeout=_timeout(table),
    )
    if target.request is not None and target.request.parent != target.folder:
        raise _Wrong("reload_request", N_("It has to lie in the folder of the files, {folder}."), folder=target.folder)
    if target.request is not None and target.request in {path for _, path in files}:
        raise _Wrong("reload_request", N_("It needs a name of its own, such as {path}."), path=target.folder / "reload")
    return target


def _judge_files(files: tuple[tuple[Part, Path], ...]) -> None:
    if not files:
        raise _Wrong("full_chain", N_("No file is named; most programs want full_chain and key."))
    paths = [path for _, path in files]
    folder = paths[0].parent
    for part, path in files[1:]:
        if path.parent != folder:
            raise _Wrong(part.value, N_("All files of a target lie in one folder, here {folder}."), folder=folder)
    if len(set(paths)) < len(paths):
        raise _Wrong(files[-1][0].value, N_("Two files of a target cannot have the same path."))


def _text(table: Mapping[str, Any], key: str, form: re.Pattern[str], sentence: str) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and form is _ACCOUNT:
        value = str(value)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _Wrong(key, sentence)
    return value


def _path(table: Mapping[str, Any], key: str) -> Path | None:
    value = table.get(key)
    if value is None:
        return None
    sentence = N_("Write an absolute path, such as {example}.")
    name = table.get("name")
    folder = name if isinstance(name, str) and _NAME.fullmatch(name) else "nginx"
    example = f"/var/lib/lancert/deploy/{folder}/{_EXAMPLES.get(key, f'{key}.pem')}"
    if not isinstance(value, str) or not value.isprintable() or not 1 < len(value) <= 1000:
        raise _Wrong(key, sentence, example=example)
    path = Path(value)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 3 or value.endswith("/"):
        raise _Wrong(key, sentence, example=example)
    if key == Part.NGINX.value and not _FOR_NGINX.fullmatch(value):
        raise _Wrong(key, N_("nginx needs a path of letters, digits and the signs . _ - / alone."))
    if path.name.startswith("."):
        raise _Wrong(key, N_("A name that begins with a dot is not for files that are handed over."))
    return path


def _mode(table: Mapping[str, Any]) -> int:
    value = table.get("mode", "0600")
    sentence = N_("Write “0600”, or “0640” together with a group; nobody else may read the key.")
    if isinstance(value, str) and re.fullmatch(r"(0o)?0?[0-7]{3}", value):
        value = int(value.removeprefix("0o"), 8)
    # A decimal 640 is what people write who mean 0640; it is another number and therefore refused.
    if isinstance(value, bool) or value not in (0o400, 0o440, 0o600, 0o640, 0o660):
        raise _Wrong("mode", sentence)
    return int(value)


def _reload(table: Mapping[str, Any]) -> Command | Signal | Request | None:
    given = [key for key in ("reload", "reload_signal", "reload_request") if table.get(key) is not None]
    if len(given) > 1:
        raise _Wrong(given[1], N_("One way to reload is enough: reload, reload_signal or reload_request."))
    if "reload_signal" not in given and table.get("pid_file") is not None:
        raise _Wrong("pid_file", N_("It goes with reload_signal, such as “HUP”."))
    match given:
        case ["reload"]:
            return _command(table["reload"])
        case ["reload_signal"]:
            name, pid_file = table["reload_signal"], _path(table, "pid_file")
            if not isinstance(name, str) or name.removeprefix("SIG") not in SIGNALS:
                raise _Wrong("reload_signal", N_("Write one of {signals}."), signals=", ".join(SIGNALS))
            if pid_file is None:
                raise _Wrong("pid_file", N_("A signal needs the file with the process number, such as /run/nginx.pid."))
            return Signal(name=name.removeprefix("SIG"), pid_file=pid_file)
        case ["reload_request"]:
            file = _path(table, "reload_request")
            assert file is not None
            return Request(file=file)
        case _:
            return None


def _command(value: object) -> Command:
    sentence = N_("Write a list of a program's path and its arguments, such as {example}.")
    given = value if isinstance(value, list) and len(value) <= 32 else []
    if not given or not all(isinstance(one, str) and one and one.isprintable() for one in given):
        raise _Wrong("reload", sentence, example='["/usr/sbin/nginx", "-s", "reload"]')
    if not given[0].startswith("/"):
        raise _Wrong("reload", N_("The program needs its absolute path, such as {example}."), example="/usr/sbin/nginx")
    return Command(arguments=tuple(given))


def _verify(table: Mapping[str, Any]) -> Verify | None:
    value = table.get("verify")
    name = _text(table, "server_name", _HOST_NAME, N_("Write a name of the certificate, without a port."))
    if value is None:
        if name is not None:
            raise _Wrong("server_name", N_("It goes with verify, such as “127.0.0.1:443”."))
        return None
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    if found is None or not 0 < int(found[3]) < 65_536 or (found[2] and not _HOST_NAME.fullmatch(found[2])):
        raise _Wrong("verify", N_("Write an address and a port, such as “127.0.0.1:443”."))
    return Verify(host=found[1] or found[2], port=int(found[3]), server_name=name)


def _timeout(table: Mapping[str, Any]) -> float:
    value = table.get("timeout", 30)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 300:
        raise _Wrong("timeout", N_("Write a number of seconds from 1 to 300."))
    return float(value)
