"""The story the demo tells, step by step, with the real programs."""

import asyncio
import contextlib
import json
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from lancert.box.folder import Folder
from lancert.box.pin import new_pin, shown
from lancert.cli.demo.processes import DidNotStart, lancert, read_json, running, wait_for
from lancert.cli.demo.terminal import open_strictly
from lancert.dns.question import NotAnswered
from lancert.kit.clock import from_text, to_words

_CONTRACT = "M24-EXAMPLE"
_TENANT = "example-shop"
_BOX = "shop-iot-box"


@click.command()
@click.option("--check", is_flag=True, help="Stop after the terminal has opened the page; exit status 0 if it could.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to keep it; must be empty.")
def command(check: bool, folder: Path | None) -> None:
    """Start everything on this machine and watch an IoT system get its lock.

    \b
    Examples:
      lancert demo               stays up, for a look with a browser
      lancert demo --check       stops by itself
    """
    _end_with_the_terminal()
    try:
        with _fresh(folder) as fresh:
            _tell(fresh, check)
    except DidNotStart as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nStopped.")


def _end_with_the_terminal() -> None:
    """Stop everything in order also when the terminal is closed or the demo is told to end, not only at Ctrl+C."""
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def _fresh(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise click.UsageError(f"{folder} is not empty: the demo wants a folder of its own.")
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="lancert-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _tell(folder: Path, check: bool) -> None:
    service_folder, box_folder = folder / "service", folder / "box"
    service_log, box_log = folder / "service.out", folder / "box.out"
    with contextlib.ExitStack() as stack:
        service_process = stack.enter_context(running(service_log, "service", "run", *_service_options(service_folder)))
        service = wait_for(
            lambda: read_json(service_folder / "service.json"), service_process, service_log, "The service"
        )
        _step("service", f"{service['url']}, with its own authority")
        _step("DNS", f"zone {service['zone']} on 127.0.0.1 port {service['dns_port']}")

        database = str(uuid.uuid4())
        _example_shop(service_folder, database)
        _step("shop", "production database, subscription in progress with one IoT box")

        token = json.loads(_admin(service_folder, "connection-token", _CONTRACT, database, "--json"))["token"]
        pin = new_pin(Folder(box_folder).pin)
        lancert("box", "connect", "--folder", str(box_folder), token)
        box_process = stack.enter_context(running(box_log, "box", "run", *_box_options(box_folder)))
        status = wait_for(lambda: _secure(box_folder), box_process, box_log, "The IoT system")
        _say_how_it_went(box_folder, status)

        root = service_folder / service["root_file"]
        _be_the_terminal(status["url"], root, service["dns_port"])
        if not check:
            _stay(folder, status, pin, database, root, box_process)


def _service_options(folder: Path) -> list[str]:
    ports = ["--https-port", "0", "--http-port", "0", "--dns-port", "0"]
    return ["--folder", str(folder), *ports]


def _box_options(folder: Path) -> list[str]:
    ports = ["--http-port", "0", "--https-port", "0"]
    return ["--folder", str(folder), "--listen", "127.0.0.1", "--address", "127.0.0.1", "--name", _BOX, *ports]


def _admin(folder: Path, *arguments: str) -> str:
    return lancert("admin", "--folder", str(folder), *arguments)


def _example_shop(folder: Path, database: str) -> None:
    _admin(folder, "tenant", "add", "Example shop")
    _admin(folder, "contract", "add", _CONTRACT, "--tenant", _TENANT)
    _admin(folder, "subscription", "add", "--contract", _CONTRACT, "--status", "in-progress", "--line", "iot-box=1")
    _admin(
        folder,
        *("database", "add", database, "--tenant", _TENANT, "--name", "example-shop", "--environment", "production"),
    )


def _secure(folder: Path) -> dict[str, Any] | None:
    with contextlib.suppress(DidNotStart, ValueError):
        status: dict[str, Any] = json.loads(lancert("box", "status", "--folder", str(folder), "--json"))
        return status if status["state"] == "secure" else None
    return None


def _say_how_it_went(folder: Path, status: dict[str, Any]) -> None:
    events = [json.loads(line) for line in Folder(folder).log_file.read_text(encoding="utf-8").splitlines()]
    at = {event["event"]: datetime.fromisoformat(event["time"]) for event in events}
    label = next(event["label"] for event in events if event["event"] == "enrolled")
    took = (at["certificate installed"] - at["loading a certificate"]).total_seconds() * 1000
    certificate = status["certificate"]
    _step("enrolled", f"this IoT system is {label}")
    _step("eligible", "database and subscription meet every condition")
    _step("certificate", f"issued and installed in {took:.0f} ms, from the first request on")
    _step(
        "valid",
        f"{to_words(from_text(certificate['not_before']))} until {to_words(from_text(certificate['not_after']))}",
    )
    _step("URL", status["url"])


def _be_the_terminal(url: str, root: Path, dns_port: int) -> None:
    try:
        opened = asyncio.run(open_strictly(url, root, ("127.0.0.1", dns_port)))
    except (NotAnswered, ssl.SSLError, OSError) as error:
        raise DidNotStart(f"The payment terminal does not accept the IoT system: {error}") from error
    if " 200 " not in f"{opened.status_line} ":
        raise DidNotStart(f"The payment terminal was answered: {opened.status_line}")
    _step("terminal", f"asked the zone's DNS, was sent to {opened.address}")
    _step("terminal", f"trusts only the root, verified over {opened.tls_version}: accepted, {opened.status_line}")


def _stay(
    folder: Path,
    status: dict[str, Any],
    pin: str,
    database: str,
    root: Path,
    process: "subprocess.Popen[bytes]",
) -> None:
    click.echo("")
    click.echo("Open the homepage in a browser:")
    click.echo(f"  {status['urls'][0]['http']}")
    click.echo(f"  {status['url']}    (green once {root} is trusted)")
    click.echo(f"Changing something there needs the PIN: {shown(pin)}")
    click.echo("")
    click.echo("Try a refusal, in another terminal, and reload the homepage:")
    service_folder, box_folder = shlex.quote(str(folder / "service")), shlex.quote(str(folder / "box"))
    click.echo(f"  {_program()} admin --folder {service_folder} database set {database} --environment staging")
    click.echo(f"  {_program()} box renew --folder {box_folder}")
    click.echo("")
    click.echo("Ctrl+C stops everything.")
    while process.poll() is None:
        time.sleep(0.2)
    raise DidNotStart("The IoT system stopped by itself.")


def _program() -> str:
    """Give what to type for ``lancert`` in another terminal, which may not know the environment this one runs in."""
    return "lancert" if shutil.which("lancert") else f"{shlex.quote(sys.executable)} -m lancert"


def _step(what: str, text: str) -> None:
    click.echo(f"  {what:<12} {text}")
