"""``lancert box deploy``: hand the certificate over to other programs now, showing each step."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lancert.cli.box.options import existing, folder_option, sentence_of, settings_read, translate_for_reader

_LOOK = 0.1


@click.command()
@folder_option
@click.option("--check", is_flag=True, help="Say what would be done, and do nothing.")
@click.argument("names", metavar="[TARGET]...", nargs=-1)
def deploy(folder: Path, check: bool, names: tuple[str, ...]) -> None:
    """Hand the certificate over to the targets of box.toml, or to those named. A running agent does it by itself.

    Exit status 0 when each has the certificate, with --check when each could be given it; 1 otherwise.

    \b
    Examples:
      lancert box deploy --check
      lancert box deploy nginx
    """
    from lancert.box.deploy.material import material_of
    from lancert.box.deploy.reading import parse_targets
    from lancert.box.folder import Folder
    from lancert.box.store import CertificateStore, Damaged

    opened = Folder(existing(folder))
    targets, complaints = parse_targets(settings_read().values.get("deploy"))
    for complaint in complaints:
        click.echo(f"{complaint.key}: {complaint.words(translate_for_reader())}", err=True)
    unknown = [name for name in names if name not in {target.name for target in targets}]
    if unknown:
        known = ", ".join(target.name for target in targets) or "none"
        raise click.UsageError(f"There is no target {unknown[0]} in box.toml. Known are: {known}.")
    if not targets and not complaints:
        raise click.ClickException(
            f"No target is named in {folder / 'box.toml'}. Add a [[deploy]] table, as the guides for nginx, HAProxy "
            "and other programs say, and restart the agent."
        )
    try:
        material = material_of(CertificateStore(opened.certificates).newest())
    except Damaged as error:
        raise click.ClickException("There is no certificate to hand over yet; lancert box status says why.") from error
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
    wanted = [target for target in targets if not names or target.name in names]
    done = [_show_plan(opened, target, material) if check else _do(opened, target, material) for target in wanted]
    sys.exit(0 if all(done) and not (complaints and not names) else 1)


def _do(opened: Any, target: Any, material: Any) -> bool:
    """Hand over to one target, and keep the record that a running agent reads."""
    import random

    from lancert.box.deploy.handing import HandOver, hand_over
    from lancert.box.deploy.keeper import remember
    from lancert.box.deploy.outcome import from_records
    from lancert.box.deploy.plan import record
    from lancert.kit.clock import SystemClock
    from lancert.kit.files import AlreadyLocked

    click.secho(target.name, bold=True)
    records = from_records(opened.hand_over())
    last = next((one for one in records if one.target == target.name), None)
    way = HandOver(
        own_folder=opened.path,
        now=SystemClock().now(),
        was_done=last is not None and last.is_fine and last.of == (target.mark, material.fingerprint),
        is_asked=True,
        tell=lambda step: click.echo(f"  {step}"),
    )
    try:
        ended = _when_free(target, lambda: hand_over(target, material, way))
    except AlreadyLocked:
        click.echo("  A running agent is busy with it; lancert box status shows the result.")
        return False
    made = record(target, material, ended, last, SystemClock().now(), random.random)
    try:
        remember(opened, [*(one for one in records if one.target != target.name), made])
    except OSError as error:
        click.echo(f"  {sentence_of(error, opened.path)}", err=True)
    translate = translate_for_reader()
    click.echo(f"  {made.words(translate)}")
    if made.failure is not None:
        for line in (*made.failure.said.splitlines(), *made.steps(translate)):
            click.echo(f"    {line}")
    return made.is_fine


def _when_free(target: Any, do: Callable[[], Any]) -> Any:
    """Do it after a running agent, which may be at it in this moment. Raises AlreadyLocked when that lasts."""
    from lancert.kit.files import AlreadyLocked

    end = time.monotonic() + 5 * target.timeout  # reload and look, twice, and something for the disk
    is_told = False
    while True:
        try:
            return do()
        except AlreadyLocked:
            if time.monotonic() >= end:
                raise
        if not is_told:
            click.echo("  A running agent does it at this moment; waiting for it.")
            is_told = True
        time.sleep(_LOOK)


def _show_plan(opened: Any, target: Any, material: Any) -> bool:
    from lancert.box.deploy.handing import HandOver, look
    from lancert.box.deploy.places import NotAPlace, judge_place
    from lancert.box.deploy.plan import Shown, todo
    from lancert.box.deploy.targets import Command, Request, Signal
    from lancert.kit.clock import SystemClock

    click.secho(target.name, bold=True)
    try:
        judge_place(target, opened.path)
    except (NotAPlace, OSError) as error:
        click.echo(f"  The files could not be written: {error}.")
        return False
    before = look(target, material, HandOver(own_folder=opened.path, now=SystemClock().now()))
    steps = todo(before)
    for part, path in target.files:
        mode = target.mode if part.holds_key else 0o644
        click.echo(f"  {'would be written' if steps.place else 'is right':<18} {path} ({part.value}, {mode:04o})")
    match target.reload:
        case Command(arguments=arguments):
            reload = " ".join(arguments)
        case Signal(name=name, pid_file=pid_file):
            reload = f"signal {name} to the process in {pid_file}"
        case Request(file=file):
            reload = f"asked for by {file}"
        case None:
            reload = "not told to; it reads the files by itself"
    click.echo(f"  {'reload':<18} {reload if steps.reload else 'not needed'}")
    if target.verify is not None:
        shown = {
            Shown.NEW: "shows the certificate of this IoT system",
            Shown.OTHER: "shows another certificate now",
            Shown.NOTHING: "does not answer now",
        }[before.shown]
        click.echo(f"  {target.verify.address:<18} {shown}")
    return True
