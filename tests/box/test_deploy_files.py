"""The files of a hand-over: old or new at every moment, put back when told, never where others can write."""

import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faults.handover import Box
from tests.peers.authority import key_pem, new_key

from lancert.box.deploy.generations import Generations
from lancert.box.deploy.material import Material
from lancert.box.deploy.places import NotAPlace
from lancert.box.deploy.reading import parse_targets
from lancert.box.deploy.targets import Target


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A store with an authority behind it."""
    return Box(tmp_path)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A target with every kind of file."""
    return _target(tmp_path / "tls")


def _target(folder: Path, **more: object) -> Target:
    files = {part: f"{folder}/{part}.pem" for part in ("certificate", "key", "chain", "full_chain", "combined")}
    (target,), complaints = parse_targets([{"name": "app", **files, **more}], is_posix=True)
    assert complaints == ()
    return target


def _place(target: Target, material: Material, box: Box) -> Generations:
    generations = Generations(target)
    with generations.opened(box.folder):
        generations.place(material)
        generations.settle()
    return generations


def _read(target: Target) -> dict[str, bytes]:
    return {part.value: path.read_bytes() for part, path in target.files}


def test_each_file_holds_what_its_name_says(target: Target, box: Box) -> None:
    """Certificate, chain, both, the key, and everything in one."""
    material = box.renew()
    _place(target, material, box)
    found = _read(target)

    assert found["full_chain"] == found["certificate"] + found["chain"]
    assert found["combined"] == found["full_chain"] + found["key"]
    assert found["certificate"].count(b"BEGIN CERTIFICATE") == 1
    assert b"PRIVATE KEY" in found["key"]
    assert all(b"PRIVATE KEY" not in found[name] for name in ("certificate", "chain", "full_chain"))
    assert Generations(target).are_right(material)


def test_only_files_with_the_key_are_closed_to_others(target: Target, box: Box) -> None:
    """I-4: whatever the umask, nobody but whom it is for can read the key, and anybody may read a certificate."""
    before = os.umask(0o077)
    try:
        _place(target, box.renew(), box)
    finally:
        os.umask(before)
    modes = {part.value: stat.S_IMODE(path.stat().st_mode) for part, path in target.files}

    assert modes == {"certificate": 0o644, "key": 0o600, "chain": 0o644, "full_chain": 0o644, "combined": 0o600}
    assert stat.S_IMODE(target.folder.stat().st_mode) == 0o755


def test_owner_group_and_mode_are_as_told(tmp_path: Path, box: Box) -> None:
    """A program that runs as its own account reads by its group; another wish later is fulfilled too."""
    _place(_target(tmp_path / "tls"), material := box.renew(), box)
    told = _target(tmp_path / "tls", owner=os.geteuid(), group=os.getegid(), mode="0640")

    assert not Generations(told).are_right(material)
    _place(told, material, box)
    assert Generations(told).are_right(material)
    assert stat.S_IMODE((told.folder / "key.pem").stat().st_mode) == 0o640


@pytest.mark.parametrize("wish", [{"owner": "no-such-account"}, {"group": "no-such-group"}])
def test_an_account_that_is_not_here_is_named(tmp_path: Path, box: Box, wish: dict[str, str]) -> None:
    """Nothing is written for an account nobody has."""
    target = _target(tmp_path / "tls", **wish)

    with pytest.raises(NotAPlace, match="no-such"):
        _place(target, box.renew(), box)
    assert not any(path.exists() for _, path in target.files)


def test_a_renewal_changes_all_files_at_once_and_can_be_taken_back(target: Target, box: Box) -> None:
    """One link is turned; turned back, every byte is as before."""
    _place(target, box.renew(), box)
    before = _read(target)
    links = {path: path.readlink() for _, path in target.files}

    generations = _place(target, box.renew(), box)
    after = _read(target)
    generations.go_back()

    assert all(after[name] != before[name] for name in ("certificate", "key", "full_chain", "combined"))
    assert _read(target) == before
    assert {path: path.readlink() for _, path in target.files} == links


def test_whoever_began_to_read_finds_one_pair_after_two_renewals(tmp_path: Path, box: Box) -> None:
    """The file for nginx names both files of one generation; so does the folder behind a link that was resolved."""
    files = {"nginx": f"{tmp_path}/tls/certificate.conf", "full_chain": f"{tmp_path}/tls/full-chain.pem"}
    (target,), complaints = parse_targets([{"name": "nginx", **files}], is_posix=True)
    assert complaints == ()
    first = box.renew()
    _place(target, first, box)
    read = (tmp_path / "tls" / "certificate.conf").read_text(encoding="ascii")
    resolved = (tmp_path / "tls" / "full-chain.pem").resolve()

    for _ in range(2):
        _place(target, box.renew(), box)

    chain, key = re.findall(r"^ssl_certificate(?:_key)? (\S+);$", read, re.M)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    assert Path(chain).read_bytes() == resolved.read_bytes() == b"".join(first.chain)
    assert stat.S_IMODE(Path(key).stat().st_mode) == 0o600
    assert Generations(target).are_right(box.latest())


def test_two_older_generations_are_kept(target: Target, box: Box) -> None:
    """What was replaced long ago, and holds a key, is gone; so is one that was taken back."""
    for _ in range(5):
        generations = _place(target, box.renew(), box)
    kept = sorted(path.name for path in target.home.iterdir() if path.is_dir() and not path.is_symlink())
    generations.go_back()
    generations.settle()

    assert kept == ["000003", "000004", "000005"]
    assert sorted(path.name for path in target.home.glob("0*")) == ["000003", "000004"]


def test_files_that_were_there_before_are_taken_in(target: Target, box: Box) -> None:
    """A pair somebody put there by hand comes back byte by byte, with its rights, when the first hand-over fails."""
    target.folder.mkdir()
    target.folder.chmod(0o755)
    mine = {"key": key_pem(new_key()), "full_chain": b"mine\n"}
    for part, path in target.files:
        if part.value in mine:
            path.write_bytes(mine[part.value])
            path.chmod(0o640)

    generations = _place(target, box.renew(), box)
    assert _read(target)["full_chain"] != mine["full_chain"]
    generations.go_back()

    key = target.folder / "key.pem"
    assert (key.read_bytes(), stat.S_IMODE(key.stat().st_mode)) == (mine["key"], 0o640)
    assert (target.folder / "full_chain.pem").read_bytes() == mine["full_chain"]


def test_older_files_count_only_while_their_certificate_is_valid(target: Target, box: Box) -> None:
    """Going back to a certificate that has expired would help nobody."""
    _place(target, material := box.renew(), box)
    now, later = datetime.now(UTC), datetime.now(UTC).replace(year=datetime.now(UTC).year + 2)
    generations = Generations(target)

    assert generations.older_is_valid(now, are_right=False)
    assert not generations.older_is_valid(later, are_right=False)
    assert not generations.older_is_valid(now, are_right=True)
    _place(target, box.renew(), box)
    assert generations.older_is_valid(now, are_right=True)
    assert not generations.are_right(material)


def _writable_by_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def _somebody_elses(folder: Path) -> None:
    folder.mkdir()
    os.chown(folder, 12345, 12345)


def _link_of_somebody_else(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    os.chown(folder, 12345, 12345, follow_symlinks=False)


def _with_a_foreign_link(folder: Path) -> None:
    folder.mkdir()
    (folder / "key.pem").symlink_to("/etc/hostname")


def _with_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "key.pem").mkdir(parents=True)


def _a_file(folder: Path) -> None:
    folder.write_bytes(b"")


@pytest.mark.parametrize(
    "make",
    [
        _writable_by_others,
        _somebody_elses,
        _link_of_somebody_else,
        _with_a_foreign_link,
        _with_a_folder_in_place_of_a_file,
        _a_file,
    ],
)
def test_nothing_is_written_where_others_can_change_it(tmp_path: Path, box: Box, make: Callable[[Path], None]) -> None:
    """Whoever may write in a folder could send the key elsewhere; the sentence names the folder."""
    target = _target(tmp_path / "tls")
    make(target.folder)
    before = sorted(tmp_path.rglob("*"))
    material = box.renew()

    with pytest.raises(NotAPlace, match=str(target.folder)):
        _place(target, material, box)
    assert [path for path in sorted(tmp_path.rglob("*")) if box.folder not in path.parents] == [
        path for path in before if box.folder not in path.parents
    ]


def test_the_agents_own_folder_is_no_place(box: Box) -> None:
    """A target that names the store's own files would destroy them."""
    target = _target(box.folder / "certificates")
    material = box.renew()

    with pytest.raises(NotAPlace, match="the agent itself"):
        _place(target, material, box)


# Each point is a call that changes or opens something; the child that does the work ends there as if it were killed.
_SCRIPT = """
import json, os, pathlib, shutil, ssl, sys
from lancert.box.deploy.generations import Generations
from lancert.box.deploy.material import material_of
from lancert.box.deploy.reading import parse_targets
from lancert.box.store import CertificateStore

place = pathlib.Path(sys.argv[1])
files = {"full_chain": f"{place}/tls/full_chain.pem", "key": f"{place}/tls/key.pem"}
(target,), _ = parse_targets([{"name": "app", **files}], is_posix=True)
material = material_of(CertificateStore(place / "box" / "certificates").newest())

def put():
    generations = Generations(target)
    with generations.opened(place / "box"):
        generations.place(material)
        generations.settle()

def child(last):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event == "open" or event.startswith(("os.", "shutil.")):
            seen += 1
            if seen == last:
                os._exit(9)
    sys.addaudithook(hook)
    put()
    os._exit(0)

def judge():
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files["full_chain"], files["key"])
    except OSError as error:
        return f"broken: {error}"
    verdict = "new" if Generations(target).are_right(material) else "old"
    if b"".join(material.chain) == pathlib.Path(files["full_chain"]).read_bytes():
        verdict = "new"
    put()
    return verdict if Generations(target).are_right(material) else "broken: the next try does not mend it"

verdicts, ended = [], None
while ended != 0:
    shutil.rmtree(target.folder)
    shutil.copytree(place / "template", target.folder, symlinks=True)
    process = os.fork()
    if process == 0:
        child(len(verdicts) + 1)
    ended = os.waitpid(process, 0)[1]
    verdicts.append(judge())
print(json.dumps(verdicts))
"""


@pytest.mark.parametrize("first", ["by lancert", "by hand"])
def test_ended_at_any_moment_a_target_has_the_old_pair_or_the_new_one(first: str, box: Box, tmp_path: Path) -> None:
    """F-01 for a hand-over: a program that starts at whatever moment finds a key and the certificate that is for it.

    Over files of ours and over files that somebody had put there by hand. Killed at each system call, it is the row
    of ``make faults ARGS=peer_certbot``.
    """
    files = {"full_chain": f"{tmp_path}/tls/full_chain.pem", "key": f"{tmp_path}/tls/key.pem"}
    (target,), _ = parse_targets([{"name": "app", **files}], is_posix=True)
    old = box.renew()
    if first == "by lancert":
        _place(target, old, box)
    else:
        target.folder.mkdir(mode=0o755)
        for part, path in target.files:
            path.write_bytes(old.content(part))
    box.renew()
    shutil.copytree(target.folder, tmp_path / "template", symlinks=True)

    command = [sys.executable, "-c", _SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    verdicts = json.loads(done.stdout)
    assert len(verdicts) >= 20
    assert set(verdicts) == {"old", "new"}
    assert verdicts[-1] == "new"
