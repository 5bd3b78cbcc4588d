"""``lancert admin box``: the IoT systems that were connected to the service."""

import sys

import click

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, changing, looking
from lancert.cli.admin.printing import moment, print_change, print_list, print_one
from lancert.kit.clock import from_text
from lancert.protocol.messages import CheckVerdict, Kind, ReportedDiagnosis
from lancert.protocol.signatures import Identity
from lancert.service.directory.boxes import (
    add_box,
    change_box,
    list_boxes,
    resume_box,
    show_box,
    suspend_box,
    withdraw_box,
)
from lancert.service.model import Box, BoxId, ContractCode, DatabaseUuid, TenantId

_KIND = click.Choice([kind.value for kind in Kind])


@click.group(cls=Suggesting)
def box() -> None:
    """IoT systems that are connected to the service. BOX is an id or a label.

    \b
    Examples:
      lancert admin box list
      lancert admin box show k3v7q2m4x5a6b7c2
      lancert admin box suspend k3v7q2m4x5a6b7c2 --why "reported stolen"
    """


@admin_command(box, "add", changes=True)
@click.argument("identity")
@click.option("--contract", "code", required=True, help="The contract it will belong to.")
@click.option("--database", "uuid", required=True, help="The database it will be for.")
@click.option("--name", required=True, help="Its name, for people.")
@click.option("--kind", type=_KIND, default=Kind.BOX.value, show_default=True, help="What it is.")
def add(chosen: Chosen, identity: str, code: str, uuid: str, name: str, kind: str) -> None:
    """Make an IoT system known before it is connected, so that its name can be printed on it.

    IDENTITY is what "lancert box identity" prints on it. It still has to be connected with the credential.

    \b
    Example:
      lancert admin box add 3Nq0...43 characters --contract M240401 \\
          --database 0f8fad5b-d9cb-469f-a165-70867728950e --name "Till 4"
    """
    with changing(chosen, contract=code, database=uuid) as connection:
        made = add_box(
            connection,
            Identity(identity),
            ContractCode(code),
            DatabaseUuid(uuid),
            chosen.by,
            name=name,
            kind=Kind(kind),
        )
    print_change(
        chosen,
        made,
        f"Added {_called(made)}: it takes a seat of {made.contract} from now on.",
        f"Next: {chosen.next('connection-token', made.contract, made.database)}",
    )


@admin_command(box, "set", changes=True)
@click.argument("box_id", metavar="BOX")
@click.option("--name", help="Its new name.")
@click.option("--database", "uuid", help="The database of the same tenant it is for now.")
def set_(chosen: Chosen, box_id: str, name: str | None, uuid: str | None) -> None:
    """Change the name of an IoT system, or the database it is for, until it says something else itself.

    \b
    Example:
      lancert admin box set k3v7q2m4x5a6b7c2 --name "Till 4, next to the door"
    """
    if name is None and uuid is None:
        raise click.UsageError("Say what to change: --name or --database.")
    with changing(chosen, box=box_id) as connection:
        changed = change_box(
            connection, BoxId(box_id), chosen.by, name=name, database=None if uuid is None else DatabaseUuid(uuid)
        )
    print_change(chosen, changed, f"{_called(changed)} is for the database {changed.database}.")


@admin_command(box, "list")
@click.option("--tenant", "tenant_id", help="Those of one tenant only.")
@click.option("--contract", "code", help="Those of one contract only.")
@click.option("--removed", is_flag=True, help="Those that were removed as well.")
def list_(chosen: Chosen, tenant_id: str | None, code: str | None, removed: bool) -> None:
    """List IoT systems in the order in which they were connected."""
    with looking(chosen, tenant=tenant_id, contract=code) as connection:
        found = list_boxes(
            connection,
            tenant=None if tenant_id is None else TenantId(tenant_id),
            contract=None if code is None else ContractCode(code),
            withdrawn=removed,
        )
    print_list(
        chosen,
        found,
        [
            ("LABEL", "NAME", "KIND", "CONTRACT", "STATE", "ADDRESS", "CERTIFICATE UNTIL", "LAST SEEN"),
            *(_row(one) for one in found),
        ],
        [
            "No IoT system is connected yet.",
            f"Next: {chosen.next('connection-token', 'CODE', 'UUID')}",
            "Then, on the IoT system: lancert box connect TOKEN, or cogs > Server on its homepage.",
        ],
    )


@admin_command(box, "show")
@click.argument("box_id", metavar="BOX")
def show(chosen: Chosen, box_id: str) -> None:
    """Show an IoT system."""
    with looking(chosen, box=box_id) as connection:
        found = show_box(connection, BoxId(box_id))
    print_one(
        chosen,
        found,
        [
            ("label", found.label),
            ("id", found.id),
            ("name", found.name),
            ("kind", found.kind.value),
            ("version", found.version),
            ("contract", found.contract),
            ("database", found.database),
            ("state", _state(found)),
            ("addresses", ", ".join(map(str, found.addresses)) or "-"),
            ("problems", ", ".join(found.problems) or "none"),
            *_diagnosis(found.diagnosis),
            ("certificate", found.certificate_serial or "-"),
            ("  until", moment(found.certificate_not_after)),
            ("connected", moment(found.enrolled_at)),
            ("last seen", moment(found.seen_at)),
        ],
    )


@admin_command(box, "suspend", changes=True)
@click.argument("box_id", metavar="BOX")
def suspend(chosen: Chosen, box_id: str) -> None:
    """Refuse an IoT system certificates until it is resumed; its seat is free meanwhile.

    \b
    Example:
      lancert admin box suspend k3v7q2m4x5a6b7c2 --why "reported stolen"
    """
    with changing(chosen, box=box_id) as connection:
        changed = suspend_box(connection, BoxId(box_id), chosen.by)
    print_change(
        chosen,
        changed,
        f"Suspended {_called(changed)}: it gets no new certificate. The one it has works until it ends.",
        f"To lift it: {chosen.next('box', 'resume', changed.label)}",
    )


@admin_command(box, "resume", changes=True)
@click.argument("box_id", metavar="BOX")
def resume(chosen: Chosen, box_id: str) -> None:
    """Lift the suspension of an IoT system, and a conflict of identities that was settled."""
    with changing(chosen, box=box_id) as connection:
        changed = resume_box(connection, BoxId(box_id), chosen.by)
    print_change(chosen, changed, f"Resumed {_called(changed)}: it gets certificates again, if there is a seat for it.")


@admin_command(box, "remove", changes=True)
@click.argument("box_id", metavar="BOX")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(chosen: Chosen, box_id: str, yes: bool) -> None:
    """Take an IoT system out for good: no seat, no certificate, no name. Connected again, it is a new one."""
    if not yes and sys.stdin.isatty():
        with looking(chosen, box=box_id) as connection:
            found = show_box(connection, BoxId(box_id))
        click.confirm(f"Remove {_called(found)}? Its name will not come back.", abort=True)
    with changing(chosen, box=box_id) as connection:
        changed = withdraw_box(connection, BoxId(box_id), chosen.by)
    print_change(
        chosen, changed, f"Removed {_called(changed)}: its seat is free and its name is not answered any more."
    )


def _row(box: Box) -> tuple[str, ...]:
    return (
        box.label,
        box.name,
        box.kind.value,
        box.contract,
        _state(box),
        str(box.addresses[0]) if box.addresses else "-",
        moment(box.certificate_not_after),
        moment(box.seen_at),
    )


def _state(box: Box) -> str:
    if box.withdrawn_at is not None:
        return "removed"
    if box.is_suspended:
        return "suspended"
    if box.has_conflict:
        return "identity conflict"
    return "has problems" if box.problems else "fine"


def _diagnosis(diagnosis: ReportedDiagnosis | None) -> list[tuple[str, str]]:
    """Say what the doctor of a box found last: each check that is not fine, and why in one word."""
    if diagnosis is None:
        return [("diagnosis", "-")]
    wrong = [one for one in diagnosis.checks if one.verdict is CheckVerdict.WRONG]
    untried = [one.check for one in diagnosis.checks if one.verdict is CheckVerdict.NOT_TRIED]
    return [
        ("diagnosis", f"{len(wrong)} of {len(diagnosis.checks)} checks fail" if wrong else "no check fails"),
        *(("  wrong", f"{one.check} ({one.because})" if one.because else one.check) for one in wrong),
        *([("  not tried", ", ".join(untried))] if untried else []),
        ("  of", moment(from_text(diagnosis.at))),
    ]


def _called(box: Box) -> str:
    return f"{box.name} ({box.label})"
