"""Looks at what a target really serves: a handshake as any client makes it, and the whole chain that is shown.

What is shown is compared with what was handed over byte by byte, which says more than a verification: a program that
serves the old certificate, or the new one without its chain, is found out, whoever signed them.
"""

import socket
import ssl
import time
from collections.abc import Callable

from lancert.box.deploy.outcome import Failure, Why
from lancert.box.deploy.targets import Verify

_SECONDS = 5.0
_BETWEEN = 0.1
_IN_A_ROW = 3
"""Handshakes that must show the right chain: old processes of a server may still take one while new ones start."""


def shown_at(verify: Verify, server_name: str, timeout: float = _SECONDS) -> tuple[bytes, ...]:
    """Give the chain that is served there, in DER, leaf first. Raises OSError, ssl.SSLError among them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((verify.host, verify.port), timeout=timeout) as plain,
        context.wrap_socket(plain, server_hostname=verify.server_name or server_name) as tls,
    ):
        return _chain_of(tls)


def _chain_of(tls: ssl.SSLSocket) -> tuple[bytes, ...]:
    # A public method since Python 3.13; 3.11 and 3.12, which get no more changes of that kind, have it one level below.
    if hasattr(tls, "get_unverified_chain"):
        return tuple(tls.get_unverified_chain())
    import _ssl

    chain = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return tuple(one.public_bytes(_ssl.ENCODING_DER) for one in chain or ())


def address_of(written: str) -> Verify:
    """Read what ``Verify.address`` wrote."""
    host, _, port = written.rpartition(":")
    return Verify(host=host.strip("[]"), port=int(port))


def judge(shown: tuple[bytes, ...], wanted: tuple[bytes, ...]) -> Why | None:
    """Say what is wrong with a chain that is shown."""
    if shown[:1] != wanted[:1]:
        return Why.OTHER_SERVED
    # A root at the end is of no use and does no harm.
    return None if shown[: len(wanted)] == wanted else Why.CHAIN_MISSING


def wait_until_served(
    verify: Verify,
    server_name: str,
    wanted: tuple[bytes, ...],
    timeout: float,
    is_over: Callable[[], bool],
    refused: Callable[[], Failure | None] = lambda: None,
) -> Failure | None:
    """Connect again and again until the chain is shown several times in a row; gives what was seen last otherwise.

    ``refused`` says that there is nothing to wait for any more, and why.
    """
    end = time.monotonic() + timeout
    row, failure = 0, Failure(why=Why.NO_ANSWER, facts={"detail": "no time was left"})
    while not is_over():
        try:
            why = judge(shown_at(verify, server_name, min(_SECONDS, max(0.1, end - time.monotonic()))), wanted)
            row = row + 1 if why is None else 0
            failure = failure if why is None else Failure(why=why)
        except (OSError, ValueError) as error:
            row, failure = 0, Failure(why=Why.NO_ANSWER, facts={"detail": _in_words(error)})
        if row >= _IN_A_ROW:
            return None
        if row == 0 and (known := refused()) is not None:
            return known
        if time.monotonic() >= end:
            return failure
        if row == 0:
            time.sleep(_BETWEEN)
    return Failure(why=Why.INTERRUPTED)


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'the handshake failed'}"
    return getattr(error, "strerror", None) or "the connection was closed"
