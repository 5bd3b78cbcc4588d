"""Runs the doctor on the host it is started on, as often as each line of its input asks, and tells what it found."""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from lancert.box.client import Client
from lancert.box.diagnosis import name_resolves
from lancert.box.diagnosis.doctor import Patient, diagnose
from lancert.box.diagnosis.resolvers import look_up, resolvers_of_this_machine
from lancert.box.diagnosis.result import Verdict
from lancert.box.facts import BoxFacts, Enrolment, Ports
from lancert.box.folder import Folder
from lancert.box.gathering import facts_on_disk
from lancert.kit.clock import SystemClock
from lancert.protocol.messages import Kind
from lancert.protocol.names import Label, address_name, parse_zone


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        run = _whole if asked.get("whole") else _name_of_box if "folder" in asked else _name
        sys.stdout.write(json.dumps([asyncio.run(run(asked)) for _ in range(asked["runs"])]) + "\n")
        sys.stdout.flush()


async def _name(asked: dict[str, Any]) -> dict[str, Any]:
    """Check the name of a box that is not there otherwise."""
    label, zone, address = Label(asked["label"]), parse_zone(asked["zone"]), ip_address(asked["address"])
    facts = BoxFacts(
        name="till",
        kind=Kind.BOX,
        ports=Ports(http=80, https=443),
        enrolment=Enrolment(box="box-1", label=label, zone=zone),
        addresses=(address,),
    )
    began = asyncio.get_running_loop().time()
    found = (await name_resolves.check(facts, resolvers_of_this_machine())).document(str)
    took = timedelta(seconds=asyncio.get_running_loop().time() - began)
    return {**found, "took": took.total_seconds(), "is_found": await _is_found(address_name(address, label, zone))}


async def _is_found(name: str) -> bool:
    try:
        return bool(await look_up(name))
    except OSError:
        return False


async def _name_of_box(asked: dict[str, Any]) -> dict[str, Any]:
    found = await name_resolves.check(_patient(asked).facts, resolvers_of_this_machine())
    return {"alarms": [] if found.verdict is Verdict.FINE else [f"{found.check} {found.because}"]}


async def _whole(asked: dict[str, Any]) -> dict[str, Any]:
    findings = await diagnose(_patient(asked))
    return {"alarms": [f"{one.check} {one.because}" for one in findings if one.verdict is not Verdict.FINE]}


def _patient(asked: dict[str, Any]) -> Patient:
    folder, clock = Folder(Path(asked["folder"])), SystemClock()
    facts = facts_on_disk(folder, name="till", kind=Kind.BOX)
    assert facts.server is not None
    return Patient(
        facts=replace(facts, ports=folder.listening() or facts.ports),
        folder=folder,
        client=Client(facts.server, folder.roots(), clock),
        now=clock.now(),
        shown=clock.now(),
        own_host="127.0.0.1",
        writes=False,
    )


if __name__ == "__main__":
    main()
