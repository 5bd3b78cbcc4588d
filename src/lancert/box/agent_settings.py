"""What an agent is told at its start, once settings, options and the doors that were opened are known."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from lancert.box.facts import Ports
from lancert.box.maintenance import Maintenance
from lancert.box.proxies import Proxies
from lancert.box.settings import SettingsWatch
from lancert.kit.clock import Clock, SystemClock
from lancert.protocol.messages import Kind
from lancert.protocol.names import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Who the box is, where it listens, and how it works.

    Without ``addresses`` those of the private networks are found; ``own_host`` is an address it listens on.
    """

    name: str
    kind: Kind
    ports: Ports
    own_host: str = "127.0.0.1"
    addresses: tuple[Address, ...] = ()
    public_resolvers: list[str] | None = None
    maintenance: Maintenance | None = None
    proxies: Proxies = field(default_factory=Proxies)
    watch: SettingsWatch | None = None
    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random
