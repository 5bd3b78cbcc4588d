"""Why a load can fail before the service has judged: each way from the box to the server, and the disk under it.

All of them are causes of ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION (see ``problems``). The network's are told apart by how
far a request came, the disk's by the number of the error alone; a disk that refuses a certificate is never shown as a
network that is down (docs/decisions/0008).
"""

from dataclasses import dataclass

from lancert.kit.language import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One way a problem comes about; ``id`` is public and permanent.

    ``title`` and ``instead`` take the place of the problem's own title and meaning where those would not be true.
    """

    id: str
    meaning: str
    remedy: tuple[str, ...]
    title: str | None = None
    instead: str | None = None


NETWORK_CAUSES = (
    Cause(
        id="name-unknown",
        meaning=N_("The name of {server} is not known to the name server of this network."),
        remedy=(
            N_("Check the server address for typing mistakes under cogs, Server."),
            N_("Check that this network has Internet access and a working DNS server."),
            N_("If the server has a private address, exempt its name from the router's DNS rebinding protection."),
        ),
    ),
    Cause(
        id="name-server-down",
        meaning=N_("The name server of this network does not answer, so {server} cannot be looked up."),
        remedy=(N_("Check the Internet connection and the DNS server that the router hands out."),),
    ),
    Cause(
        id="name-server-failed",
        meaning=N_("The name server of this network answers, but it cannot look up {server}."),
        remedy=(
            N_("Check the Internet connection of the router: a name server without one answers like this."),
            N_("Check which DNS server the router asks, or have it use another one, such as 9.9.9.9."),
        ),
    ),
    Cause(
        id="no-route",
        meaning=N_("There is no way from this network to {server}: the Internet connection or the host is down."),
        remedy=(N_("Check the network cable or Wi-Fi and the Internet connection of the router."),),
    ),
    Cause(
        id="other-ip-version",
        meaning=N_("{server} has addresses of IP version {needed} only, and this network has version {here} only."),
        remedy=(
            N_("Have version {needed} set up in this network, or NAT64 with DNS64 in a network of version 6 only."),
            N_("Or ask the operator of the service for an address of version {here}."),
        ),
    ),
    Cause(
        id="refused",
        meaning=N_("{server} refused the connection: the service is not running, or a firewall rejects it."),
        remedy=(
            N_("Ask the operator of the service whether it is running."),
            N_("Allow outgoing HTTPS connections from this IoT system in the firewall."),
        ),
    ),
    Cause(
        id="timeout",
        meaning=N_("{server} did not answer in time. Typically a firewall drops the connection silently."),
        remedy=(
            N_("Allow outgoing HTTPS connections from this IoT system in the firewall or router."),
            N_("Check whether a VPN or a content filter stands in between."),
        ),
    ),
    Cause(
        id="port-blocked",
        meaning=N_("{server} can be reached, but not on port {port}: a firewall drops what goes to that port."),
        remedy=(N_("Allow outgoing connections to port {port} from this IoT system in the firewall or router."),),
    ),
    Cause(
        id="forbidden",
        meaning=N_("The firewall at {firewall} forbids connections to {server}."),
        remedy=(
            N_("Allow outgoing HTTPS connections from this IoT system to {server} in that firewall."),
            N_("If {firewall} is the address of the service itself, ask its operator."),
        ),
    ),
    Cause(
        id="broken-off",
        meaning=N_(
            "The connection to {server} was broken off before an answer came: the service is down "
            "or something in between cuts connections."
        ),
        remedy=(
            N_("Ask the operator of the service whether it is running."),
            N_("Check whether a firewall or proxy inspects HTTPS connections."),
        ),
    ),
    Cause(
        id="untrusted",
        meaning=N_("Whoever answered for {server} could not prove to be it: its certificate is not trusted."),
        remedy=(
            N_("Check that the server address and the root fingerprint are the ones you were given."),
            N_("A firewall that inspects HTTPS causes this too: exempt {server} from inspection."),
        ),
    ),
    Cause(
        id="clock",
        meaning=N_("The clock of this IoT system is wrong, so certificates seem invalid."),
        remedy=(N_("Set date and time, or allow NTP (UDP port 123) through the firewall."),),
    ),
    Cause(
        id="captive-portal",
        meaning=N_("A sign-in page of the network answered instead of {server}."),
        remedy=(N_("Sign this IoT system in to the network, or exempt it from the sign-in page."),),
    ),
    Cause(
        id="proxy",
        meaning=N_("The proxy {proxy} does not let the connection to {server} through; it answered {status}."),
        remedy=(N_("Allow connections from this IoT system to {server} in the proxy {proxy}."),),
    ),
    Cause(
        id="proxy-setting",
        meaning=N_("The proxy that is set on this IoT system is not the address of an HTTP proxy."),
        remedy=(
            N_("Write it as http://host:port or http://name:password@host:port, or set none."),
            N_("It is the setting proxy of this IoT system, or HTTPS_PROXY in its environment."),
        ),
    ),
    Cause(
        id="proxy-unreachable",
        meaning=N_("The proxy {proxy} could not be reached, so neither could {server}."),
        remedy=(
            N_("Check that the proxy {proxy} is running and that its address is right."),
            N_("If this network needs no proxy, take it out of the settings of this IoT system."),
        ),
    ),
    Cause(
        id="proxy-sign-in",
        meaning=N_("The proxy {proxy} wants a name and a password, and does not take what it was given, if any."),
        remedy=(
            N_("Set the proxy as http://name:password@host:port, or exempt this IoT system in the proxy {proxy}."),
            N_("Only the plain way of signing in (Basic) is spoken, not NTLM or Kerberos."),
        ),
    ),
    Cause(
        id="proxy-cannot-reach",
        meaning=N_("The proxy {proxy} could not reach {server} either; it answered {status}."),
        remedy=(
            N_("Check the Internet connection and the name server of the proxy {proxy}."),
            N_("Ask the operator of the service whether it is running."),
        ),
    ),
    Cause(
        id="not-a-proxy",
        meaning=N_("Whoever answers at {proxy} is not an HTTP proxy."),
        remedy=(N_("Check the address and the port of the proxy in the settings of this IoT system."),),
    ),
    Cause(
        id="proxy-broken-off",
        meaning=N_("The proxy {proxy} broke off the connection to {server}."),
        remedy=(N_("Check that the proxy {proxy} works, and that it allows connections to {server}."),),
    ),
)

_NOT_STORED = N_("The new certificate could not be stored. The one in use, if there is one, is served until it ends.")

DISK_CAUSES = (
    Cause(
        id="disk-full",
        title=N_("The disk of this IoT system is full"),
        instead=_NOT_STORED,
        meaning=N_("There is no room left where this IoT system keeps its certificates, or for no more files."),
        remedy=(
            N_("Make room on the disk of this IoT system, for instance by removing files nobody needs."),
            N_("Then wait a minute: it goes on by itself."),
        ),
    ),
    Cause(
        id="disk-read-only",
        title=N_("The disk of this IoT system can only be read"),
        instead=_NOT_STORED,
        meaning=N_("Nothing can be written where this IoT system keeps its certificates."),
        remedy=(
            N_("Restart the IoT system once."),
            N_("If this comes back, replace the disk or the memory card: a worn one lets itself only be read."),
        ),
    ),
    Cause(
        id="disk-no-right",
        title=N_("The agent may not write into its own folder"),
        instead=_NOT_STORED,
        meaning=N_("The folder of this IoT system, or a file in it, belongs to another account."),
        remedy=(N_("Give the folder, with all that is in it, back to the account of the agent (chown -R)."),),
    ),
    Cause(
        id="disk-failing",
        title=N_("The disk of this IoT system reports errors"),
        instead=_NOT_STORED,
        meaning=N_("What was written could not be kept or not be read back."),
        remedy=(
            N_("Replace the disk or the memory card of the IoT system soon."),
            N_("Keep its connection token ready: it is needed for the new one."),
        ),
    ),
)

UNEXPECTED = Cause(
    id="unexpected",
    meaning=N_("Something unexpected went wrong on the way to {server}. Reference in the log: {reference}."),
    remedy=(N_("Send the log to your support, with the reference."),),
)

REQUEST_CAUSES = (*NETWORK_CAUSES, *DISK_CAUSES, UNEXPECTED)
