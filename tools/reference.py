"""Write the generated parts of docs/reference and of docs/security.md from the code, so that they cannot lag behind.

A page keeps the words people wrote; only what stands between its two marks is written anew. ``--check`` writes
nothing and fails when a page is not up to date. What a page must hold is held by tests/rules/test_reference.py.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from lancert.cli import group
from lancert.cli.box.options import SETTINGS as BOX_SETTINGS
from lancert.protocol.problems import CATALOGUE, CRITERIA, Problem
from lancert.service.api.openapi import describe_api
from lancert.service.api.problems import KINDS
from lancert.service.settings import ServiceSettings

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- written by make reference -->", "<!-- end of what make reference writes -->"

CRL_PATH = "/crl/{issuer}.crl"
# What a sentence names when nothing has happened yet.
WORDS = {"server": "the server", "status": "NNN", "reference": "…", "environment": "…", "used": "…", "quantity": "…"}
WORDS |= {"proxy": "…", "firewall": "…", "port": "NNN", "needed": "4", "here": "6"}
# Defaults that depend on the machine, in words.
BOX_DEFAULTS = {
    "folder": "`/var/lib/lancert/box` for root, else `~/.local/state/lancert/box`",
    "listen": "all addresses",
    "address": "those of the machine",
    "name": "the host name",
    "kind": "`iot-box`, on Windows `virtual`",
    "maintenance": "at any time",
}
SERVICE_DEFAULTS = {"folder": "`/var/lib/lancert/service` for root, else `~/.local/state/lancert/service`"}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="write the generated parts of the documents")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not up to date")
    check = parser.parse_args(arguments).check
    stale = stale_pages(ROOT)
    for name, text in stale.items():
        if check:
            print(f"{name} is not up to date: run make reference", file=sys.stderr)
        else:
            (ROOT / name).write_text(text, encoding="utf-8")
            print(name)
    return 1 if check and stale else 0


def stale_pages(root: Path) -> dict[str, str]:
    """Give the pages that are not what the code says, each with the text it should have."""
    stale = {}
    for name, make in PAGES.items():
        found = (root / name).read_text(encoding="utf-8")
        wanted = with_generated(found, make(root, found))
        if wanted != found:
            stale[name] = wanted
    return stale


def with_generated(page: str, generated: str) -> str:
    """Put the generated text between the marks of a page. Raises ValueError when they are not there once."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"a page needs the lines {BEGIN} and {END} once each")
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{generated.strip()}\n\n{END}{rest.partition(END)[2]}"


def generated_in(page: str) -> str:
    """Give what stands between the marks."""
    return page.partition(BEGIN)[2].partition(END)[0]


def problems_page(root: Path, found: str) -> str:
    """Give the catalogue: every code with its causes, then the criteria of a refusal."""
    parts = [_problem(row) for row in CATALOGUE]
    rows = [(f"`{criterion}`", _said(row.meaning), _said(row.remedy)) for criterion, row in CRITERIA.items()]
    return "\n\n".join([*parts, "## Criteria\n\n" + _table(("criterion", "what is not met", "remedy"), rows)])


def _problem(row: Problem) -> str:
    steps = "\n".join(f"{number}. {_said(step)}" for number, step in enumerate(row.remedy, 1))
    digits = " NNN" if "{status}" in row.meaning else ""
    text = (
        f"## {row.code}{digits}\n\n**{_said(row.title)}.** {_said(row.meaning)}\n\n"
        f"Who can mend it: {row.reader.value.replace('-', ' ')}.\n\n{steps}"
    )
    if not row.causes:
        return text
    causes = [
        (f"`{cause.id}`", _said(cause.meaning), " ".join(map(_said, cause.remedy)) or "as above")
        for cause in row.causes
    ]
    return f"{text}\n\n{_table(('cause', 'what it means', 'remedy'), causes)}"


def _said(sentence: str) -> str:
    text = sentence.format(**WORDS)
    return text[:1].upper() + text[1:]


def commands_page(root: Path, found: str) -> str:
    """Give every command as its own ``--help`` shows it."""
    return "\n\n".join(f"## {name}\n\n```text\n{_help(name, command)}\n```" for name, command in commands_of(group))


def commands_of(command: click.Command, name: str = "lancert") -> Iterator[tuple[str, click.Command]]:
    """Give a command and all below it, each with its full name."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from commands_of(found, f"{name} {below}")


def _help(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=100, color=False, help_option_names=["-h", "--help"]
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def settings_page(root: Path, found: str) -> str:
    """Give the settings of both parts."""
    heads = ("setting", "option", "environment", "default", "meaning")
    service = _options("service", "run")
    names = [field.name for field in fields(ServiceSettings)]
    service_rows = [_setting("service", name, service[name], _service_default(name)) for name in names]
    box = {option.opts[0].removeprefix("--").replace("-", "_"): option for option in _options("box", "run").values()}
    box_rows = [_setting("box", name, box[name], BOX_DEFAULTS.get(name, "")) for name in BOX_SETTINGS]
    return (
        f"## The service\n\nFile: `service.toml` in its folder.\n\n{_table(heads, service_rows)}\n\n"
        f"## The IoT system\n\nFile: `box.toml` in its default folder.\n\n{_table(heads, box_rows)}"
    )


def _service_default(name: str) -> str:
    (field,) = (field for field in fields(ServiceSettings) if field.name == name)
    if name in SERVICE_DEFAULTS or field.default in (MISSING, None, "", ()):
        return SERVICE_DEFAULTS.get(name, "")
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _options(*path: str) -> dict[str, click.Option]:
    command: click.Command = group
    for name in path:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), name)
        assert below is not None
        command = below
    return {one.name or "": one for one in command.params if isinstance(one, click.Option)}


def _setting(part: str, name: str, option: click.Option, default: str) -> tuple[str, ...]:
    meaning, _, bracket = (option.help or "").partition("  [")
    meaning = re.sub(r"; [^;]+ otherwise\.$", ".", meaning) if part == "box" else meaning
    if not meaning:
        raise ValueError(f"the option {option.opts[0]} says nothing about itself")
    shown = str(option.show_default) if isinstance(option.show_default, str) else ""
    told = default or (f"`{shown}`" if shown else bracket.removesuffix("]"))
    return (f"`{name}`", f"`{option.opts[0]}`", f"`LANCERT_{part.upper()}_{name.upper()}`", told or "none", meaning)


def api_page(root: Path, found: str) -> str:
    """Give every address of the service, from its own description."""
    document = describe_api(crl_path=CRL_PATH)
    parts = []
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            parts.append(_call(path, method.upper(), call, document["components"]["schemas"]))
    kinds = [(str(kind.status), f"`urn:lancert:problem:{kind.name}`", f"{kind.title}.") for kind in KINDS]
    schemas = document["components"]["schemas"]
    return "\n\n".join(
        [
            *parts,
            f"## Problem documents\n\n{_fields('ProblemAnswer', schemas)}",
            _table(("status", "type", "what it says"), kinds),
        ]
    )


def _call(path: str, method: str, call: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    head = f"## {method} {path}\n\n{call['summary']}"
    answer = call["responses"]["200"]["content"]
    if "requestBody" not in call:
        return f"{head} Answers `{', '.join(answer)}`."
    asked = _name_of(call["requestBody"]["content"]["application/json"]["schema"])
    statuses = [(status, one["description"]) for status, one in call["responses"].items()]
    return (
        f"{head}\n\nThe request:\n\n{_fields(asked, schemas)}\n\n"
        f"The answer with 200:\n\n{_fields(_name_of(answer['application/json']['schema']), schemas)}\n\n"
        f"{_table(('status', 'why'), statuses)}"
    )


def _fields(name: str, schemas: Mapping[str, Any]) -> str:
    schema = schemas[name]
    return f"{schema['description'].replace('``', '`')}\n\n" + _table(
        ("field", "holds", "required"), list(_field_rows(schema, schemas, ""))
    )


def _field_rows(schema: Mapping[str, Any], schemas: Mapping[str, Any], inside: str) -> Iterator[tuple[str, str, str]]:
    for field, shape in schema["properties"].items():
        yield f"`{inside}{field}`", _held(shape), "yes" if field in schema["required"] else "no"
        for reference, mark in _below(shape):
            yield from _field_rows(schemas[reference], schemas, f"{inside}{field}{mark}.")


def _below(shape: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "$ref" in shape:
        yield _name_of(shape), ""
    for option in shape.get("anyOf", ()):
        yield from _below(option)
    if "$ref" in shape.get("items", {}):
        yield _name_of(shape["items"]), "[]"


def _name_of(shape: Mapping[str, Any]) -> str:
    return str(shape["$ref"]).rpartition("/")[2]


def _held(shape: Mapping[str, Any]) -> str:
    if "$ref" in shape:
        return "an object"
    if "anyOf" in shape:
        return " or ".join(_held(option) for option in shape["anyOf"])
    if "enum" in shape:
        return "one of " + ", ".join(f"`{value}`" for value in shape["enum"])
    match shape["type"]:
        case "string":
            return _text(shape)
        case "integer":
            return f"a whole number, {shape['minimum']} to {shape['maximum']}"
        case "array":
            return (
                f"a list of at most {shape['maxItems']}, each {_held(shape['items'])}"
                if "maxItems" in shape
                else (f"a list, each {_held(shape['items'])}")
            )
        case "object":
            return "an object of at most 16 texts"
    return str(shape["type"])


def _text(shape: Mapping[str, Any]) -> str:
    if shape.get("pattern", "").endswith("Z)$"):
        return "a moment such as `2026-11-20T22:31:00Z`"
    least, most = shape.get("minLength"), shape.get("maxLength")
    length = "" if most is None else f", {most} characters" if least == most else f", {least} to {most} characters"
    pattern = shape.get("pattern", "").removeprefix("^(?:").removesuffix(")$")
    return f"a text{length}" + (f", `{pattern}`" if pattern else "")


_REQUIREMENT = re.compile(r"\| (S-\d{2,3}) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|")


def security_page(root: Path, found: str) -> str:
    """Give the table of requirements as it is, with the test files that name each id written anew."""
    shown = tests_by_requirement(root)
    lines = []
    for line in generated_in(found).strip().splitlines():
        row = _REQUIREMENT.fullmatch(line)
        if row is not None:
            name, asked, _, note = row.groups()
            files = "<br>".join(f"`{file}`" for file in shown.get(name, ())) or "—"
            line = f"| {name} | {asked} | {files} | {note} |"
        lines.append(line)
    return "\n".join(lines)


def tests_by_requirement(root: Path) -> dict[str, list[str]]:
    """Give the test files that name each requirement (S-01 and so on), without the leading ``tests/``."""
    shown: dict[str, list[str]] = {}
    for file in sorted((root / "tests").rglob("test_*.py")):
        if file.name == "test_reference.py":
            continue
        for name in sorted(set(re.findall(r"\bS-\d{2,3}\b", file.read_text(encoding="utf-8")))):
            shown.setdefault(name, []).append(file.relative_to(root / "tests").as_posix())
    return shown


def _table(heads: tuple[str, ...], rows: list[Any]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    # What looks like a tag would vanish from the page.
    return re.sub(r"<(?!br>)([a-z]+)>", r"`<\1>`", text).replace("|", "\\|")


PAGES: Mapping[str, Callable[[Path, str], str]] = {
    "docs/reference/problems.md": problems_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/api.md": api_page,
    "docs/security.md": security_page,
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
