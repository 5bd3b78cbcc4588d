"""A wire between two hosts that loses, delays and throttles: what ``tc netem`` does, where the kernel has no netem.

Each end is a tap interface (the kernel's tuntap documentation); one thread carries the Ethernet frames across. Order is
kept, chance is handed in, and what does not fit into the queue is lost, as with a modem.
"""

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from dataclasses import dataclass

from tests.peers.netns import Host

_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000  # IFF_TAP, IFF_NO_PI
_QUEUE = 32_768  # bytes that wait for a throttled wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How bad a wire is, each way: loss from 0 to 1, delay and jitter in seconds, rate in bits per second."""

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    rate: float | None = None


class SlowWire:
    """Joins two hosts until it is closed; both interfaces are up and have no address yet."""

    def __init__(self, one: Host, one_end: str, other: Host, other_end: str, quality: Quality, seed: int = 0) -> None:
        self._quality = quality
        self._chance = random.Random(seed)
        self._ends = (_tap(one, one_end), _tap(other, other_end))
        self._over, self._stop = os.pipe()
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._free = [0.0, 0.0]  # when each direction has sent what waits
        self._last = [0.0, 0.0]
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the wire away."""
        os.close(self._stop)
        self._thread.join(10)
        for end in (*self._ends, self._over):
            os.close(end)

    def _carry(self) -> None:
        while True:
            wait = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            ready, _, _ = select.select([*self._ends, self._over], [], [], wait)
            if self._over in ready:
                return
            for direction, end in enumerate(self._ends):
                if end in ready:
                    self._take(direction, os.read(end, 65_536))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _due, _count, direction, frame = heapq.heappop(self._waiting)
                with contextlib.suppress(OSError):
                    os.write(self._ends[1 - direction], frame)

    def _take(self, direction: int, frame: bytes) -> None:
        quality, now = self._quality, time.monotonic()
        if self._chance.random() < quality.loss:
            return
        begin = max(now, self._free[direction])
        if quality.rate is not None:
            if (begin - now) * quality.rate > _QUEUE * 8:
                return
            begin += len(frame) * 8 / quality.rate
            self._free[direction] = begin
        due = begin + quality.delay + quality.jitter * self._chance.random()
        self._last[direction] = due = max(due, self._last[direction])
        self._count += 1
        heapq.heappush(self._waiting, (due, self._count, direction, frame))


def _tap(host: Host, name: str) -> int:
    with host.inside():
        end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP_WITHOUT_HEADER))
    host.sh(f"ip link set {name} up")
    return end
