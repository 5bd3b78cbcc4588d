"""What boxes tell about themselves: addresses for the stable name, the certificate they serve, their problems.

An address is text until it was read as one in its ordinary spelling; a report with one outside the ranges of the zone
is refused, and nothing here or elsewhere ever connects to one (F-63, S-38). Boxes know the ranges from their enrolment.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from lancert.kit.clock import from_text
from lancert.protocol.messages import ReportedDiagnosis, ReportRequest
from lancert.protocol.names import Address, AddressRanges, parse_address
from lancert.protocol.signatures import Identity
from lancert.service.counter import CounterVerdict, accepted, check_counter
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
    diagnosis: ReportedDiagnosis | None = None


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
        certificate_not_after=(
            _read_moment(request.certificate.not_after, "certificate.not_after") if request.certificate else None
        ),
        diagnosis=_read_diagnosis(request.diagnosis),
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
    verdict = check_counter(request.counter, body_hash, live.last)
    if verdict is not CounterVerdict.NEW:
        if verdict is CounterVerdict.FORKED:
            rows.add_conflict_sign(connection, box.number, request.counter)
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
            **rows.counter_columns(accepted(request.counter, body_hash, live.last)),
            "seen_at": now,
            # A box that has not looked again says nothing; what it found last is still known.
            **(
                {"diagnosis": asdict(report.diagnosis)}
                if report.diagnosis is not None and report.diagnosis != box.diagnosis
                else {}
            ),
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
        if not ranges.allow(address):
            raise NotAReport("addresses: one of them is not among those that the zone answers")
        yield address


def _read_diagnosis(diagnosis: ReportedDiagnosis | None) -> ReportedDiagnosis | None:
    if diagnosis is not None:
        _read_moment(diagnosis.at, "diagnosis.at")
    return diagnosis


def _read_moment(text: str, field: str) -> datetime:
    try:
        return from_text(text)
    except ValueError:
        raise NotAReport(f"{field}: there is no such moment") from None
