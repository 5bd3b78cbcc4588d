"""RSA keys that anybody can break are recognised, and honest ones never are (S-45, F-66)."""

import time
from collections.abc import Callable
from itertools import count
from math import gcd, isqrt, prod

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lancert.service.weak_keys import has_close_primes, has_roca_fingerprint, has_small_factor

TESTS = (has_small_factor, has_close_primes, has_roca_fingerprint)
SMALL_PRIMES = [number for number in range(2, 168) if all(number % i for i in range(2, isqrt(number) + 1))]


def is_prime(number: int) -> bool:
    """Fermat's test is enough for numbers that nobody chose to fool it."""
    return gcd(number, prod(SMALL_PRIMES)) == 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5))


def next_prime(number: int) -> int:
    """The next prime."""
    return next(candidate for candidate in count(number | 1, 2) if is_prime(candidate))


def roca_prime(bits: int, start: int) -> int:
    """A prime as the library of CVE-2017-15361 made them: k * M + (65537^a mod M)."""
    modulus = prod(SMALL_PRIMES[:71])
    residue = pow(65537, start, modulus)
    first = (1 << (bits - 1)) // modulus
    return next(k * modulus + residue for k in count(first + start) if is_prime(k * modulus + residue))


@pytest.fixture(scope="module")
def honest() -> list[int]:
    """Moduli of keys made by the library."""
    return [rsa.generate_private_key(65537, 2048).public_key().public_numbers().n for _ in range(5)]


@pytest.mark.parametrize("is_weak", TESTS)
def test_an_honest_key_passes(is_weak: Callable[[int], bool], honest: list[int]) -> None:
    """None of the tests refuses a key that was made well."""
    assert not any(is_weak(modulus) for modulus in honest)


@pytest.mark.parametrize("factor", [3, 5, 101, 751])
def test_a_small_factor_is_found(factor: int, honest: list[int]) -> None:
    """A prime below 752 in the modulus."""
    assert has_small_factor(honest[0] * factor)


def test_a_factor_above_the_limit_is_not_looked_for(honest: list[int]) -> None:
    """The test is cheap because it is bounded."""
    assert not has_small_factor(honest[0] * 757)


@pytest.mark.parametrize("distance", [0, 2, 1 << 400])
def test_primes_close_to_each_other_are_found(distance: int) -> None:
    """Fermat's method takes few rounds when the primes share their upper half."""
    p = next_prime((1 << 1023) + (1 << 700) + 12345)
    q = p if distance == 0 else next_prime(p + distance)

    assert has_close_primes(p * q)


def test_a_key_of_the_library_with_roca_is_recognised() -> None:
    """Both primes of the known form leave the fingerprint in the modulus."""
    p, q = roca_prime(512, 3), roca_prime(512, 99)

    assert p != q
    assert has_roca_fingerprint(p * q)


@pytest.mark.parametrize("is_weak", TESTS)
def test_the_largest_key_that_is_looked_at_takes_little_time(is_weak: Callable[[int], bool]) -> None:
    """A 4096-bit key costs milliseconds, so nobody can keep the service busy with it."""
    modulus = (1 << 4095) + (1 << 2000) + 1
    is_weak(modulus)
    started = time.process_time()
    is_weak(modulus)

    assert time.process_time() - started < 0.05
