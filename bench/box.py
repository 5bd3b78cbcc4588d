"""The box: from process start to the first HTTPS handshake with a stored certificate, and resident memory.

Bare uvicorn with TLS, serving the same file to the same client, is measured in turn in the same run. Both run as
installed: what Python compiles it compiles once, in a start that is not counted.
"""

import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from lancert.box.facts import Enrolment, Server
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
from lancert.kit.settings import environment_without_settings
from lancert.protocol.certificate import public_bytes, read_chain
from lancert.protocol.names import DEMO_ZONE, certificate_names, new_label, stable_name
from lancert.service.authority.creation import create_authority
from lancert.service.authority.embedded import open_authority

ROUNDS = 9
PAGES = 200
EVERYTHING = ("/qr.svg", "/style.css", "/browser.js", "/cogs", "/cogs/server", "/cogs/log", "/cogs/diagnosis")
"""What else a visitor with a browser comes by."""

PATIENCE = 10.0

BARE = """
import sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
file, port = sys.argv[1:]
uvicorn.run(app, host="127.0.0.1", port=int(port), http="h11", ws="none", lifespan="off", log_level="critical",
            ssl_certfile=file)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        folder, name, root = prepared(place)
        file = CertificateStore(folder.certificates).check() and next(folder.certificates.glob("generation-*.pem"))
        as_installed = {**environment_without_settings(), "PYTHONPYCACHEPREFIX": str(place / "compiled")}
        as_installed.pop("PYTHONDONTWRITEBYTECODE", None)

        def start(command: Callable[[int, int], list[str]], *, has_pages: bool) -> tuple[float, ...]:
            return measured(command, as_installed, name, root, has_pages=has_pages)

        box: list[tuple[float, ...]] = []
        bare: list[tuple[float, ...]] = []
        for _ in range(1 + ROUNDS):
            bare.append(start(lambda _http, https: bare_command(file, https), has_pages=False))
            box.append(start(lambda http, https: box_command(folder, http, https), has_pages=True))
    print(f"box, median of {ROUNDS} starts                   box   bare uvicorn with TLS")
    rows = (
        "start to first HTTPS handshake, s",
        "resident then, MB",
        f"resident after {PAGES} homepages, MB",
        "resident after all other pages, MB",
    )
    for row, ours, theirs in zip(rows, zip(*box[1:], strict=True), zip(*bare[1:], strict=True), strict=True):
        print(f"  {row:<36} {statistics.median(ours):7.2f} {statistics.median(theirs):7.2f}")


def prepared(place: Path) -> tuple[Folder, str, Path]:
    """Make a box that has a certificate; give its folder, its stable name and the root it leads to."""
    now, label = datetime.now(UTC), new_label()
    create_authority(place / "authority", DEMO_ZONE, now=now)
    authority = open_authority(place / "authority", DEMO_ZONE, now=now)
    folder = Folder(place / "box")
    # Nobody answers there: what is measured is a box that starts while the service is away.
    folder.connect(Server(url="https://127.0.0.1:9"), [authority.root])
    folder.enrolled(Enrolment(box="bench", label=label, zone=DEMO_ZONE))
    key = ec.generate_private_key(ec.SECP256R1())
    plan = authority.plan(names=certificate_names(label, DEMO_ZONE), public_key=public_bytes(key.public_key()), now=now)
    chain = read_chain(authority.chain_pem(authority.sign(plan)).encode())
    CertificateStore(folder.certificates).install(key, chain, renewal_start=plan.not_after, renewal_end=plan.not_after)
    return folder, stable_name(label, DEMO_ZONE), place / "authority" / "root.pem"


def bare_command(file: object, port: int) -> list[str]:
    return [sys.executable, "-c", BARE, str(file), str(port)]


def box_command(folder: Folder, http: int, https: int) -> list[str]:
    ports = ["--http-port", str(http), "--https-port", str(https)]
    return [
        *(sys.executable, "-m", "lancert", "box", "run", "--folder", str(folder.path)),
        *("--listen", "127.0.0.1", "--address", "127.0.0.1", *ports),
    ]


def measured(
    command: Callable[[int, int], list[str]], environment: dict[str, str], name: str, root: Path, *, has_pages: bool
) -> tuple[float, ...]:
    """Start a program; give seconds to the first handshake, and megabytes resident then and after its pages."""
    http, https = free_port(), free_port()
    context = ssl.create_default_context(cafile=root)
    began = time.perf_counter()
    process = subprocess.Popen(
        command(http, https), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        while not shakes_hands(https, name, context):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise RuntimeError("the program measured did not serve")
            time.sleep(0.002)
        seconds, at_first = time.perf_counter() - began, resident(process.pid)
        if not has_pages:
            return seconds, at_first, at_first, at_first
        fetch(http, ["/"] * PAGES)
        after_pages = resident(process.pid)
        fetch(http, EVERYTHING)
        return seconds, at_first, after_pages, resident(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def fetch(port: int, paths: Sequence[str]) -> None:
    """Fetch pages, each over a connection of its own."""
    for path in paths:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).read()


def shakes_hands(port: int, name: str, context: ssl.SSLContext) -> bool:
    """Say whether a strict TLS handshake succeeds now."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as tcp:
            context.wrap_socket(tcp, server_hostname=name).close()
    except OSError:
        return False
    return True


def resident(pid: int) -> float:
    """Give the resident memory of a process in megabytes (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS")


if __name__ == "__main__":
    main()
