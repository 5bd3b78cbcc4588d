"""``lancert authority``: creates the embedded authority, shows it, and hands out its root certificate."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from lancert.kit.clock import SystemClock, to_text
from lancert.kit.files import write_public
from lancert.kit.settings import SettingsError, default_folder, read_settings
from lancert.protocol.names import NotAZone, Zone, is_localhost_zone, parse_zone
from lancert.service.authority import (
    AUTHORITY_FOLDER,
    AuthorityExists,
    AuthorityUnusable,
    authority_exists,
    create_authority,
    open_authority,
    read_issuing,
    read_root,
    root_key_is_here,
)

_RENEW_DAYS = 180


@click.group()
def command() -> None:
    """The authority that signs: an own root for one zone, trusted only where its root is installed.

    “lancert service run” creates one by itself when there is none.

    \b
    Examples:
      lancert authority create --zone iot.example.com
      lancert authority show
      lancert authority root --out lancert-root.pem
    """


def _folder_option(function: Any) -> Any:
    folder_type = click.Path(path_type=Path, file_okay=False)
    return click.option("--folder", type=folder_type, help="The folder of the service.")(function)


def _json_option(function: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(function)


@command.command("create")
@click.option("--zone", required=True, help="The zone it may sign for, such as iot.example.com.")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A private file with the passphrase of the issuing key; drawn and kept beside the key otherwise.",
)
@_folder_option
@_json_option
def create(zone: str, passphrase_file: Path | None, folder: Path | None, as_json: bool) -> None:
    """Create an authority for a zone. It can sign names of that zone and nothing else.

    \b
    Examples:
      lancert authority create --zone iot.example.com
      lancert authority create --zone iot.example.com --passphrase-file /run/credentials/lancert/issuing
    """
    place, now = _place(folder), SystemClock().now()
    try:
        create_authority(place, parse_zone(zone), now=now, passphrase_file=passphrase_file)
    except NotAZone as error:
        raise click.UsageError(f"{error}.") from error
    except AuthorityExists as error:
        raise click.ClickException(f"{error} To see what is there: lancert authority show") from error
    except AuthorityUnusable as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"The folder {place} cannot be used: {error.strerror or error}.") from error
    if as_json:
        click.echo(json.dumps(_document(place, now), indent=2))
        return
    click.echo(f"Created an authority for {zone} in {place}.")
    click.echo(f"The fingerprint of its root (SHA-256) is {_fingerprint(read_root(place))}.")
    click.echo("")
    click.echo("Next:")
    click.echo(f"  1. Move the folder {place / 'offline'} to a medium that is kept locked away, then delete it here.")
    click.echo("     It holds the root key, which the service does not need.")
    click.echo(f"  2. Have clients trust {place / 'root.pem'}; lancert authority root prints it.")
    address = "" if is_localhost_zone(parse_zone(zone)) else " --address ADDRESS"
    click.echo(f"  3. Start the service: lancert service run --zone {zone}{address}")


@command.command("show")
@_folder_option
@_json_option
def show(folder: Path | None, as_json: bool) -> None:
    """Show the authority: what it may sign, its fingerprint, until when it is valid, where its root key is."""
    place, now = _existing(folder), SystemClock().now()
    try:
        document = _document(place, now)
    except AuthorityUnusable as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for name, value in (
        ("zone", document["zone"]),
        ("may sign", f"{document['zone']} and names below it; no IP addresses"),
        ("root", f"valid {_days(document['root'])}"),
        ("  fingerprint", document["root"]["fingerprint"]),
        ("issuing", f"valid {_days(document['issuing'])}"),
        ("  fingerprint", document["issuing"]["fingerprint"]),
        ("folder", str(place)),
        ("root key", _where(document)),
        ("usable", document["trouble"] or "yes"),
    ):
        click.echo(f"{name:<15}{value}")
    for advice in _advice(place, document):
        click.echo(f"\n{advice}")


@command.command("root")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@_folder_option
def root(out: Path | None, folder: Path | None) -> None:
    """Print the root certificate in PEM, for clients to trust.

    \b
    Examples:
      lancert authority root > lancert-root.pem
      lancert authority root --out /usr/local/share/ca-certificates/lancert.crt
    """
    place = _existing(folder)
    try:
        certificate = read_root(place)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        if out is None:
            click.echo(pem.decode("ascii"), nl=False)
            return
        write_public(out, pem)
    except AuthorityUnusable as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror or error}.") from error
    click.echo(f"Wrote the root certificate to {out}.")
    click.echo(f"Its fingerprint (SHA-256) is {_fingerprint(certificate)}.")


def _place(folder: Path | None) -> Path:
    return (folder or default_folder("service")) / AUTHORITY_FOLDER


def _existing(folder: Path | None) -> Path:
    place = _place(folder)
    if not authority_exists(place):
        raise click.ClickException(
            f"There is no authority in {place.parent}. Create one with “lancert authority create --zone ZONE”, "
            "or name the --folder of the service."
        )
    return place


def _document(place: Path, now: datetime) -> dict[str, Any]:
    root_certificate, issuing = read_root(place), read_issuing(place)
    zone = _zone_of(issuing)
    return {
        "zone": zone,
        "root": _facts(root_certificate),
        "issuing": _facts(issuing),
        "folder": str(place),
        "root_key_on_this_machine": root_key_is_here(place),
        "offline_folder": str(place / "offline") if root_key_is_here(place) else None,
        "trouble": _trouble(place, zone, now),
        "renewal_due": (issuing.not_valid_after_utc - now).days < _RENEW_DAYS,
    }


def _facts(certificate: x509.Certificate) -> dict[str, str]:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "fingerprint": _fingerprint(certificate),
        "not_before": to_text(certificate.not_valid_before_utc),
        "not_after": to_text(certificate.not_valid_after_utc),
    }


def _zone_of(issuing: x509.Certificate) -> Zone:
    try:
        constraints = issuing.extensions.get_extension_for_class(x509.NameConstraints).value
        return parse_zone(str((constraints.permitted_subtrees or [])[0].value))
    except (x509.ExtensionNotFound, ValueError, IndexError) as error:
        raise AuthorityUnusable("issuing.pem is not an issuing certificate of lancert: it names no zone.") from error


def _trouble(place: Path, zone: Zone, now: datetime) -> str | None:
    try:
        open_authority(place, zone, now=now, passphrase_file=_passphrase_file(place))
    except (AuthorityUnusable, SettingsError) as error:
        return str(error)
    return None


def _passphrase_file(place: Path) -> Path | None:
    from lancert.service.settings import SETTINGS_FILE, ServiceSettings

    known = ServiceSettings.__dataclass_fields__
    found = read_settings("service", known, place.parent / SETTINGS_FILE).get("passphrase_file")
    return None if found is None else Path(str(found))


def _advice(place: Path, document: dict[str, Any]) -> list[str]:
    advice = []
    if document["root_key_on_this_machine"]:
        advice.append(
            f"Move {place / 'offline'} to a medium that is kept locked away, then delete it here: whoever takes it\n"
            f"can make certificates for every name under {document['zone']}. The service does not need it."
        )
    if document["renewal_due"]:
        advice.append(
            "The issuing certificate ends within half a year. Create a new authority in another folder in time,\n"
            "and have clients trust its root before the service uses it."
        )
    return advice


def _where(document: dict[str, Any]) -> str:
    return "on this machine" if document["root_key_on_this_machine"] else "not on this machine, as it should be"


def _days(facts: dict[str, str]) -> str:
    return f"{facts['not_before'][:10]} until {facts['not_after'][:10]}"


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()
