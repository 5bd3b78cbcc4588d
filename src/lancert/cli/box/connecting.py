"""``lancert box connect``: the server and the credential, in one command."""

import asyncio
from pathlib import Path
from typing import Any

import click

from lancert.cli.box.options import folder_option, proxies, sentence_of, translate_for_reader


@click.command()
@folder_option
@click.argument("server_or_token", metavar="SERVER|TOKEN")
@click.option("--contract", help="Contract of the database.")
@click.option("--database", help="UUID of the database.")
@click.option("--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="File with the server's root.")
@click.option("--root-fingerprint", help="SHA-256 of the server's root, in place of --ca.")
def connect(
    folder: Path,
    server_or_token: str,
    contract: str | None,
    database: str | None,
    ca: Path | None,
    root_fingerprint: str | None,
) -> None:
    """Connect this IoT system to its server. A running agent notices by itself.

    \b
    Examples:
      lancert box connect lct1.eyJz...
      lancert box connect https://iot.example.com --contract M240401 \\
          --database 0f8fad5b-d9cb-469f-a165-70867728950e
      lancert box connect https://service.lab.example:8443 --ca root.pem --contract ... --database ...
    """
    from lancert.box.connecting import ConnectRefused, credential_of, server_of
    from lancert.box.connecting import connect as connect_box
    from lancert.box.facts import NotAServer, parse_server
    from lancert.box.folder import Folder
    from lancert.protocol.credential import NotACredential, NotAToken, parse_fingerprint, parse_token

    if ca is not None and root_fingerprint is not None:
        raise click.UsageError("Give --ca or --root-fingerprint, not both.")
    try:
        if server_or_token.strip().lower().startswith("lct1."):
            if contract or database or ca or root_fingerprint:
                raise click.UsageError("A connection token says everything: leave the other options out.")
            token = parse_token(server_or_token)
            server, credential = server_of(token), credential_of(token)
        else:
            server = parse_server(server_or_token, parse_fingerprint(root_fingerprint) if root_fingerprint else None)
            credential = _credential(contract, database, folder)
        roots = _read_roots(ca) if ca else []
        asyncio.run(connect_box(Folder(folder), server, credential, roots, proxies()))
    except (NotAServer, NotAToken, NotACredential) as error:
        raise click.UsageError(str(error)) from error
    except ConnectRefused as refused:
        raise click.ClickException(_in_words(refused.problem)) from refused
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
    click.echo(f"The server of this IoT system is {server.url} now.")
    missing = Folder(folder).credential().missing
    if missing:
        click.echo("Still missing: " + ", ".join(missing) + ". Give --contract and --database.")
    elif (trouble := asyncio.run(_trouble(folder))) is not None:
        click.echo(f"It does not answer at the moment. {trouble}", err=True)
    click.echo("A running agent asks for the certificate now; lancert box status shows the result.")


async def _trouble(folder: Path) -> str | None:
    """Say why the server cannot be reached, if so: better now than when the shop opens."""
    from lancert.box.client import Client
    from lancert.box.diagnosis import service_reachable
    from lancert.box.diagnosis.result import Verdict
    from lancert.box.folder import Folder
    from lancert.box.gathering import facts_on_disk
    from lancert.kit.clock import SystemClock
    from lancert.protocol.messages import Kind

    opened = Folder(folder)
    facts = facts_on_disk(opened, name="", kind=Kind.BOX)
    assert facts.server is not None
    finding = await service_reachable.check(
        facts, Client(facts.server, opened.roots(), SystemClock(), proxies=proxies())
    )
    if finding.verdict is Verdict.FINE:
        return None
    translate = translate_for_reader()
    return "\n".join([finding.words(translate), *(f"  {step}" for step in finding.steps(translate))])


def _credential(contract: str | None, database: str | None, folder: Path) -> Any:
    """Read what was given of the credential; a half that is left out stays as it is, as on the homepage."""
    from lancert.box.folder import Folder
    from lancert.protocol.credential import Credential, parse_contract, parse_database_uuid

    if contract is None and database is None:
        return None
    given = Credential(
        contract=parse_contract(contract) if contract else None,
        database=parse_database_uuid(database) if database else None,
    )
    known = Folder(folder).credential()
    return Credential(contract=given.contract or known.contract, database=given.database or known.database)


def _read_roots(file: Path) -> Any:
    from lancert.kit.files import read_limited
    from lancert.protocol.certificate import NotAChain, read_chain

    try:
        return list(read_chain(read_limited(file, 65_536)))
    except (NotAChain, OSError) as error:
        raise click.UsageError(f"{file.name} is not a root certificate in PEM: {error}") from error


def _in_words(problem: Any) -> str:
    translate = translate_for_reader()
    steps = "\n".join(f"  {step}" for step in problem.remedy(translate))
    return f"{problem.cause_meaning(translate)}\n{steps}\nNothing was changed."
