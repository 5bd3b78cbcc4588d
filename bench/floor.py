"""The crypto floor: what one certificate costs in signatures alone, through the library the product uses.

A service that did nothing else would still verify the box's signature and the CSR's, and sign. Every issuance
figure is read beside this sum.
"""

import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

REQUEST = bytes(400)  # about what a signature base, a CSR and a certificate to be signed measure
ROUNDS = 5
CALLS = 2_000


def main() -> None:
    print("crypto floor                    us CPU")
    figures = floor()
    for name, seconds in figures.items():
        print(f"  {name:<28} {seconds * 1e6:7.1f}")
    print(f"  {'one certificate':<28} {sum(figures.values()) * 1e6:7.1f}")


def floor() -> dict[str, float]:
    """Measure the three operations a certificate cannot do without; CPU seconds each."""
    identity = Ed25519PrivateKey.generate()
    known, signature = identity.public_key(), identity.sign(REQUEST)
    key, algorithm = generate_private_key(SECP256R1()), ECDSA(SHA256())
    requested, proof = key.public_key(), key.sign(REQUEST, algorithm)
    return {
        "Ed25519 verify (request)": cost(lambda: known.verify(signature, REQUEST)),
        "P-256 verify (CSR)": cost(lambda: requested.verify(proof, REQUEST, algorithm)),
        "P-256 sign (certificate)": cost(lambda: key.sign(REQUEST, algorithm)),
    }


def cost(call: Callable[[], object], calls: int = CALLS, rounds: int = ROUNDS) -> float:
    """Give the CPU seconds of one call: the best of several rounds, since noise only ever adds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            call()
        best = min(best, (time.process_time() - started) / calls)
    return best


if __name__ == "__main__":
    main()
