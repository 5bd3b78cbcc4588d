"""The facts of a box read from its folder, for a command beside the agent or without one."""

from lancert.box import network
from lancert.box.deploy.telling import told_without_agent
from lancert.box.facts import BoxFacts, Ports
from lancert.box.folder import Folder
from lancert.box.notices import Notice
from lancert.box.store import CertificateStore
from lancert.kit.logs import NORMAL
from lancert.protocol.messages import Kind
from lancert.protocol.names import Address

DEFAULT_PORTS = Ports(http=80, https=443)


def facts_on_disk(
    folder: Folder,
    *,
    name: str,
    kind: Kind,
    addresses: tuple[Address, ...] = (),
    notices: tuple[Notice, ...] = (),
    deploy: object = None,
) -> BoxFacts:
    """Gather what the folder says; nothing is changed in it.

    ``notices`` are those of the settings, ``deploy`` is what they say about other programs.
    """
    interfaces, found = network.look()
    chosen = folder.log_level()
    handed_over, more = told_without_agent(deploy, folder.hand_over())
    return BoxFacts(
        name=name,
        kind=kind,
        ports=folder.listening() or DEFAULT_PORTS,
        server=folder.server(),
        credential=folder.credential(),
        enrolment=folder.enrolment(),
        stored=CertificateStore(folder.certificates).look(),
        last_try=folder.last_try(),
        addresses=addresses or found,
        interfaces=() if addresses else interfaces,
        log_level=chosen.level if chosen else NORMAL,
        log_level_until=chosen.until if chosen else None,
        notices=(*notices, *folder.notices(), *more),
        handed_over=handed_over,
    )
