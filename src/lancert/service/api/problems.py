"""Errors as callers see them: problem documents (RFC 9457) with a plain sentence, and nothing of the inside.

The ``type`` of each is permanent; ``urn:lancert:problem:refused`` is the one a box shows its owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lancert.protocol.messages import PROBLEM_TYPE, ProblemAnswer, RefusedCriterion, encode
from lancert.protocol.problems import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemKind:
    """One type of problem document: its name, its status, what it is called."""

    name: str
    status: int
    title: str


MALFORMED = ProblemKind(name="malformed", status=400, title="The request is not what it should be")
CSR_REFUSED = ProblemKind(name="csr-refused", status=400, title="The certificate signing request is not acceptable")
PRIVATE_KEY_POSTED = ProblemKind(name="private-key-posted", status=400, title="A private key was sent")
NOT_AUTHENTICATED = ProblemKind(
    name="not-authenticated", status=401, title="The request is not signed by an IoT system known here"
)
REPLAYED = ProblemKind(name="replayed", status=401, title="The request was made before")
REFUSED = ProblemKind(
    name=ProblemAnswer.REFUSED.removeprefix(PROBLEM_TYPE), status=403, title="A condition for a certificate is not met"
)
NOT_FOUND = ProblemKind(name="not-found", status=404, title="There is nothing here")
METHOD_NOT_ALLOWED = ProblemKind(name="method-not-allowed", status=405, title="This method is not for this address")
TOO_SLOW = ProblemKind(name="too-slow", status=408, title="The request did not come in time")
KEY_NOT_USABLE = ProblemKind(name="key-not-usable", status=409, title="This key cannot have a certificate here")
TOO_LARGE = ProblemKind(name="too-large", status=413, title="The request is too large")
NOT_JSON = ProblemKind(name="unsupported-media-type", status=415, title="The request must be JSON")
TOO_MANY = ProblemKind(name="too-many-requests", status=429, title="Too many requests")
INTERNAL = ProblemKind(name="internal", status=500, title="Something unexpected went wrong")
UNAVAILABLE = ProblemKind(name="unavailable", status=503, title="The service cannot do this right now")

KINDS = (
    MALFORMED,
    CSR_REFUSED,
    PRIVATE_KEY_POSTED,
    NOT_AUTHENTICATED,
    REPLAYED,
    REFUSED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    TOO_SLOW,
    KEY_NOT_USABLE,
    TOO_LARGE,
    NOT_JSON,
    TOO_MANY,
    INTERNAL,
    UNAVAILABLE,
)


class ApiProblem(Exception):
    """A request ends here; what the caller is told."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        reasons: Sequence[Reason] = (),
    ) -> None:
        super().__init__(kind.name)
        self.kind = kind
        self.detail = detail
        self.headers = tuple(headers)
        self.reasons = tuple(reasons)

    def body(self) -> bytes:
        """Write the problem document."""
        return encode(
            ProblemAnswer(
                type=PROBLEM_TYPE + self.kind.name,
                title=self.kind.title,
                status=self.kind.status,
                detail=self.detail,
                reasons=[_on_the_wire(reason) for reason in self.reasons],
            )
        )


def retry_after(seconds: int) -> tuple[bytes, bytes]:
    """Give the header that says when to ask again (RFC 9110, 10.2.3)."""
    return (b"retry-after", str(seconds).encode())


def _on_the_wire(reason: Reason) -> RefusedCriterion:
    return RefusedCriterion(
        criterion=reason.criterion.value,
        facts=dict(reason.facts),
        meaning=reason.meaning(_english),
        remedy=reason.remedy(_english),
    )


def _english(sentence: str) -> str:
    return sentence
