"""``lancert box run``: the agent and its homepage."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from lancert.cli.box.options import (
    WRITTEN,
    address_option,
    folder_option,
    host_name,
    kind_option,
    name_option,
    parse_addresses,
    parse_maintenance,
    sentence_of,
    setting,
    settings_in_use,
    settings_read,
    was_typed,
)


@click.command()
@folder_option
@click.option(
    "--http-port",
    type=click.IntRange(0, 65535),
    default=setting("http_port", 80),
    show_default="80",
    help="Port of the homepage over HTTP; 0 is any free one.",
)
@click.option(
    "--https-port",
    type=click.IntRange(0, 65535),
    default=setting("https_port", 443),
    show_default="443",
    help="Port of the homepage over HTTPS; 0 is any free one.",
)
@click.option("--listen", multiple=True, default=setting("listen", []), help="Address to listen on; all otherwise.")
@address_option
@name_option
@kind_option
@click.option(
    "--maintenance",
    metavar="HH:MM-HH:MM",
    default=setting("maintenance", None),
    help="When certificates are renewed, in local time, such as 02:00-05:00; at any time otherwise.",
)
@click.option("--log-to-stderr", is_flag=True, help="Write the log to standard error too.")
@click.option(
    "--watchdog",
    type=click.IntRange(10, 3600),
    metavar="SECONDS",
    help="End when HTTPS has not answered for so long, for whoever starts it again; systemd needs no such option.",
)
def run(
    folder: Path,
    http_port: int,
    https_port: int,
    listen: tuple[str, ...],
    addresses: tuple[str, ...],
    name: str | None,
    kind: str,
    maintenance: str | None,
    log_to_stderr: bool,
    watchdog: int | None,
) -> None:
    """Run the agent and its homepage until it is stopped.

    \b
    Examples:
      lancert box run
      lancert box run --http-port 8080 --https-port 8443 --listen 127.0.0.1
    """
    from lancert.box.app import BoxSettings
    from lancert.box.app import run as run_box
    from lancert.box.settings import SettingsWatch, own_addresses
    from lancert.protocol.messages import Kind

    # What was typed and cannot be used ends the command; what stands in a file does not.
    listen, absent = (listen, ()) if was_typed("listen") else own_addresses(listen)
    settings = BoxSettings(
        folder=folder,
        name=name or host_name(),
        kind=Kind(kind),
        http_port=http_port,
        https_port=https_port,
        listen=listen,
        addresses=parse_addresses(addresses),
        maintenance=parse_maintenance(maintenance),
        proxy=settings_read().values.get("proxy"),
        public_resolvers=settings_read().values.get("public_resolver"),
        log_to_stderr=log_to_stderr,
        watchdog=watchdog,
        deploy=settings_read().values.get("deploy"),
        watch=SettingsWatch(folder, WRITTEN, read=settings_read(), in_use=settings_in_use(), until_restart=absent),
    )
    try:
        asyncio.run(run_box(settings, _say_started))
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error


def _say_started(started: Any) -> None:
    from lancert.box.pin import shown

    port = "" if started.ports.http == 80 else f":{started.ports.http}"
    shown_addresses = [f"[{one}]" if one.version == 6 else str(one) for one in started.addresses] or ["localhost"]
    click.echo("The homepage of this IoT system:")
    for address in shown_addresses:
        click.echo(f"  http://{address}{port}/")
    if started.new_pin is not None:
        click.echo(f"Its PIN, shown only now: {shown(started.new_pin)}    (lancert box pin makes a new one)")
    sys.stdout.flush()
