"""A step of ``tools.try_deb``: a program of its own account is given the certificate, as its guide says.

Settings and program are those of docs/guides/application.md; systemd reloads the program by ``lancert-deploy@.path``.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.machine import Machine, wait_until

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guides" / "application.md"
BOX = "/var/lib/lancert/box"
DEPLOY = "/var/lib/lancert/deploy/till"
UNIT = """[Service]
User=till
ExecStart=/usr/bin/python3.11 /usr/local/lib/till.py
ExecReload=+/bin/sh -c 'echo reloaded >>/var/till-reloads'
"""
DROP_IN = "/etc/systemd/system/lancert-box.service.d"


def hand_over(running: Machine, held: Callable[[str], None]) -> None:
    """Set it up, renew twice, the second time with nobody to reload it, and take everything away again."""
    request = f'reload_request = "{DEPLOY}/reload"\ntimeout = 10\n'
    _write(running, "/usr/local/lib/till.py", _block("python"))
    _write(running, "/etc/systemd/system/till.service", UNIT)
    _write(running, f"{DROP_IN}/till.conf", _block("ini"))
    running.does(f"mv {BOX}/box.toml {BOX}/box.toml.before")
    _write(running, f"{BOX}/box.toml", _block("toml") + request)
    running.does("useradd --system till; usermod --append --groups till lancert-box")
    running.does(f"chown lancert-box: {BOX}/box.toml")
    running.does("systemctl daemon-reload")
    running.does("systemctl enable --now lancert-deploy@till.path; systemctl restart lancert-box")
    wait_until("the files are there", lambda: running.run(f"test -s {DEPLOY}/key.pem").returncode == 0)
    running.does("systemctl start till")
    wait_until("the program is seen to serve", lambda: running.run("lancert box deploy").returncode == 0)
    assert running.does(f"stat -L -c '%a %U %G' {DEPLOY}/key.pem") == "640 lancert-box till"
    held("a program of another account serves the certificate, which its group alone may read")

    first = _shown(running)
    running.does("rm -f /var/till-reloads; lancert box renew")
    wait_until("the renewal is served", lambda: _shown(running) not in ("", first))
    wait_until("the hand-over is known to be done", lambda: _target(running).get("outcome") == "done")
    assert running.does("cat /var/till-reloads") == "reloaded"
    held("renewed: systemd was asked for one reload, by a file, and nothing else")

    second = _shown(running)
    running.does("systemctl stop lancert-deploy@till.path; lancert box renew")
    wait_until("the old files are back", lambda: _target(running).get("outcome") == "rolled-back")
    assert _shown(running) == second
    held(f"with nobody to reload it: {_target(running)['meaning']}")
    running.does("systemctl start lancert-deploy@till.path; lancert box deploy")
    assert _shown(running) != second
    held("root had it done at once by lancert box deploy")

    running.does("systemctl disable --now lancert-deploy@till.path till; userdel till; groupdel till")
    running.does(f"rm -r {DROP_IN} /etc/systemd/system/till.service {DEPLOY}; systemctl daemon-reload")
    running.does(f"mv {BOX}/box.toml.before {BOX}/box.toml")
    running.does("systemctl restart lancert-box")


def _shown(running: Machine) -> str:
    ask = "echo | openssl s_client -connect 127.0.0.1:9443 2>/dev/null | openssl x509 -noout -serial"
    return running.says(ask)


def _target(running: Machine) -> dict[str, Any]:
    found = json.loads(running.says("lancert box status --json"))["hand_over"]
    return dict(found[0]) if found else {}


def _write(running: Machine, path: str, content: str) -> None:
    file = running.folder / path.removeprefix("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def _block(language: str) -> str:
    (indent, block), *_ = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", GUIDE.read_text("utf-8"), re.M | re.S)
    return re.sub(rf"^{indent}", "", str(block), flags=re.M)
