"""The page for whoever looks after the router: what to change so that it answers names with private addresses.

Looking is free and tells nothing about this network: every family is shown, the diagnosis says which one is there.
"""

from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer
from lancert.box.homepage.visit import Visit


async def show_routers(visit: Visit) -> Answer:
    """Draw the page; before the first certificate it has no zone to name."""
    from lancert.box.diagnosis.routers import OTHER_STEPS, ROUTERS, filled  # what no other page needs

    say, spaces = visit.speech.say, visit.facts.name_spaces
    zone = spaces[0].zone if spaces else None
    return draw(
        "routers.html",
        visit.speech,
        name=visit.facts.name,
        zone=zone,
        routers=[
            {
                "id": router.id,
                "name": router.name,
                "steps": [say(step, zone=zone) for step in router.steps],
                "lines": filled(router.lines, zone),
            }
            for router in ROUTERS
        ]
        if zone
        else [],
        others=[say(step, zone=zone) for step in OTHER_STEPS] if zone else [],
    )
