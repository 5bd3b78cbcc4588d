"""What strangers send instead of HTTP: a table of requests that two programs may read in two ways, and random ones."""

import random
from collections.abc import Iterator, Mapping

_FORM = b"Content-Type: application/x-www-form-urlencoded"
_LAST = b"Connection: close"
_TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b"\xff", b"%00", b"%2e%2e/", b"?", b"#", b"\r\n\r\n"),
    *(b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"HTTP/1.1", b"HTTP/9.9", b"a" * 3000),
    *(b"Host: [::1]\r\n", b"Host: a@b\r\n"),
)


class Garbage:
    """The tables for one server: ``host`` is how it is rightly called, so that nothing is refused for that alone."""

    def __init__(self, host: str) -> None:
        self._host = f"Host: {host}\r\n".encode()
        self._origin = f"Origin: http://{host}".encode()
        self._hidden = b"GET /hidden HTTP/1.1\r\n" + self._host + b"\r\n"

    def _get(
        self, *lines: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1", host: bytes | None = None
    ) -> bytes:
        head = b"GET " + target + b" " + version + b"\r\n" + (self._host if host is None else host)
        return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n"

    def _post(self, body: bytes, *lines: bytes) -> bytes:
        head = b"POST /cogs/renewal HTTP/1.1\r\n" + self._host
        return head + b"".join(line + b"\r\n" for line in (self._origin, _FORM, *lines)) + b"\r\n" + body

    @property
    def tables(self) -> Mapping[str, Mapping[str, bytes]]:
        """Give all tables by their names."""
        return {
            "a request hidden in another": self.smuggled(),
            "oversized": self.oversized(),
            "not HTTP, or not for us": self.no_http(),
        }

    def smuggled(self) -> Mapping[str, bytes]:
        """Give requests with another one hidden in them, for whoever reads their length otherwise (RFC 9112, 11.2)."""
        return {
            "both lengths, chunks end first": self._post(
                b"0\r\n\r\n" + self._hidden,
                b"Content-Length: %d" % (5 + len(self._hidden)),
                b"Transfer-Encoding: chunked",
            ),
            "both lengths, the number ends first": self._post(
                b"%x\r\n" % len(self._hidden) + self._hidden + b"\r\n0\r\n\r\n",
                b"Content-Length: 4",
                b"Transfer-Encoding: chunked",
            ),
            "chunked first, then a number": self._post(
                b"0\r\n\r\n" + self._hidden, b"Transfer-Encoding: chunked", b"Content-Length: 60"
            ),
            "two numbers": self._post(b"abc" + self._hidden, b"Content-Length: 3", b"Content-Length: 60"),
            "two numbers in one line": self._post(b"abc" + self._hidden, b"Content-Length: 3, 60"),
            "a number with a sign": self._post(b"abc" + self._hidden, b"Content-Length: +3"),
            "a negative number": self._post(b"abc" + self._hidden, b"Content-Length: -3"),
            "a hexadecimal number": self._post(b"abc" + self._hidden, b"Content-Length: 0x3"),
            "a number with an underscore": self._post(b"abc" + self._hidden, b"Content-Length: 1_0"),
            "a number of forty digits": self._post(b"abc" + self._hidden, b"Content-Length: " + b"9" * 40),
            "chunked twice": self._post(
                b"0\r\n\r\n" + self._hidden, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"
            ),
            "chunked and identity": self._post(b"0\r\n\r\n" + self._hidden, b"Transfer-Encoding: chunked, identity"),
            "an unknown coding": self._post(b"0\r\n\r\n" + self._hidden, b"Transfer-Encoding: xchunked"),
            "a vertical tab before chunked": self._post(b"0\r\n\r\n" + self._hidden, b"Transfer-Encoding: \x0bchunked"),
            "a space before the colon": self._post(
                b"0\r\n\r\n" + self._hidden, b"Transfer-Encoding : chunked", b"Content-Length: 5"
            ),
            "chunked on GET": self._get(b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + self._hidden,
            "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\n"
            + self._host
            + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            + self._hidden,
            "a folded line": self._post(b"abc" + self._hidden, b"Content-Length: 3\r\n 0"),
            "a zero byte in a value": self._post(b"abc" + self._hidden, b"Content-Length: 3\x00"),
            "a carriage return in a value": self._post(b"abc" + self._hidden, b"X: a\rContent-Length: 3"),
            "a chunk size that is none": self._post(b"zz\r\n" + self._hidden, b"Transfer-Encoding: chunked"),
            "a chunk size with a sign": self._post(b"-1\r\n" + self._hidden, b"Transfer-Encoding: chunked"),
            "a chunk size without end": self._post(
                b"0" * 40_000 + b"\r\n" + self._hidden, b"Transfer-Encoding: chunked"
            ),
            "a chunk longer than it says": self._post(
                b"1\r\nabc\r\n0\r\n\r\n" + self._hidden, b"Transfer-Encoding: chunked"
            ),
        }

    def oversized(self) -> Mapping[str, bytes]:
        """Give what is larger than any page needs."""
        return {
            "a target of 100 KB": self._get(target=b"/" + b"a" * 100_000),
            "a target of 5 KB": self._get(target=b"/" + b"a" * 5_000),
            "10,000 headers": self._get(*(b"X-%d: y" % number for number in range(10_000))),
            "100 headers": self._get(*(b"X-%d: y" % number for number in range(100))),
            "a header of 1 MB": self._get(b"X: " + b"y" * 1_000_000),
            "a header name of 20 KB": self._get(b"X" * 20_000 + b": y"),
            "a method of 20 KB": b"G" * 20_000 + b" / HTTP/1.1\r\n" + self._host + b"\r\n",
            "a form of 100 KB": self._post(b"a" * 100_000, b"Content-Length: 100000", _LAST),
        }

    def no_http(self) -> Mapping[str, bytes]:
        """Give what is not HTTP, or is not for this server."""
        return {
            "no version": b"GET /\r\n\r\n",
            "version 2.0": self._get(version=b"HTTP/2.0"),
            "version 0.9": self._get(version=b"HTTP/0.9"),
            "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "no host": self._get(host=b""),
            "two hosts": self._get(b"Host: evil.test"),
            "a foreign host": self._get(host=b"Host: evil.test\r\n"),
            "a header without a colon": self._get(b"nothing"),
            "a header without a name": self._get(b": nothing"),
            "a space in a header's name": self._get(b"X Y: z"),
            "a tab in the target": self._get(target=b"/\ta"),
            "a zero byte in the target": self._get(target=b"/\x00"),
            "bytes above 127 in the target": self._get(target="/ü".encode()),
            "an empty method": b" / HTTP/1.1\r\n" + self._host + b"\r\n",
            "CONNECT": b"CONNECT evil.test:443 HTTP/1.1\r\n" + self._host + _LAST + b"\r\n\r\n",
            "another site's address": self._get(_LAST, target=b"http://evil.test/"),
            "TRACE": b"TRACE / HTTP/1.1\r\n" + self._host + b"\r\n",
            "an unknown page": self._get(_LAST, target=b"/../../etc/passwd"),
            "a TLS handshake": bytes.fromhex("16030100c8010000c40303") + bytes(197),
            "zero bytes": bytes(20_000),
            "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "an object that Python would load": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\r\n\r\n",
        }

    def right_ones(self) -> tuple[bytes, ...]:
        """Give requests that are served."""
        return (
            self._get(),
            self._get(target=b"/status.json"),
            self._get(b"Connection: keep-alive", b"Accept-Language: it", target=b"/cogs") + self._get(),
            self._post(b"pin=1&level=debug", b"Content-Length: 17"),
            self._post(b"5\r\npin=1\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
            self._post(b"", b"Expect: 100-continue", b"Content-Length: 5"),
            self._get(b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: AAAA"),
            b"HEAD /qr.svg HTTP/1.0\r\n\r\n",
        )

    def random_requests(self, seed: int, count: int) -> Iterator[bytes]:
        """Give requests that were right once, and some that never were, always the same ones for a seed."""
        chance = random.Random(seed)
        right = self.right_ones()
        for _ in range(count):
            if chance.random() < 0.05:
                yield chance.randbytes(chance.randrange(1, 400))
            else:
                yield _spoiled(chance, bytearray(chance.choice(right)))


def _spoiled(chance: random.Random, request: bytearray) -> bytes:
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(request) + 1)
        match chance.randrange(5):
            case 0:
                request[at:at] = chance.choice(_TOKENS)
            case 1:
                del request[at : at + chance.randrange(1, 20)]
            case 2:
                request[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                request[at:at] = request[at : at + chance.randrange(1, 60)]
            case 4:
                lines = request.split(b"\r\n")
                chance.shuffle(lines)
                request = bytearray(b"\r\n".join(lines))
    return bytes(request)
