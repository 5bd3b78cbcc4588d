"""What a person is told about hand-overs: notices for the homepage, rows for the status document."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lancert.box.deploy.outcome import HandedOver, from_records
from lancert.box.notices import Notice
from lancert.kit.clock import to_text
from lancert.kit.language import N_, Translate

if TYPE_CHECKING:
    from lancert.box.deploy.reading import Complaint

_FILE = "box.toml"


def notices_of(complaints: "Sequence[Complaint]", handed_over: Sequence[HandedOver]) -> tuple[Notice, ...]:
    """Give a notice for each table that cannot be used and for each target that has not got the certificate."""
    return (*map(_of_complaint, complaints), *(_of_failure(one) for one in handed_over if not one.is_fine))


def _of_complaint(complaint: "Complaint") -> Notice:
    return Notice(
        id="deploy-setting",
        title=N_("A program is not given the certificate"),
        meaning=N_("The setting {setting} in {file} cannot be used, so this target is left out."),
        remedy=(complaint.sentence, N_("Try it with lancert box deploy --check, then restart the agent.")),
        facts={"file": _FILE, "setting": complaint.key, **complaint.facts},
    )


def _of_failure(handed: HandedOver) -> Notice:
    why, ended = handed.sentences()
    return Notice(
        id="hand-over",
        title=N_("A program has not got the new certificate"),
        meaning=why,
        more=(ended,),
        remedy=handed.remedy(),
        facts=handed.facts(),
        said=handed.failure.said if handed.failure else "",
    )


def told_without_agent(
    written: object, records: Mapping[str, Any] | None
) -> tuple[tuple[HandedOver, ...], tuple[Notice, ...]]:
    """Give what a running agent would tell, from the settings and the records in the folder."""
    from lancert.box.deploy.reading import parse_targets  # most boxes have nothing to read

    targets, complaints = parse_targets(written)
    known = {one.target: one for one in from_records(records)}
    handed_over = tuple(known[target.name] for target in targets if target.name in known)
    return handed_over, notices_of(complaints, handed_over)


def targets_document(handed_over: Sequence[HandedOver], translate: Translate) -> list[dict[str, Any]]:
    """Give the targets as plain JSON values; moments are RFC 3339 in UTC."""
    return [
        {
            "target": one.target,
            "outcome": one.outcome.value,
            "address": one.address,
            "at": to_text(one.at),
            "next_try": to_text(one.next_at) if one.next_at else None,
            "why": one.failure.why.value if one.failure else None,
            "meaning": one.words(translate),
            "said": one.failure.said if one.failure and one.failure.said else None,
            "remedy": one.steps(translate),
        }
        for one in handed_over
    ]
