"""The story of a till program behind nginx on the IoT system: from settings to a renewal that fails."""

import hashlib
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.journeys.world import Box, Service, lancert, strict_connection, until
from tests.peers.web_servers import Nginx

SETTINGS = """
[[deploy]]
name = "nginx"
full_chain = "{tls}/full-chain.pem"
key = "{tls}/key.pem"
reload = {reload}
verify = "127.0.0.1:{port}"
timeout = 5

[[deploy]]
name = "with-a-mistake"
combined = "combined.pem"
"""


def _shown(port: int, name: str, root: Path) -> str:
    context = ssl.create_default_context(cafile=root)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


def _own(box: Box, name: str, root: Path) -> str:
    with strict_connection(box, name, root) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


@pytest.mark.promise("M1", "M2")
def test_a_program_behind_nginx_keeps_its_lock(
    tool: Callable[[str], str],
    own_service: Service,
    new_box: Callable[..., Box],
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    """M1, M2: nginx gets the certificate and each renewal; one it cannot use is taken back and told everywhere."""
    tls, port, box = tmp_path / "tls", free_port(), new_box()
    right = f"ssl_certificate {tls}/full-chain.pem; ssl_certificate_key {tls}/key.pem;"
    nginx = Nginx(tool("nginx"), tmp_path / "nginx", port, right)
    box.folder.mkdir()
    written = SETTINGS.format(tls=tls, reload=json.dumps(nginx.reload_command), port=port)
    (box.folder / "box.toml").write_text(written, encoding="utf-8")

    def deploy(*arguments: str) -> tuple[int, str]:
        done = lancert("box", "deploy", *arguments, "--folder", str(box.folder), check=False)
        return done.returncode, done.stdout + done.stderr

    def target() -> dict[str, str]:
        rows = box.status()["hand_over"]
        return rows[0] if rows else {}

    # Connected, the box hands over what nginx needs to start; the table with the mistake stops nothing.
    box.start().connect(own_service.shop())
    document = box.until_state("secure")
    name = str(document["stable_url"]).split("/")[2].partition(":")[0]
    until((tls / "key.pem").exists, "the files")
    assert "deploy.with-a-mistake.combined" in json.dumps(box.status()["notices"])
    assert "deploy.with-a-mistake.combined" in deploy("--check")[1]

    with nginx:
        assert _shown(port, name, own_service.root) == _own(box, name, own_service.root)
        assert deploy("nginx")[0] == 0
        until(lambda: target().get("outcome") == "done", "nginx to be known to serve it")

        # A renewal that nginx cannot take: it goes on with the old one, the box itself has the new one.
        old = _shown(port, name, own_service.root)
        nginx.configure(f"{right} nonsense;")
        lancert("box", "renew", "--folder", str(box.folder))
        until(lambda: target().get("outcome") == "rolled-back", "the hand-over to be taken back")
        assert _shown(port, name, own_service.root) == old != _own(box, name, own_service.root)
        assert target()["next_try"] is not None
        for told in (
            box.get("/")[1],
            json.dumps(box.status()),
            lancert("box", "status", "--folder", str(box.folder)).stdout,
            lancert("box", "doctor", "--folder", str(box.folder), check=False).stdout,
        ):
            assert "nginx did not reload" in told
            assert "unknown directive" in told

        # Mended, it is a matter of one command, or of waiting.
        nginx.configure(right)
        assert "nginx serves the certificate" in deploy()[1]
        assert _shown(port, name, own_service.root) == _own(box, name, own_service.root)
        until(lambda: target().get("outcome") == "done", "the agent to notice")
        assert "nginx did not reload" not in box.get("/")[1]
