"""``lancert box status`` and ``doctor``: how this IoT system is doing, and why not better."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lancert.cli.box.options import (
    address_option,
    existing,
    folder_option,
    host_name,
    kind_option,
    name_option,
    parse_addresses,
    proxies,
    settings_read,
    status_from_agent,
    translate_for_reader,
)
from lancert.kit.clock import from_text, to_words

if TYPE_CHECKING:
    from lancert.box.diagnosis.doctor import Patient
    from lancert.box.diagnosis.result import Finding
    from lancert.box.folder import Folder


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
        facts = facts_on_disk(
            opened,
            name=name or host_name(),
            kind=Kind(kind),
            addresses=parse_addresses(addresses),
            notices=settings_read().notices,
            deploy=settings_read().values.get("deploy"),
        )
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
        *(("", f"{entry['http']} always works") for entry in document["urls"] if entry["has_link"]),
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
        *((row["target"], row["meaning"]) for row in document.get("hand_over", []) if row["outcome"] == "done"),
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
    for notice in document.get("notices", []):
        click.echo("")
        click.secho(notice["title"], bold=True)
        for sentence in (notice["meaning"], *notice.get("said", "").splitlines(), *notice["remedy"]):
            click.echo(f"  {sentence}")


@click.command()
@folder_option
@address_option
@name_option
@kind_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(folder: Path, addresses: tuple[str, ...], name: str | None, kind: str, as_json: bool) -> None:
    """Check everything between this IoT system and its lock. Exit status 0 when all is fine, 1 otherwise."""
    from lancert.box.diagnosis.doctor import diagnose, is_healthy
    from lancert.box.folder import Folder

    patient = patient_in(Folder(existing(folder)), addresses, name, kind)
    if sys.stderr.isatty() and not as_json:
        click.echo("Checking. That takes up to half a minute where nobody answers.", err=True)
    findings = asyncio.run(diagnose(patient))
    translate = translate_for_reader()
    if as_json:
        documents = [finding.document(translate) for finding in findings]
        click.echo(json.dumps(documents, indent=2, ensure_ascii=False))
    else:
        _print_findings(findings, translate)
    sys.exit(0 if is_healthy(findings) else 1)


def patient_in(folder: "Folder", addresses: tuple[str, ...], name: str | None, kind: str) -> "Patient":
    """Give whom the doctor looks at, from the folder, the settings and what was typed."""
    from lancert.box.client import Client
    from lancert.box.diagnosis.doctor import Patient
    from lancert.box.gathering import facts_on_disk
    from lancert.kit.clock import SystemClock
    from lancert.protocol.messages import Kind

    clock = SystemClock()
    # What the agent was started with counts here too, so that the doctor looks at the same box.
    own_host, published = folder.told_by_agent()
    facts = facts_on_disk(
        folder,
        name=name or host_name(),
        kind=Kind(kind),
        addresses=parse_addresses(addresses) or published,
        notices=settings_read().notices,
        deploy=settings_read().values.get("deploy"),
    )
    now = clock.now()
    return Patient(
        facts=facts,
        folder=folder,
        client=Client(facts.server, folder.roots(), clock, proxies=proxies()) if facts.server else None,
        now=now,
        shown=now,
        own_host=own_host,
        public_resolvers=settings_read().values.get("public_resolver"),
    )


def _print_findings(findings: Sequence["Finding"], translate: Callable[[str], str]) -> None:
    signs = {"fine": "✓ fine", "wrong": "✗ wrong", "not-tried": "· not tried"}
    for finding in findings:
        sign = signs[finding.verdict.value]
        click.echo(f"{sign:<12} {translate(finding.title)}: {finding.words(translate)}")
        for number, step in enumerate(finding.steps(translate), 1):
            click.echo(f"{'':<13}{number}. {step}")
        if finding.verdict.value == "wrong":
            _print_recipes(finding, translate)
    wrong = [finding for finding in findings if finding.verdict.value == "wrong"]
    if wrong:
        click.echo("")
        click.echo(f"{len(wrong)} of {len(findings)} checks fail. Begin with the first: {translate(wrong[0].title)}.")


def _print_recipes(finding: "Finding", translate: Callable[[str], str]) -> None:
    """Print what to change on the router that is there, or on each that it can be."""
    from lancert.box.diagnosis.result import DEPENDS_ON_ROUTER

    if len(finding.recipes) > 1:
        click.echo(f"{'':<13}{translate(DEPENDS_ON_ROUTER)}")
    for recipe in finding.recipes:
        click.echo(f"{'':<13}{recipe.name}:")
        for step in finding.instructions(recipe, translate):
            click.echo(f"{'':<15}{step}")
        for line in recipe.lines:
            click.echo(f"{'':<17}{line}")


def _words(moment: str) -> str:
    return to_words(from_text(moment))
