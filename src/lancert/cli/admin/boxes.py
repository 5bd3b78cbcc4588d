"""``lancert admin box``: the IoT systems that were connected to the service."""

import sys

import click

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, changing, looking
from lancert.cli.admin.printing import moment, print_change, print_list, print_one
from lancert.service.directory.boxes import list_boxes, resume_box, show_box, suspend_box, withdraw_box
from lancert.service.model import Box, BoxId, ContractCode, TenantId


@click.group(cls=Suggesting)
def box() -> None:
    """IoT systems that were connected to the service. BOX is an id or a label.

    \b
    Examples:
      lancert admin box list
      lancert admin box show k3v7q2m4x5a6b7c2
      lancert admin box suspend k3v7q2m4x5a6b7c2 --why "reported stolen"
    """


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


def _called(box: Box) -> str:
    return f"{box.name} ({box.label})"
