"""What to change on which router so that it answers names with private addresses: one row per family, as data.

The doctor, the page of the diagnosis and docs/guides/routers.md show the same rows; tests/box/test_routers.py holds
the guide to them. The steps name menus as the products write them in English; ``lines`` are typed exactly as they
stand. ``{zone}`` is the zone of the box's names.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lancert.kit.language import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """One family of routers. ``id`` is public and permanent.

    ``software`` is how the answer to ``version.bind`` begins, ``marker`` a name that only these routers answer with a
    private address.
    """

    id: str
    name: str
    steps: tuple[str, ...]
    lines: tuple[str, ...] = ()
    software: str = ""
    marker: str | None = None


_ZONE_TO_LIST = N_("Add {zone} to the list and save. It counts for all names below it.")
_RESTART = N_("A router may remember its earlier answer for an hour: restart it, or wait.")

ROUTERS = (
    Router(
        id="fritzbox",
        name="FRITZ!Box",
        steps=(
            N_(
                "Open http://fritz.box, then Home Network > Network > Network Settings, "
                "and there “DNS Rebind Protection” (in some versions under the additional settings)."
            ),
            _ZONE_TO_LIST,
            _RESTART,
        ),
        lines=("{zone}",),
        marker="fritz.box",
    ),
    Router(
        id="openwrt",
        name="OpenWrt",
        steps=(
            N_("Open Network > DHCP and DNS, and add {zone} to “Domain whitelist” below “Rebind protection”."),
            N_("Or type these lines on the router:"),
        ),
        lines=(
            "uci add_list dhcp.@dnsmasq[0].rebind_domain='{zone}'",
            "uci commit dhcp",
            "/etc/init.d/dnsmasq restart",
        ),
        software="dnsmasq",
        marker="openwrt.lan",
    ),
    Router(
        id="opnsense",
        name="OPNsense",
        steps=(
            N_("Open Services > Unbound DNS > Advanced, and add {zone} to “Private Domains”."),
            N_("Click Apply."),
        ),
        lines=("{zone}",),
        software="unbound",
    ),
    Router(
        id="pfsense",
        name="pfSense",
        steps=(
            N_(
                "Open Services > DNS Resolver > General Settings, click “Display Custom Options”, "
                "and add these two lines; then save and apply."
            ),
            N_("Where the DNS Forwarder is used instead, its custom options take: rebind-domain-ok=/{zone}/"),
        ),
        lines=("server:", 'private-domain: "{zone}"'),
        software="unbound",
    ),
    Router(
        id="unbound",
        name="unbound",
        steps=(N_("Add this line to the part “server:” of unbound.conf, then run: unbound-control reload"),),
        lines=('private-domain: "{zone}"',),
        software="unbound",
    ),
    Router(
        id="pihole",
        name="Pi-hole",
        steps=(
            N_(
                "Open Settings > All settings > Miscellaneous, and add this line to “misc.dnsmasq_lines”. "
                "Before version 6: put it into a file of its own in /etc/dnsmasq.d and restart the DNS of Pi-hole."
            ),
            N_("If it still is not found, the DNS server that Pi-hole asks hides it: choose another one under DNS."),
        ),
        lines=("rebind-domain-ok=/{zone}/",),
        software="dnsmasq-pi-hole",
        marker="pi.hole",
    ),
    Router(
        id="dnsmasq",
        name="dnsmasq, DD-WRT, FreshTomato",
        steps=(
            N_(
                "Add this line to dnsmasq.conf and restart dnsmasq. DD-WRT takes it under Services, "
                "in “Additional Dnsmasq Options”; FreshTomato under Advanced > DHCP/DNS, "
                "in “Dnsmasq custom configuration”."
            ),
        ),
        lines=("rebind-domain-ok=/{zone}/",),
        software="dnsmasq",
    ),
    Router(
        id="edgeos",
        name="Ubiquiti EdgeRouter",
        steps=(N_("Type these lines on the router, one after the other:"),),
        lines=(
            "configure",
            "set service dns forwarding options rebind-domain-ok=/{zone}/",
            "commit",
            "save",
        ),
        software="dnsmasq",
    ),
    Router(
        id="asus",
        name="ASUS",
        steps=(
            N_(
                "Open WAN > Internet Connection and set “Enable DNS Rebind protection” to No. "
                "The router has no list of exceptions: this opens it for all names."
            ),
            N_("With Asuswrt-Merlin, add this line to /jffs/configs/dnsmasq.conf.add instead and restart the router."),
        ),
        lines=("rebind-domain-ok=/{zone}/",),
        software="dnsmasq",
        marker="router.asus.com",
    ),
    Router(
        id="speedport",
        name="Speedport",
        steps=(
            N_("Open the settings of the network, there the protection against DNS rebinding (“DNS-Rebind-Schutz”)."),
            _ZONE_TO_LIST,
            _RESTART,
        ),
        lines=("{zone}",),
        marker="speedport.ip",
    ),
)
"""The families, most likely first; where two match, the first one counts."""

MARKERS = tuple(router.marker for router in ROUTERS if router.marker is not None)
"""The names to ask a router for, to see which family it is."""

OTHER_STEPS = (
    N_(
        "In a router that is not listed, look for “DNS rebinding”, “rebind protection” or “private answers” "
        "in its settings for DNS, and allow {zone}. Some routers of Internet providers cannot do that."
    ),
    N_(
        "In the settings for DHCP, enter a public DNS server for the devices of the shop: 9.9.9.9, 1.1.1.1 or 8.8.8.8. "
        "They get it when they next join the network."
    ),
    N_("Or enter a public DNS server by hand in the network settings of each device that opens the homepage."),
)
"""What helps with every router."""


def filled(lines: tuple[str, ...], zone: str) -> list[str]:
    """Give the lines to type for a zone; a name of a zone has no sign that means something to a shell."""
    return [line.replace("{zone}", zone) for line in lines]


def families(software: str, has_private_answer: Callable[[str], bool]) -> tuple[Router, ...]:
    """Tell which families it can be, from what the router says of its software and of names that only some know.

    Most routers run one of two programs; none when nothing is told.
    """
    for router in ROUTERS:
        if router.marker is not None and has_private_answer(router.marker):
            return (router,)
    fitting = {
        router: len(router.software) for router in ROUTERS if router.software and software.startswith(router.software)
    }
    return tuple(router for router, length in fitting.items() if length == max(fitting.values()))
