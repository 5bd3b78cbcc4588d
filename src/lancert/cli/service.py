"""``lancert service``: runs the certificate service with its DNS and its authority."""

import asyncio
import gc
import sys
from pathlib import Path
from typing import Any

import click

from lancert.kit.logs import LEVELS, write_logs
from lancert.kit.settings import SettingsError
from lancert.service.app import Ready, run
from lancert.service.authority import AUTHORITY_FOLDER, root_key_is_here
from lancert.service.authority.creation import OFFLINE
from lancert.service.serving import CannotStart
from lancert.service.settings import SETTINGS_FILE, ServiceSettings, service_settings


@click.group()
def command() -> None:
    """The certificate service: decides who gets a certificate, signs it, answers for the zone.

    \b
    Examples:
      lancert service run                                     first look, for names under lancert.localhost
      lancert service run --zone iot.example.com --address 203.0.113.7
      lancert service run --help                              all settings
    """


@command.command("run")
@click.option("--folder", type=click.Path(path_type=Path), help="Where everything is kept.")
@click.option("--zone", help="The zone of all names, such as iot.example.com.  [lancert.localhost]")
@click.option("--listen", help="The address to listen on.  [127.0.0.1 under localhost, else 0.0.0.0]")
@click.option("--https-port", help="The port boxes speak to; 0 is any free one.  [8443]")
@click.option("--http-port", help="The port for the revocation list and the root; none leaves it out.  [8080]")
@click.option("--dns-listen", help="The address the name server listens on.  [as --listen]")
@click.option("--dns-port", help="The port of the name server; none leaves it out.  [8053]")
@click.option("--public-url", help="What boxes call this service.  [https://service.<zone>]")
@click.option("--address", help="The address of service.<zone> and ns1.<zone>.  [127.0.0.1 under localhost]")
@click.option("--name-servers", help="The zone's name servers, joined by commas.  [ns1.<zone>]")
@click.option("--certificate", type=click.Path(path_type=Path), help="A certificate chain for this service itself.")
@click.option("--key", type=click.Path(path_type=Path), help="The private key of that certificate.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="Opens the issuing key.")
@click.option("--shared/--no-shared", default=None, help="Answer 100.64.0.0/10 too.")
@click.option("--link-local/--no-link-local", default=None, help="Answer 169.254.0.0/16 and fe80::/10 too.")
@click.option("--log-level", type=click.Choice(LEVELS), help="How much is logged to standard error.  [info]")
@click.option("--begin-anew", is_flag=True, help="Begin with an empty database when the old one is gone for good.")
@click.option("--json", "as_json", is_flag=True, help="Say where the service is as one line of JSON.")
def run_command(as_json: bool, begin_anew: bool, **given: Any) -> None:
    """Run the service until it is stopped with Ctrl+C or SIGTERM.

    \b
    Examples:
      lancert service run
      lancert service run --folder /srv/lancert --zone iot.example.com --address 203.0.113.7 \\
          --https-port 443 --http-port 80 --dns-port 53
      lancert service run --https-port 0 --http-port 0 --dns-port 0 --json

    Each setting can also stand in the environment (LANCERT_SERVICE_ZONE) or in service.toml in the folder
    (zone = "iot.example.com"). While it runs, service.json in the folder says where it listens.
    """
    try:
        settings = service_settings(given)
    except SettingsError as error:
        raise click.ClickException(f"{error}.") from error
    write_logs(to_stderr=True, level=settings.log_level)

    def say(ready: Ready) -> None:
        # What is loaded now stays for ever: looking at it again and again would be a tenth of the CPU under load.
        gc.freeze()
        click.echo(ready.to_json().decode().replace("\n", "") if as_json else _described(ready, settings))
        sys.stdout.flush()

    gc.set_threshold(50_000, 20, 50)
    try:
        with _runner() as runner:
            runner.run(run(settings, on_ready=say, may_begin_anew=begin_anew))
    except CannotStart as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or settings.folder}: {error.strerror or error}.") from error
    if not as_json:
        click.echo("The service has stopped.")


def _runner() -> asyncio.Runner:
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _described(ready: Ready, settings: ServiceSettings) -> str:
    dns = f"{settings.listen_dns}, port {ready.dns_port}" if ready.dns_port is not None else "not started"
    return (
        f"The certificate service runs at {ready.url}\n"
        f"  zone              {ready.zone}\n"
        f"  name server       {dns}\n"
        f"  root certificate  {settings.folder / ready.root_file}\n"
        f"  its fingerprint   {ready.root_fingerprint}\n"
        f"  folder            {settings.folder} (settings in {SETTINGS_FILE})\n"
        f"{_carry_away(settings)}"
        f"Next: add a tenant with “lancert admin tenant add --help”. Stop with Ctrl+C."
    )


def _carry_away(settings: ServiceSettings) -> str:
    """Remind the operator for as long as the key of the root lies where it should not stay."""
    authority = settings.folder / AUTHORITY_FOLDER
    if not root_key_is_here(authority):
        return ""
    return f"Move {authority / OFFLINE} off this machine and lock it away: it holds the key of the root.\n"
