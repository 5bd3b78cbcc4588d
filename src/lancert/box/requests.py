"""The signed requests of a box: one identity, one counter, one at a time, whoever on the box asks.

Each answer comes from a server that proved itself, so its Date is told to the timekeeper.
"""

import contextlib

from lancert.box import keys
from lancert.box.client import Client
from lancert.box.conversation import Answered, Ask
from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.proxies import Proxies
from lancert.box.time import Timekeeper
from lancert.kit.clock import Clock
from lancert.kit.logs import Log
from lancert.protocol.messages import Counter
from lancert.protocol.signatures import sign

log = Log("box.requests")


class SignedRequests:
    """Signs what is sent to the server, and counts it."""

    def __init__(self, folder: Folder, clock: Clock, time: Timekeeper, proxies: Proxies | None = None) -> None:
        self._folder = folder
        self._proxies = proxies
        self._clock = clock
        self._time = time
        self._boot: int | None = None
        self._count = 0

    def client(self, server: Server) -> Client:
        """Give a client that trusts the server by what was configured."""
        # TLS goes by the clock of the machine, so that clock explains its failures.
        return Client(server, self._folder.roots(), self._clock, proxies=self._proxies)

    async def send(self, client: Client, server: Server, ask: Ask) -> Answered:
        """Sign and send. Raises Unreachable."""
        identity = keys.identity_key(self._folder.identity)
        headers = sign(key=identity, method="POST", authority=server.authority, path=ask.path, body=ask.body)
        answered = await client.post(ask.path, ask.body, headers)
        log.debug("the server answered", path=ask.path, status=answered.status, media_type=answered.media_type)
        was_off = self._time.is_off
        proven = self._time.told(answered.server_time)
        if self._time.is_off != was_off:
            log.warning("the clock of this machine is compared with the server", is_wrong=self._time.is_off)
        if proven is not None:
            with contextlib.suppress(OSError):
                self._folder.proved(proven)
        return answered

    def next_counter(self) -> Counter:
        """Give the counter of the next request; the first one of a start is on the disk before it is used."""
        if self._boot is None:
            self._boot = self._folder.raise_boot(self._time.now())
        self._count += 1
        return Counter(boot=self._boot, count=self._count)
