"""The facts of a box read from its folder, for a command beside the agent or without one."""

from lancert.box import network
from lancert.box.facts import BoxFacts, Ports
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
from lancert.protocol.messages import Kind
from lancert.protocol.names import Address

DEFAULT_PORTS = Ports(http=80, https=443)


def facts_on_disk(folder: Folder, *, name: str, kind: Kind, addresses: tuple[Address, ...] = ()) -> BoxFacts:
    """Gather what the folder says; nothing is changed in it."""
    return BoxFacts(
        name=name,
        kind=kind,
        ports=folder.listening() or DEFAULT_PORTS,
        server=folder.server(),
        credential=folder.credential(),
        enrolment=folder.enrolment(),
        stored=CertificateStore(folder.certificates).look(),
        last_try=folder.last_try(),
        addresses=addresses or network.addresses(),
        log_level=folder.log_level(),
    )
