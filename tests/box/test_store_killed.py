"""A kill at any moment of an installation leaves the old certificate or the new one, complete."""

import shutil
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.box.given import NAMES
from tests.peers.authority import TODAY, key_pem, new_key, pem
from tests.peers.killing import Killed, kill_everywhere

from lancert.box.store import CertificateStore

_INSTALL = """
import os, sys, pathlib
from datetime import UTC, datetime, timedelta
from cryptography import x509
from lancert.box.store import CertificateStore
store = CertificateStore(pathlib.Path(sys.argv[1]))
store.check()
key = store.pending_key()
chain = x509.load_pem_x509_certificates(pathlib.Path(sys.argv[2]).read_bytes())
now = datetime.now(UTC)
os.getppid()
store.install(key, chain, renewal_start=now, renewal_end=now + timedelta(days=1))
os.getppid()
"""

_NAIVE = """
import os, sys, pathlib
folder, new = (pathlib.Path(path) for path in sys.argv[1:3])
key, chain = (new / "key.pem").read_bytes(), (new / "chain.pem").read_bytes()
os.getppid()
(folder / "key.pem").write_bytes(key)
(folder / "chain.pem").write_bytes(chain)
os.getppid()
"""


@pytest.mark.timeout(400)
def test_a_kill_at_every_system_call_of_an_installation_leaves_old_or_new(
    authority: Authority, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """F-01, S-17: at no point is there less than one complete certificate, and trying again installs the new one."""
    template, folder, answer = tmp_path / "template", tmp_path / "folder", tmp_path / "chain.pem"
    store = CertificateStore(template)
    window = {"renewal_start": TODAY, "renewal_end": TODAY + timedelta(days=1)}
    old_key = store.pending_key()
    old = store.install(old_key, authority.chain(NAMES, old_key), **window)
    new_key = store.pending_key()
    new_chain = authority.chain(NAMES, new_key)
    answer.write_bytes(pem(*new_chain))
    names = {old.chain: "old", new_chain: "new"}

    def prepare() -> Sequence[str]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        return [str(folder), str(answer)]

    def judge() -> str:
        again = CertificateStore(folder)
        damage = again.check().damage
        found = names.get(again.generation.chain, "another") if again.generation else "none"
        if not (damage is None and found in ("old", "new")):
            return f"broken: {found}, {damage}"
        if found == "old":
            # The key that was asked for is still there, so the same certificate fits when it comes again (F-03).
            assert key_pem(again.pending_key()) == key_pem(new_key)
            again.install(again.pending_key(), new_chain, **window)
        last = CertificateStore(folder)
        last.check()
        assert last.generation is not None
        assert names[last.generation.chain] == "new"
        assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
        assert key_pem(last.pending_key()) != key_pem(new_key)
        return found

    killed = kill_everywhere(tool("strace"), _INSTALL, prepare=prepare, judge=judge, notes=tmp_path / "notes")

    assert Counter(one.verdict for one in killed).keys() == {"old", "new"}, _broken(killed)
    assert len(killed) >= 20
    assert {"rename", "fsync", "write", "unlink"} <= {one.point.call for one in killed}


def test_a_writer_of_two_files_is_caught(authority: Authority, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The harness sees: key and chain written one after the other are found broken by the very same kills."""
    template, folder, new = tmp_path / "template", tmp_path / "folder", tmp_path / "new"
    for place in (template, new):
        key = new_key()
        place.mkdir()
        (place / "key.pem").write_bytes(key_pem(key))
        (place / "chain.pem").write_bytes(pem(*authority.chain(NAMES, key)))

    def prepare() -> Sequence[str]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        return [str(folder), str(new)]

    def judge() -> str:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "chain.pem", folder / "key.pem")
        except ssl.SSLError:
            return "broken"
        return "whole"

    killed = kill_everywhere(tool("strace"), _NAIVE, prepare=prepare, judge=judge, notes=tmp_path / "notes")

    assert Counter(one.verdict for one in killed)["broken"] >= 3, killed


def _broken(killed: list[Killed]) -> list[Killed]:
    return [one for one in killed if one.verdict not in ("old", "new")]
