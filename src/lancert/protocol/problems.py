"""The problem catalogue: one row per public code, with its causes and the criteria of a refusal.

The six codes are public and permanent. A row says what happened, what it means and what to do; the homepage, the
command line and ``status.json`` all render this row. Sentences are marked for translation and translated where
they are shown; ``{server}`` and ``{status}`` are filled in from the facts of the occurrence. The
exception behind a problem goes to the log and is never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lancert.kit.language import N_, Translate, fill
from lancert.protocol.causes import REQUEST_CAUSES
from lancert.protocol.causes import Cause as Cause


class Reader(StrEnum):
    """Who can mend the problem."""

    OWNER = "owner"
    NETWORK_ADMINISTRATOR = "network-administrator"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row of the catalogue."""

    code: str
    title: str
    meaning: str
    remedy: tuple[str, ...]
    reader: Reader
    causes: tuple[Cause, ...] = ()

    def cause(self, cause_id: str) -> Cause:
        """Give one of the causes by its id. Raises KeyError."""
        return {cause.id: cause for cause in self.causes}[cause_id]


CHECK_NO_SERVER = Problem(
    code="ERR_IOT_HTTPS_CHECK_NO_SERVER",
    title=N_("This IoT system is not connected"),
    meaning=N_("No server is configured, so there is nobody to ask for a certificate."),
    remedy=(
        N_("Get a connection token for your database from the operator of the certificate service."),
        N_("On the homepage click the cogs button, then Server, and paste the token."),
    ),
    reader=Reader.OWNER,
)

CHECK_CERT_READ_EXCEPTION = Problem(
    code="ERR_IOT_HTTPS_CHECK_CERT_READ_EXCEPTION",
    title=N_("The stored certificate cannot be read"),
    meaning=N_("The certificate file on this IoT system is not usable. It was set aside and a new one is asked for."),
    remedy=(
        N_("Wait a minute and reload this page: a new certificate is asked for automatically."),
        N_("If this comes back, check the disk or the memory card of the IoT system."),
    ),
    reader=Reader.OWNER,
    causes=(
        Cause(
            id="damaged",
            meaning=N_("The file is incomplete or holds something that is not a certificate with its key."),
            remedy=(),
        ),
        Cause(
            id="open-to-others",
            meaning=N_("Other accounts of this IoT system could read the private key, so it is not used any more."),
            remedy=(N_("Find out what changed the rights of the file; the new key is private again."),),
        ),
        Cause(
            id="key-mismatch",
            meaning=N_("The private key belongs to another certificate."),
            remedy=(),
        ),
        Cause(
            id="unreadable",
            meaning=N_("The system does not let the agent read the file."),
            remedy=(N_("Check the owner of the agent's folder and the health of the disk."),),
        ),
    ),
)

LOAD_NO_CREDENTIAL = Problem(
    code="ERR_IOT_HTTPS_LOAD_NO_CREDENTIAL",
    title=N_("The credential is incomplete"),
    meaning=N_("The credential tells the server whose IoT system this is; without it no certificate can be asked for."),
    remedy=(
        N_("On the homepage click the cogs button, then Credential."),
        N_("Enter the contract and the database UUID and save."),
    ),
    reader=Reader.OWNER,
    causes=(
        Cause(id="contract", meaning=N_("The contract is missing."), remedy=()),
        Cause(id="database-uuid", meaning=N_("The database UUID is missing."), remedy=()),
        Cause(id="both", meaning=N_("The contract and the database UUID are missing."), remedy=()),
    ),
)

LOAD_REQUEST_EXCEPTION = Problem(
    code="ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION",
    title=N_("The server could not be reached"),
    meaning=N_("This IoT system could not talk to {server}. The details are in the log."),
    remedy=(N_("Reload this page after the change to see whether it helped."),),
    reader=Reader.NETWORK_ADMINISTRATOR,
    causes=REQUEST_CAUSES,
)

LOAD_REQUEST_STATUS = Problem(
    code="ERR_IOT_HTTPS_LOAD_REQUEST_STATUS",
    title=N_("The server gave an unexpected answer"),
    meaning=N_("{server} was reached and answered with the HTTP status {status}."),
    remedy=(
        N_("Open {server} in a browser to see whether it is under maintenance; if so, wait."),
        N_("Otherwise open a support ticket and include the three digits {status}."),
    ),
    reader=Reader.OPERATOR,
    causes=(
        Cause(
            id="maintenance",
            meaning=N_("The service is overloaded or under maintenance."),
            remedy=(N_("Nothing needs to be done: this IoT system tries again by itself."),),
        ),
        Cause(
            id="intermediary",
            meaning=N_("The answer came from a proxy or firewall in between rather than from the service."),
            remedy=(N_("Allow {server} in the proxy or firewall."),),
        ),
        Cause(
            id="not-found",
            meaning=N_("The address answers, but no certificate service lives there."),
            remedy=(N_("Check the server address under cogs, Server."),),
        ),
        Cause(
            id="request-refused",
            meaning=N_("The service did not accept the request of this IoT system."),
            remedy=(N_("Update the software of this IoT system, or enter its credential again."),),
        ),
    ),
)

LOAD_REQUEST_NO_RESULT = Problem(
    code="ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT",
    title=N_("The server refused to give a certificate"),
    meaning=N_("{server} was reached and answered, but gave no certificate."),
    remedy=(N_("Mend what is named here, then reload this page: the certificate is asked for again."),),
    reader=Reader.OWNER,
    causes=(
        Cause(id="refused", meaning=N_("Not every condition for a certificate is met."), remedy=()),
        Cause(
            id="unusable-answer",
            meaning=N_("The answer held no certificate that belongs to this IoT system, so nothing was installed."),
            remedy=(N_("Tell the operator of the service; the log says what was wrong with the answer."),),
        ),
    ),
)

CATALOGUE = (
    CHECK_NO_SERVER,
    CHECK_CERT_READ_EXCEPTION,
    LOAD_NO_CREDENTIAL,
    LOAD_REQUEST_EXCEPTION,
    LOAD_REQUEST_STATUS,
    LOAD_REQUEST_NO_RESULT,
)


class Criterion(StrEnum):
    """What a certificate depends on; the code of each is public and permanent."""

    CREDENTIAL_NOT_RECOGNISED = "credential-not-recognised"
    DATABASE_NOT_PRODUCTION = "database-not-production"
    DATABASE_DUPLICATED = "database-duplicated"
    SUBSCRIPTION_NOT_IN_PROGRESS = "subscription-not-in-progress"
    NO_IOT_BOX_LINE = "no-iot-box-line"
    NO_SEAT_LEFT = "no-seat-left"
    IOT_SYSTEM_SUSPENDED = "iot-system-suspended"
    IDENTITY_CONFLICT = "identity-conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionRow:
    """The sentences of one criterion."""

    meaning: str
    remedy: str


CRITERIA: Mapping[Criterion, CriterionRow] = {
    Criterion.CREDENTIAL_NOT_RECOGNISED: CriterionRow(
        meaning=N_("The server does not know this contract and database UUID together."),
        remedy=N_("Compare both with the IoT app and correct them under cogs, Credential."),
    ),
    Criterion.DATABASE_NOT_PRODUCTION: CriterionRow(
        meaning=N_("The database is not a production instance; it is marked as: {environment}."),
        remedy=N_("Connect this IoT system to the production database, or have the database marked as production."),
    ),
    Criterion.DATABASE_DUPLICATED: CriterionRow(
        meaning=N_("The same database UUID is in use in two places."),
        remedy=N_("Give the copy a UUID of its own, or switch it off."),
    ),
    Criterion.SUBSCRIPTION_NOT_IN_PROGRESS: CriterionRow(
        meaning=N_("The subscription is not in progress; its status is: {status}."),
        remedy=N_("Bring the subscription in progress, then reload this page."),
    ),
    Criterion.NO_IOT_BOX_LINE: CriterionRow(
        meaning=N_("The subscription has no IoT box line."),
        remedy=N_("Add an IoT box line to the subscription, then reload this page."),
    ),
    Criterion.NO_SEAT_LEFT: CriterionRow(
        meaning=N_("All IoT boxes of the subscription are in use: {used} of {quantity}."),
        remedy=N_("Raise the quantity of the IoT box line, or remove an IoT system that is no longer used."),
    ),
    Criterion.IOT_SYSTEM_SUSPENDED: CriterionRow(
        meaning=N_("This IoT system was suspended."),
        remedy=N_("Ask the operator of the service to lift the suspension."),
    ),
    Criterion.IDENTITY_CONFLICT: CriterionRow(
        meaning=N_("Two IoT systems use the same identity, for instance because a memory card was copied."),
        remedy=N_("Reset the copy to factory settings, so that it makes an identity of its own."),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One unmet criterion, with the facts of it that its sentences name."""

    criterion: Criterion
    facts: Mapping[str, str] = field(default_factory=dict)

    def meaning(self, translate: Translate) -> str:
        """Say what is not met, in the reader's language."""
        return fill(translate(CRITERIA[self.criterion].meaning), self.facts)

    def remedy(self, translate: Translate) -> str:
        """Say what to do about it, in the reader's language."""
        return fill(translate(CRITERIA[self.criterion].remedy), self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A problem that is there now: the row, the cause that was found, the facts its sentences name."""

    problem: Problem
    cause_id: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()

    @property
    def code(self) -> str:
        """Give the public code, with the digits of the HTTP status where they are part of it."""
        if self.problem is LOAD_REQUEST_STATUS:
            return f"{self.problem.code} {self.facts['status']}"
        return self.problem.code

    @property
    def cause(self) -> Cause | None:
        """Give the row of the cause, if one was found."""
        return None if self.cause_id is None else self.problem.cause(self.cause_id)

    def title(self, translate: Translate) -> str:
        """Say in a few words what happened."""
        return translate((self.cause.title if self.cause else None) or self.problem.title)

    def meaning(self, translate: Translate) -> str:
        """Say what happened."""
        return fill(translate((self.cause.instead if self.cause else None) or self.problem.meaning), self.facts)

    def cause_meaning(self, translate: Translate) -> str | None:
        """Say why it happened, if that is known."""
        return None if self.cause is None else fill(translate(self.cause.meaning), self.facts)

    def remedy(self, translate: Translate) -> list[str]:
        """Say what to do, step by step: for the reasons and the cause first, then for the problem in general."""
        of_cause = self.cause.remedy if self.cause else ()
        steps = [fill(translate(step), self.facts) for step in (*of_cause, *self.problem.remedy)]
        return [reason.remedy(translate) for reason in self.reasons] + steps


def find_problem(text: str) -> Problem | None:
    """Find the row of a code as people type it: any case, with or without the common beginning or the status digits."""
    words = text.strip().upper().split()
    if len(words) == 1 and len(words[0]) == 3 and words[0].isdigit():
        return LOAD_REQUEST_STATUS
    wanted = words[0].removeprefix("ERR_IOT_HTTPS_") if words else ""
    return next((row for row in CATALOGUE if row.code.removeprefix("ERR_IOT_HTTPS_") == wanted), None)
