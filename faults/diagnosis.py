"""F-43, F-44: whether the doctor tells a router that hides private answers from everything else, with real resolvers.

Box, router and Internet are hosts of their own (network namespaces). On the router stand dnsmasq and unbound, plain,
filtering, filtering with an exception, rewriting, blocking, forwarding over TLS or gone, and the Internet fails in its
own ways; each case has one right verdict. systemd-resolved stands on the box where that program is there. Then the
whole doctor runs a thousand times where nothing is wrong. The control is the doctor most programs have: a name that is
not found is called hidden.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.netns import ROUTER

from faults._shop import (
    INTERNET,
    LABEL,
    PUBLIC,
    STUB,
    UNKNOWN,
    ZONE,
    Names,
    Shop,
    Till,
    resolved_here,
    shop,
    till,
    zone_on,
)
from faults._table import NotPossibleHere, Row
from lancert.protocol.names import Label

NORMAL_RUNS = 1000
LOSSY_RUNS = 200
RUNS_OF_A_FILTER = 50
_NO_DNS_OUT = (
    'chain forward { type filter hook forward priority 0; iifname "lan" udp dport 53 drop; '
    'iifname "lan" tcp dport 53 drop; }'
)
_TAKEN_OVER = 'chain pre { type nat hook prerouting priority -100; iifname "lan" udp dport 53 redirect; }'
_NO_DNS_IN = "chain input { type filter hook input priority 0; udp dport 53 drop; tcp dport 53 drop; }"
_ZONE_SILENT = (
    f"chain input {{ type filter hook input priority 0; ip daddr {INTERNET} udp dport 53 drop; "
    f"ip daddr {INTERNET} tcp dport 53 drop; }}"
)
_ROUTER_ONLY_OVER_TLS = (
    "chain input { type filter hook input priority 0; ip saddr 198.51.100.1 udp dport 53 drop; "
    "ip saddr 198.51.100.1 tcp dport 53 drop; }"
)
_LOSES_ONE_IN_TWENTY = "chain input { type filter hook input priority 0; numgen random mod 20 0 drop; }"
_OWN = "192.168.1.{number}"
_OWN6 = "fd12:3456:0:1::{number}"
_HIDES, _ALLOWS = "--stop-dns-rebind", f"--rebind-domain-ok=/{ZONE}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One situation and its one right verdict; ``asks`` are the servers of the box, ``wan`` the way out."""

    name: str
    wanted: str
    router: Callable[[Shop], None]
    asks: tuple[str, ...] = (ROUTER[0],)
    firewall: str = ""
    internet: str = ""
    wan: bool = True
    label: Label = LABEL
    zone: str = ZONE
    address: str = _OWN
    after: Callable[[Shop, Names, dict[str, Any]], None] | None = None
    is_quick: bool = True


def _dnsmasq(*options: str, knows_zone: bool = True) -> Callable[[Shop], None]:
    return lambda network: network.dnsmasq(*options, knows_zone=knows_zone)


def _unbound(*lines: str, private: bool, over_tls: bool = False) -> Callable[[Shop], None]:
    return lambda network: network.unbound(*lines, private=private, over_tls=over_tls)


def _resolved(*options: str) -> Callable[[Shop], None]:
    def start(network: Shop) -> None:
        network.dnsmasq(*options)
        network.resolved()

    return start


def _nobody(network: Shop) -> None:
    network.nobody()


def _asked_before_it_was_known(network: Shop, names: Names, about: dict[str, Any]) -> None:
    """Have the router remember that the name does not exist."""
    names.know()
    network.asker.runs(**about)
    names.know(LABEL)


_PRIVATE_DOMAIN = f'private-domain: "{ZONE}"'

CASES = (
    Case(name="dnsmasq", wanted="fine", router=_dnsmasq()),
    Case(name="dnsmasq that hides", wanted="filtered", router=_dnsmasq(_HIDES)),
    Case(name="dnsmasq that hides, with the exception", wanted="fine", router=_dnsmasq(_HIDES, _ALLOWS)),
    Case(name="dnsmasq that asks another resolver", wanted="fine", router=_dnsmasq(knows_zone=False)),
    Case(name="the same, and it hides", wanted="filtered", router=_dnsmasq(_HIDES, knows_zone=False)),
    Case(name="unbound", wanted="fine", router=_unbound(private=False)),
    Case(name="unbound that hides", wanted="filtered", router=_unbound(private=True)),
    Case(name="unbound that hides, with the exception", wanted="fine", router=_unbound(_PRIVATE_DOMAIN, private=True)),
    Case(
        name="unbound that forwards over TLS",
        wanted="fine",
        router=_unbound(private=False, over_tls=True),
        internet=_ROUTER_ONLY_OVER_TLS,
    ),
    Case(
        name="unbound that forwards over TLS, and hides",
        wanted="filtered",
        router=_unbound(private=True, over_tls=True),
        internet=_ROUTER_ONLY_OVER_TLS,
    ),
    Case(
        name="unbound where only TLS would get through",
        wanted="dns-down",
        router=_unbound(private=False),
        internet=_ROUTER_ONLY_OVER_TLS,
        is_quick=False,
    ),
    Case(name="dnsmasq, IPv6", wanted="fine", router=_dnsmasq(), address=_OWN6, asks=(ROUTER[1],)),
    Case(name="dnsmasq that hides, IPv6", wanted="filtered", router=_dnsmasq(_HIDES), address=_OWN6, asks=(ROUTER[1],)),
    Case(name="unbound that hides, IPv6", wanted="filtered", router=_unbound(private=True), address=_OWN6),
    Case(name="the first of two hides", wanted="filtered", router=_dnsmasq(_HIDES), asks=(ROUTER[0], PUBLIC)),
    Case(name="the second of two hides", wanted="fine", router=_dnsmasq(_HIDES), asks=(PUBLIC, ROUTER[0])),
    Case(name="the router hides, and is not asked", wanted="fine", router=_dnsmasq(_HIDES), asks=(PUBLIC,)),
    Case(name="it hides and takes over all DNS", wanted="filtered", router=_dnsmasq(_HIDES), firewall=_TAKEN_OVER),
    Case(
        name="it hides, and no DNS leaves the shop",
        wanted="filtered",
        router=_dnsmasq(_HIDES),
        firewall=_NO_DNS_OUT,
        is_quick=False,
    ),
    Case(
        name="unbound hides, and no DNS leaves the shop",
        wanted="filtered",
        router=_unbound(private=True),
        firewall=_NO_DNS_OUT,
        is_quick=False,
    ),
    Case(name="a withdrawn name", wanted="unknown", router=_dnsmasq(), label=UNKNOWN),
    Case(name="a withdrawn name, and it hides", wanted="unknown", router=_dnsmasq(_HIDES), label=UNKNOWN),
    Case(
        name="a withdrawn name, it hides and takes over all DNS",
        wanted="unknown",
        router=_dnsmasq(_HIDES),
        label=UNKNOWN,
        firewall=_TAKEN_OVER,
    ),
    Case(
        name="a withdrawn name, and no DNS leaves the shop",
        wanted="unknown",
        router=_unbound(private=True),
        label=UNKNOWN,
        firewall=_NO_DNS_OUT,
        is_quick=False,
    ),
    Case(
        name="a name that was not known a moment ago",
        wanted="remembered",
        router=_dnsmasq(),
        after=_asked_before_it_was_known,
    ),
    Case(name="a zone nobody knows", wanted="unknown-zone", router=_dnsmasq(), zone="iot.nowhere.example"),
    Case(
        name="the zone is on a block list",
        wanted="filtered-zone",
        router=_dnsmasq(f"--local=/{ZONE}/", knows_zone=False),
    ),
    Case(name="the same, answered with 0.0.0.0", wanted="filtered-zone", router=_dnsmasq(f"--address=/{ZONE}/0.0.0.0")),
    Case(
        name="a name that is rewritten",
        wanted="wrong-address",
        router=_dnsmasq(f"--address=/{LABEL}.{ZONE}/10.9.9.9"),
    ),
    Case(
        name="every name is rewritten",
        wanted="wrong-address-everywhere",
        router=_dnsmasq("--address=/#/203.0.113.66", knows_zone=False),
    ),
    Case(name="nobody at the address of the resolver", wanted="dns-down", router=_nobody, is_quick=False),
    Case(
        name="a resolver behind a closed door", wanted="dns-down", router=_nobody, firewall=_NO_DNS_IN, is_quick=False
    ),
    Case(
        name="the zone's own servers are silent",
        wanted="dns-down-zone",
        router=_dnsmasq(),
        internet=_ZONE_SILENT,
        is_quick=False,
    ),
    Case(
        name="the same behind unbound that hides",
        wanted="dns-down-zone",
        router=_unbound(private=True),
        internet=_ZONE_SILENT,
        is_quick=False,
    ),
    Case(name="no way to the Internet", wanted="dns-down-all", router=_dnsmasq(), wan=False, is_quick=False),
    Case(
        name="the same, and it hides", wanted="dns-down-all", router=_unbound(private=True), wan=False, is_quick=False
    ),
)
BEHIND_RESOLVED = (
    Case(name="systemd-resolved", wanted="fine", router=_resolved(), asks=(STUB,)),
    Case(name="systemd-resolved, dnsmasq hides", wanted="filtered", router=_resolved(_HIDES), asks=(STUB,)),
    Case(name="the same, with the exception", wanted="fine", router=_resolved(_HIDES, _ALLOWS), asks=(STUB,)),
)
"""What is played where systemd-resolved is there; it is no program the tests install, as it takes over the machine."""
_WELL = tuple(case for case in CASES if case.wanted == "fine" and case.address == _OWN)


@contextmanager
def network() -> Iterator[tuple[Shop, Names]]:
    """Make the network in which the cases play."""
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder)) as made, zone_on(made.site.service) as names:
        yield made, names


def verdict(case: Case, number: int, made: Shop, names: Names) -> tuple[str, str]:
    """Play a case: what the doctor says, and what the control says.

    ``number`` makes the name one that no resolver has in its memory.
    """
    _set_up(case, made)
    about: dict[str, Any] = {"label": case.label, "zone": case.zone, "address": case.address.format(number=number)}
    if case.after is not None:
        case.after(made, names, about)
    (found,) = made.asker.runs(**about)
    return found["because"], "fine" if found["is_found"] else "filtered"


def _set_up(case: Case, made: Shop) -> None:
    # The resolver is started while it can be reached, so that it is known to run.
    site = made.site
    site.router.firewall("")
    site.service.firewall("")
    if case.wan:
        site.router.sh("ip link set wan up\nip route replace default via 198.51.100.10")
    case.router(made)
    made.asks(*case.asks)
    site.router.firewall(case.firewall)
    site.service.firewall(case.internet)
    if not case.wan:
        site.router.sh("ip link set wan down")


def play(cases: Sequence[Case]) -> tuple[list[str], int]:
    """Play cases; give those with a wrong verdict, in words, and how many the control gets wrong."""
    wrong, wrong_by_control = [], 0
    with network() as (made, names):
        for number, case in enumerate(cases, 10):
            said, by_control = verdict(case, number, made, names)
            if said != case.wanted:
                wrong.append(f"{case.name}: {said} instead of {case.wanted}")
            wrong_by_control += by_control != case.wanted
    return wrong, wrong_by_control


def recognised(cases: Sequence[Case], runs: int) -> tuple[int, list[str]]:
    """Ask again and again in each case: how often, and what was said other than what is right."""
    others = []
    with network() as (made, _):
        for case in cases:
            _set_up(case, made)
            about: dict[str, Any] = {"label": case.label, "zone": case.zone, "address": case.address.format(number=5)}
            said = [found["because"] for found in made.asker.runs(runs, **about)]
            others += [f"{case.name}: {one}" for one in said if one != case.wanted]
    return runs * len(cases), others


def false_alarms(runs: int, lossy: int) -> tuple[int, list[str]]:
    """Run the whole doctor where nothing is wrong: how often it ran, and every alarm.

    The runs are spread over all the resolvers that hide nothing of this zone; ``lossy`` more ask for the name over a
    cable that loses one packet in twenty.
    """
    with tempfile.TemporaryDirectory() as folder, till(Path(folder)) as living:
        alarms = []
        for case in _WELL:
            _set_up(case, living.shop)
            alarms += _alarms(living, case, runs // len(_WELL) + 1, "folder")
        _set_up(CASES[0], living.shop)
        living.shop.site.box.firewall(_LOSES_ONE_IN_TWENTY)
        alarms += _alarms(living, CASES[0], lossy, "name")
    return (runs // len(_WELL) + 1) * len(_WELL) + lossy, alarms


def _alarms(living: Till, case: Case, runs: int, what: str) -> list[str]:
    about: dict[str, Any] = {"folder": str(living.folder), "whole": what == "folder"}
    found = living.shop.asker.runs(runs, **about)
    return [f"{case.name}: {one['alarms']}" for one in found if one["alarms"]]


def _behind_resolved() -> Row:
    about: dict[str, Any] = {"case": "behind systemd-resolved", "at_least": len(BEHIND_RESOLVED) * RUNS_OF_A_FILTER}
    try:
        resolved_here()
    except NotPossibleHere as error:
        return Row(**about, states=0, broken=0, found=f"NOT DONE, {error}")
    asked, missed = recognised(BEHIND_RESOLVED, RUNS_OF_A_FILTER)
    return Row(**about, states=asked, broken=len(missed), found="; ".join(missed[:3]))


def rows() -> list[Row]:
    wrong, wrong_by_control = play(CASES)
    ran, alarms = false_alarms(NORMAL_RUNS, LOSSY_RUNS)
    hiding = [case for case in CASES if case.wanted == "filtered" and case.is_quick]
    asked, missed = recognised(hiding, RUNS_OF_A_FILTER)
    return [
        Row(
            case="doctor verdicts, every case",
            states=len(CASES),
            broken=len(wrong),
            at_least=len(CASES),
            found="; ".join(wrong) or f"{len(CASES)} of {len(CASES)} right",
        ),
        Row(
            case="a filter is recognised",
            states=asked,
            broken=len(missed),
            at_least=len(hiding) * RUNS_OF_A_FILTER,
            found="; ".join(missed[:3]),
        ),
        _behind_resolved(),
        Row(
            case="alarms where nothing is wrong",
            states=ran,
            broken=len(alarms),
            at_least=NORMAL_RUNS,
            found="; ".join(alarms[:3]),
        ),
        Row(
            case="not found means hidden",
            states=len(CASES),
            broken=wrong_by_control,
            is_control=True,
            found=f"{len(CASES) - wrong_by_control} of {len(CASES)} right",
        ),
    ]
