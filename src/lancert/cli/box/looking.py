"""``lancert box status`` and ``doctor``: how this IoT system is doing, and why not better."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from lancert.cli.box.options import (
    address_option,
    existing,
    folder_option,
    host_name,
    kind_option,
    name_option,
    parse_addresses,
    status_from_agent,
    translate_for_reader,
)
from lancert.kit.clock import from_text, to_words


@click.command()
@folder_option
@address_option
@name_option
@kind_option
@click.option("--json", "as_json", is_flag=True, help="Print the same document as /status.json of the homepage.")
def status(folder: Path, addresses: tuple[str, ...], name: str | None, kind: str, as_json: bool) -> None:
    """Say how this IoT system is doing. Exit status 0 when HTTPS works, 1 otherwise."""
    from lancert.box.folder import Folder
    from lancert.box.gathering import facts_on_disk
    from lancert.box.status import status_document
    from lancert.kit.clock import SystemClock
    from lancert.protocol.messages import Kind

    opened = Folder(existing(folder))
    document = status_from_agent(opened)
    is_running = document is not None
    if document is None:
        facts = facts_on_disk(opened, name=name or host_name(), kind=Kind(kind), addresses=parse_addresses(addresses))
        document = status_document(facts, SystemClock().now(), translate_for_reader())
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print_status(document, is_running)
    sys.exit(0 if document["state"] in ("secure", "attention") else 1)


def _print_status(document: dict[str, Any], is_running: bool) -> None:
    certificate = document["certificate"]
    rows = [
        ("state", document["state"] + ("" if is_running else " (the agent is not running)")),
        ("homepage", document["url"] or "no HTTPS URL yet"),
        *(("", f"{entry['http']} always works") for entry in document["urls"]),
        ("server", document["server"] or "not connected"),
        (
            "certificate",
            f"valid from {_words(certificate['not_before'])} until {_words(certificate['not_after'])}"
            if certificate
            else "none yet",
        ),
        (
            "next try",
            _words(document["next_try"]) if document["next_try"] else "after something was changed",
        ),
    ]
    click.secho(document["name"], bold=True)
    for label, text in rows:
        click.echo(f"  {label:<12} {text}")
    for problem in document["problems"]:
        click.echo("")
        click.secho(problem["code"], bold=True)
        click.echo(f"  {problem['title']}. {problem['meaning']}")
        if problem["cause"] and problem["cause"]["id"] != "refused":
            click.echo(f"  {problem['cause']['meaning']}")
        for reason in problem["reasons"]:
            click.echo(f"  - {reason['meaning']}")
        for number, step in enumerate(problem["remedy"], 1):
            click.echo(f"  {number}. {step}")


@click.command()
@folder_option
@address_option
@name_option
@kind_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(folder: Path, addresses: tuple[str, ...], name: str | None, kind: str, as_json: bool) -> None:
    """Check everything between this IoT system and its lock. Exit status 0 when all is fine, 1 otherwise."""
    from lancert.box.client import Client
    from lancert.box.diagnosis.doctor import diagnose, is_healthy
    from lancert.box.folder import Folder
    from lancert.box.gathering import facts_on_disk
    from lancert.kit.clock import SystemClock
    from lancert.protocol.messages import Kind

    opened, clock = Folder(existing(folder)), SystemClock()
    facts = facts_on_disk(opened, name=name or host_name(), kind=Kind(kind), addresses=parse_addresses(addresses))
    client = Client(facts.server, opened.roots(), clock) if facts.server else None
    findings = asyncio.run(diagnose(facts, client, clock.now(), own_host="127.0.0.1"))
    translate = translate_for_reader()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "check": finding.check,
                        "verdict": finding.verdict.value,
                        "sentence": finding.words(translate),
                        "remedy": finding.steps(translate),
                    }
                    for finding in findings
                ],
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        signs = {"fine": "✓ fine", "wrong": "✗ wrong", "not-tried": "· not tried"}
        for finding in findings:
            click.echo(f"{signs[finding.verdict.value]:<12} {translate(finding.title)}: {finding.words(translate)}")
            for step in finding.steps(translate):
                click.echo(f"{'':<12}   → {step}")
    sys.exit(0 if is_healthy(findings) else 1)


def _words(moment: str) -> str:
    return to_words(from_text(moment))
