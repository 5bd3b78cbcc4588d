"""Hand-over beside certbot's own way of storing: readers that load key and chain meanwhile, and kills at every call.

certbot is Debian's, driven as itself through its storage module with pairs of ours; it is a measured peer, and both its
rows are for comparison. **Broken** for a reader is a pair that a web server would refuse to load; for a kill, that a
web server would not start then. certbot mends its links when it runs the next time; until then it does not start.
"""

import multiprocessing
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.authority import key_pem, pem
from tests.peers.killing import kill_everywhere

from faults._disk import tool
from faults._table import NotPossibleHere, Row
from faults._writers import Pair, a_pair, an_authority
from faults.handover import Box
from lancert.box.deploy.generations import Generations
from lancert.box.deploy.reading import parse_targets
from lancert.box.deploy.targets import Target

RENEWALS = 100
PAUSE = 0.1  # seconds between two renewals, which in life are weeks
_READERS = 2
_SYSTEM_PYTHON = "/usr/bin/python3"

_CERTBOT = """
import os, sys, time
from certbot import configuration
from certbot._internal import cli, storage
from certbot._internal.plugins import disco
folder, pairs, first, last, pause = *sys.argv[1:3], *map(int, sys.argv[3:5]), float(sys.argv[5])
folders = ["--config-dir", folder + "/etc", "--work-dir", folder + "/work", "--logs-dir", folder + "/log"]
config = configuration.NamespaceConfig(
    cli.prepare_and_parse_args(disco.PluginsRegistry.find_all(), ["certonly", *folders])
)
def pair(number):
    return [open(f"{pairs}/{number}/{name}.pem", "rb").read() for name in ("leaf", "key", "rest")]
if first == 0:
    os.makedirs(folder + "/etc")
    storage.RenewableCert.new_lineage("box", *pair(0), config)
    sys.exit()
lineage = storage.RenewableCert(folder + "/etc/renewal/box.conf", config)
for number in range(first, last + 1):
    new = pair(number)
    os.getppid()
    lineage.save_successor(lineage.latest_common_version(), *new, config)
    lineage.update_all_links_to(lineage.latest_common_version())
    os.getppid()
    time.sleep(pause)
"""
_OTHER_PYTHON = f"""
import os, sys
command = [{_SYSTEM_PYTHON!r}, "-B", "-c", {_CERTBOT!r}, *sys.argv[1:]]
os.execve(command[0], command, {{"PATH": "/usr/bin:/bin"}})
"""
_OURS = """
import os, sys, pathlib
from lancert.box.deploy.generations import Generations
from lancert.box.deploy.material import material_of
from lancert.box.deploy.reading import parse_targets
from lancert.box.store import CertificateStore
place = pathlib.Path(sys.argv[1])
(target,), _ = parse_targets([{"name": "app", "full_chain": f"{place}/tls/chain.pem", "key": f"{place}/tls/key.pem"}])
material = material_of(CertificateStore(place / "box" / "certificates").newest())
generations = Generations(target)
with generations.opened(place / "box"):
    os.getppid()
    generations.place(material)
    os.getppid()
"""

Load = Callable[[], None]
"""Loads key and chain once, as a certain kind of program does. Raises OSError, ssl.SSLError among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of storing and of reading."""

    name: str
    load: Load
    renew: Callable[[], None]
    is_compared: bool = False


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        return [
            *(_read_meanwhile(way) for way in _ways(place)),
            _killed_ours(place / "ours", by_hand=False),
            _killed_ours(place / "hand", by_hand=True),
            _killed_certbot(place / "certbot"),
        ]


def two_files(chain: Path, key: Path) -> Load:
    """Open one file and then the other, like nginx with ssl_certificate and ssl_certificate_key."""
    return lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)


def resolved(chain: Path, key: Path) -> Load:
    """Resolve one link, and take both files from where it leads: what the guide for applications says."""

    def load() -> None:
        folder = chain.resolve(strict=True).parent
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / chain.name, folder / key.name)

    return load


def through_nginx_file(file: Path) -> Load:
    """Read the file of ``nginx`` once, then what it names, like nginx with include."""

    def load() -> None:
        chain, key = (line.split()[1].rstrip(";") for line in file.read_text().splitlines())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)

    return load


def _ways(place: Path) -> Iterator[Way]:
    tls = place / "tls"
    files = {"full_chain": f"{tls}/chain.pem", "key": f"{tls}/key.pem", "nginx": f"{tls}/nginx.conf"}
    (target,), _ = parse_targets([{"name": "app", **files}])
    box = Box(place)
    _place(target, box)

    def renew() -> None:
        for _ in range(RENEWALS):
            _place(target, box)
            time.sleep(PAUSE)

    chain, key = tls / "chain.pem", tls / "key.pem"
    yield Way(name="lancert, read by the file for nginx", load=through_nginx_file(tls / "nginx.conf"), renew=renew)
    yield Way(name="lancert, one link resolved first", load=resolved(chain, key), renew=renew)
    yield Way(name="lancert, two files opened one by one", load=two_files(chain, key), renew=renew, is_compared=True)
    stored = place / "stored"
    _prepare_certbot(stored, RENEWALS)
    live = stored / "certbot" / "etc" / "live" / "box"
    yield Way(
        name="certbot, two files opened one by one",
        load=two_files(live / "fullchain.pem", live / "privkey.pem"),
        renew=lambda: _certbot(stored, 1, RENEWALS, PAUSE),
        is_compared=True,
    )


def _read_meanwhile(way: Way) -> Row:
    way.load()
    with _readers(way.load) as found:
        way.renew()
    counts = sum((Counter(one) for one in found), Counter[str]())
    reads = counts.pop("reads")
    return Row(
        case=f"{way.name}, {RENEWALS} renewals",
        states=reads,
        broken=counts.total(),
        at_least=RENEWALS,
        is_compared=way.is_compared,
        found=", ".join(f"{count} {what}" for what, count in counts.items()),
    )


@contextmanager
def _readers(load: Load) -> Iterator[list[dict[str, int]]]:
    """Keep processes loading without a pause; what they counted is in the list when the block has ended."""
    context = multiprocessing.get_context("fork")
    over, told = context.Event(), context.SimpleQueue()
    processes = [context.Process(target=_read_until, args=(load, over, told)) for _ in range(_READERS)]
    for process in processes:
        process.start()
    found: list[dict[str, int]] = []
    try:
        yield found
    finally:
        over.set()
        found.extend(told.get() for _ in processes)
        for process in processes:
            process.join()


def _read_until(load: Load, over: Any, told: Any) -> None:
    counts = Counter[str]()
    while not over.is_set():
        counts["reads"] += 1
        try:
            load()
        except ssl.SSLError as error:
            counts[(error.reason or "SSL error").lower().replace("_", " ")] += 1
        except OSError as error:
            counts[(error.strerror or "OS error").lower()] += 1
    told.put(dict(counts))


def _killed_ours(place: Path, *, by_hand: bool) -> Row:
    box = Box(place)
    files = {"full_chain": f"{place}/tls/chain.pem", "key": f"{place}/tls/key.pem"}
    (target,), _ = parse_targets([{"name": "app", **files}])
    old = box.renew()
    if by_hand:
        target.folder.mkdir(mode=0o755)
        for part, path in target.files:
            path.write_bytes(old.content(part))
    else:
        _place(target, box)
    box.renew()
    template = place / "template"
    shutil.copytree(target.folder, template, symlinks=True)
    load = two_files(target.folder / "chain.pem", target.folder / "key.pem")
    case = "lancert, killed at every system call" + (", over files put there by hand" if by_hand else "")
    return _killed(case, _OURS, target.folder, template, [str(place)], load)


def _killed_certbot(place: Path) -> Row:
    _prepare_certbot(place, 1)
    folder, template = place / "certbot", place / "template"
    shutil.copytree(folder, template, symlinks=True)
    live = folder / "etc" / "live" / "box"
    load = two_files(live / "fullchain.pem", live / "privkey.pem")
    arguments = [str(folder), str(place / "pairs"), "1", "1", "0"]
    return _killed("certbot, killed at every system call", _OTHER_PYTHON, folder, template, arguments, load)


def _killed(case: str, script: str, folder: Path, template: Path, arguments: Sequence[str], load: Load) -> Row:
    def prepare() -> Sequence[str]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder, symlinks=True)
        return arguments

    def judge() -> str:
        try:
            load()
        except OSError as error:
            return f"broken: {error}"
        return "whole"

    killed = kill_everywhere(tool("strace"), script, prepare=prepare, judge=judge, notes=folder.with_name("notes"))
    return Row(
        case=case,
        states=len(killed),
        broken=sum(one.verdict != "whole" for one in killed),
        at_least=20,
        is_compared=script is _OTHER_PYTHON,
    )


def _place(target: Target, box: Box) -> None:
    generations, material = Generations(target), box.renew()
    with generations.opened(box.folder):
        generations.place(material)
        generations.settle()


def _prepare_certbot(place: Path, renewals: int) -> None:
    """Write pairs for certbot, and let it store the first."""
    authority = an_authority()
    for number in range(renewals + 1):
        _write(place / "pairs" / str(number), a_pair(authority))
    _certbot(place, 0, 0, 0)


def _certbot(place: Path, first: int, last: int, pause: float) -> None:
    command = [_SYSTEM_PYTHON, "-c", _CERTBOT, str(place / "certbot"), str(place / "pairs")]
    if not Path("/usr/lib/python3/dist-packages/certbot").is_dir():
        raise NotPossibleHere("there is no certbot: apt-get install certbot")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([*command, str(first), str(last), str(pause)], check=True, env=clean)


def _write(folder: Path, pair: Pair) -> None:
    folder.mkdir(parents=True)
    (folder / "key.pem").write_bytes(key_pem(pair.key))
    (folder / "leaf.pem").write_bytes(pem(pair.chain[0]))
    (folder / "rest.pem").write_bytes(pem(*pair.chain[1:]))
