"""The crypto floor: what one certificate costs in signatures alone, through the libraries the product uses.

A service that did nothing else would still verify the box's signature and the CSR's, and sign. Every issuance
figure is read beside this sum. Each call has a key and a message of its own, as requests of boxes have: with the same
ones again and again the processor learns the way through them, and shows a floor on which nobody can stand.
"""

import os
import time
from collections.abc import Callable, Iterable
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from lancert.protocol.signatures import check_ed25519
from lancert.service.ed25519 import check_with_libsodium

BYTES = 400  # about what a signature base, a CSR and a certificate to be signed measure
ROUNDS = 5
CALLS = 400
LIBSODIUM = "Ed25519 verify, libsodium"
OPENSSL = "Ed25519 verify, OpenSSL"
P256_VERIFY = "P-256 verify (CSR)"
P256_SIGN = "P-256 sign (certificate)"
IN_USE = (LIBSODIUM, P256_VERIFY, P256_SIGN)


def main() -> None:
    print("crypto floor                    us CPU")
    figures = floor()
    for name, seconds in figures.items():
        print(f"  {name:<28} {seconds * 1e6:7.1f}")
    print(f"  {'one certificate':<28} {sum(figures[name] for name in IN_USE) * 1e6:7.1f}  with libsodium")


def floor(wanted: Iterable[str] = (LIBSODIUM, OPENSSL, P256_VERIFY, P256_SIGN)) -> dict[str, float]:
    """Measure the operations a certificate cannot do without; CPU seconds each."""
    messages = [os.urandom(BYTES) for _ in range(CALLS)]
    identities = [Ed25519PrivateKey.generate() for _ in messages]
    asked = [
        (key.public_key().public_bytes_raw(), key.sign(message), message)
        for key, message in zip(identities, messages, strict=True)
    ]
    algorithm, signer = ECDSA(SHA256()), generate_private_key(SECP256R1())
    keys = [generate_private_key(SECP256R1()) for _ in messages]
    proofs = [
        partial(key.public_key().verify, key.sign(message, algorithm), message, algorithm)
        for key, message in zip(keys, messages, strict=True)
    ]
    calls: dict[str, list[Callable[[], object]]] = {
        LIBSODIUM: [partial(check_with_libsodium, *one) for one in asked],
        OPENSSL: [partial(check_ed25519, *one) for one in asked],
        P256_VERIFY: list(proofs),
        P256_SIGN: [partial(signer.sign, message, algorithm) for message in messages],
    }
    return {name: cost(calls[name]) for name in wanted}


def cost(calls: list[Callable[[], object]], rounds: int = ROUNDS) -> float:
    """Give the CPU seconds of one call: the best of several rounds, since noise only ever adds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for call in calls:
            call()
        best = min(best, (time.process_time() - started) / len(calls))
    return best


if __name__ == "__main__":
    main()
