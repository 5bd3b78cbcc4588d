"""RSA keys that anybody can break, though they look like any other: small factors, close primes, ROCA (S-45).

Each test is a few lines of arithmetic from the publication named beside it. Keys known from elsewhere (the Debian
keys of 2008, keys found in firmware) are a matter of the blocklist in the store, not of arithmetic. ``RsaKey``
needs at most some milliseconds at 4096 bits; larger keys are refused before they get here.
"""

from functools import cache
from math import gcd, isqrt, prod

_FERMAT_ROUNDS = 110
_SMALL_PRIMES_BELOW = 752
_ROCA_PRIMES_BELOW = 168


def has_small_factor(modulus: int) -> bool:
    """Say whether a prime below 752 divides the modulus (CA/Browser Forum BR 6.1.6, NIST SP 800-89)."""
    return gcd(modulus, _primorial()) != 1


def has_close_primes(modulus: int) -> bool:
    """Say whether Fermat's method factors the modulus in 110 rounds (Böck, Fermat Factorization in the Wild, 2023)."""
    middle = isqrt(modulus)
    if middle * middle < modulus:
        middle += 1
    for a in range(middle, middle + _FERMAT_ROUNDS):
        square = a * a - modulus
        # A square ends, in base 16, in 0, 1, 4 or 9: the root is taken of one number in four.
        if square & 15 in (0, 1, 4, 9) and isqrt(square) ** 2 == square:
            return True
    return False


def has_roca_fingerprint(modulus: int) -> bool:
    """Say whether the modulus is one of the library with ROCA, CVE-2017-15361.

    Its primes are 65537^a mod M for a known M; so the modulus lies in the group that 65537 generates, modulo
    every small prime (Nemec and others, The Return of Coppersmith's Attack, 2017, section 3).
    """
    return all(modulus % prime in group for prime, group in _roca_groups())


@cache
def _roca_groups() -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple(
        (prime, frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1)))
        for prime in _primes_below(_ROCA_PRIMES_BELOW)
        if prime > 2
    )


@cache
def _primorial() -> int:
    return prod(_primes_below(_SMALL_PRIMES_BELOW))


def _primes_below(limit: int) -> list[int]:
    return [number for number in range(2, limit) if all(number % divisor for divisor in range(2, isqrt(number) + 1))]
