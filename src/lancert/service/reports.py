"""What boxes tell about themselves: addresses for the stable name, the certificate they serve, their problems.

An address is text until it was read as one in its ordinary spelling; those outside the ranges of the zone are left
out, and nothing here or elsewhere ever connects to one (F-63, S-38).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lancert.kit.clock import from_text
from lancert.protocol.messages import ReportRequest
from lancert.protocol.names import Address, AddressRanges, parse_address
from lancert.protocol.signatures import Identity
from lancert.service.counter import CounterVerdict, check_counter
from lancert.service.decision import UNKNOWN, Reject, replayed
from lancert.service.store import Connection
from lancert.service.store import boxes as rows
from lancert.service.store.zone import next_generation


class NotAReport(ValueError):
    """A report holds something that cannot be; the text names the field and is safe to send back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that was read: what is kept of it."""

    version: str
    addresses: tuple[Address, ...]
    problems: tuple[str, ...]
    certificate_serial: str | None
    certificate_not_after: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The report is kept; ``is_changed`` says that the zone has something new."""

    is_changed: bool


def read_report(request: ReportRequest, ranges: AddressRanges) -> Report:
    """Read what a box reports. Raises NotAReport."""
    if not all(problem.isascii() and problem.isprintable() for problem in request.problems):
        raise NotAReport("problems: a code holds printable signs only")
    return Report(
        version=request.version,
        addresses=tuple(_read_addresses(request.addresses, ranges)),
        problems=tuple(request.problems),
        certificate_serial=request.certificate.serial if request.certificate else None,
        certificate_not_after=_read_moment(request.certificate.not_after) if request.certificate else None,
    )


def keep_report(
    connection: Connection,
    report: Report,
    request: ReportRequest,
    *,
    identity: Identity,
    body_hash: str,
    now: datetime,
) -> Reported | Reject:
    """Keep a report, if its counter is new; one unit of work."""
    live = rows.live_box(connection, identity)
    if live is None:
        return UNKNOWN
    box = live.box
    verdict = check_counter(request.counter, body_hash, last=box.counter, last_body_hash=live.body_hash)
    if verdict is not CounterVerdict.NEW:
        if verdict is CounterVerdict.FORKED:
            rows.update_box(connection, box.id, {"conflict_signs": box.conflict_signs + 1})
        return replayed(verdict)
    is_changed = report.addresses != box.addresses
    rows.update_box(
        connection,
        box.id,
        {
            "version": report.version,
            "problems": report.problems,
            "certificate_serial": report.certificate_serial,
            "certificate_not_after": report.certificate_not_after,
            "boot": request.counter.boot,
            "count": request.counter.count,
            "body_hash": body_hash,
            "seen_at": now,
            **(
                {"addresses": [str(one) for one in report.addresses], "generation": next_generation(connection)}
                if is_changed
                else {}
            ),
        },
    )
    return Reported(is_changed=is_changed)


def _read_addresses(texts: Iterable[str], ranges: AddressRanges) -> Iterable[Address]:
    for text in texts:
        address = parse_address(text)
        if address is None:
            raise NotAReport("addresses: one of them is not an address in its ordinary spelling")
        if ranges.allow(address):
            yield address


def _read_moment(text: str) -> datetime:
    try:
        return from_text(text)
    except ValueError:
        raise NotAReport("certificate.not_after: there is no such moment") from None
