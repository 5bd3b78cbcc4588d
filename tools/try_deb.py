"""Try the Debian package on a throw-away Debian 12 with a real systemd, from install to purge.

``python3 -m tools.try_deb`` as root, from the project's folder, in the environment of ``make demo``; three minutes.
It needs the Debian packages debootstrap, iproute2 and util-linux. Each line is one thing that held; the first one that
does not hold ends it. ``--base FOLDER`` keeps the installed Debian for the next time.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools import deb, machine
from tools.machine import ADDRESS, Machine, wait_until
from tools.try_hand_over import hand_over

UNIT = "lancert-box.service"
BOX = "/var/lib/lancert/box"
OLDER = "0.0.1"
CONTRACT, DATABASE = "M240401", "0f8fad5b-d9cb-469f-a165-70867728950e"
WATCHDOG = 30.0
LOG_LIMIT = 5 * 1024 * 1024
AFTER_A_RESET = ("box.toml", "listening.json", "lock", "log/box.log", "pin.json", "stop-gap.pem")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Try the Debian package on a throw-away Debian 12.")
    parser.add_argument("--base", type=Path, help="folder of the installed Debian, made when it is not there")
    asked = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.exit("Only root can make a machine of namespaces.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the machine is taken down in order then too
    with tempfile.TemporaryDirectory(prefix="lancert-try-") as temporary:
        folder = Path(temporary)
        base = asked.base.resolve() if asked.base else folder / "base"
        started = time.monotonic()
        older, own = build_all(folder)
        machine.make(base)
        machine.copy(base, folder / "machine")
        for package in (older, own):
            (folder / "machine" / "var" / package.name).write_bytes(package.read_bytes())
        held(f"two packages built and a Debian installed in {time.monotonic() - started:.0f} s")
        with Machine.boot(folder / "machine") as running, certificate_service(running, folder / "service") as token:
            try_all(running, f"/var/{older.name}", f"/var/{own.name}", token)
    print("Everything held.")
    return 0


def build_all(folder: Path) -> tuple[Path, Path]:
    """Build the package twice, to compare, and an older one."""
    own = deb.build(deb.own_architecture(), deb.debian_version(), folder)
    again = deb.build(deb.own_architecture(), deb.debian_version(), folder / "again")
    assert own.read_bytes() == again.read_bytes(), "two builds differ"
    held("two builds of the package are the same bytes")
    return deb.build(deb.own_architecture(), OLDER, folder), own


@contextlib.contextmanager
def certificate_service(running: Machine, folder: Path) -> Iterator[str]:
    """Run a certificate service in the machine's network and give a connection token of an eligible database."""

    def lancert(*arguments: str) -> list[str]:
        return running.beside(sys.executable, "-m", "lancert", *arguments)

    def admin(*arguments: str) -> str:
        command = lancert("admin", *arguments, "--folder", str(folder))
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    quiet = subprocess.DEVNULL
    with subprocess.Popen(lancert("service", "run", "--folder", str(folder)), stdout=quiet, stderr=quiet) as process:
        try:
            wait_until("the service runs", (folder / "service.json").exists)
            admin("tenant", "add", "shop")
            admin("contract", "add", CONTRACT, "--tenant", "shop")
            admin("subscription", "add", "--contract", CONTRACT, "--status", "in-progress", "--line", "iot-box=2")
            admin("database", "add", DATABASE, "--tenant", "shop", "--name", "shop", "--environment", "production")
            yield admin("connection-token", CONTRACT, DATABASE).split()[0]
        finally:
            process.terminate()


def try_all(running: Machine, older: str, own: str, token: str) -> None:
    """Tell the life of a package, step by step."""
    install(running, older)
    unit_is_confined(running)
    connect(running, token)
    upgrade(running, own)
    refuse_downgrade(running, older)
    change_settings(running)
    meet_another_program(running, own)
    die_and_come_back(running)
    remove_and_come_back(running, older, own)
    hand_over(running, held)
    keep_the_log_small(running)
    take_the_logs_along(running, token)
    reset(running, token)
    purge(running)


def install(running: Machine, package: str) -> None:
    running.does(f"apt-get install -y {package}")
    serving = wait_until("the homepage answers", lambda: answers(running))
    held(f"installed; the homepage answers on the ports 80 and 443 {serving:.2f} s after dpkg ended")
    assert running.does("systemctl is-enabled lancert-box; systemctl is-active lancert-box") == "enabled\nactive"
    assert running.does(f"stat -c '%a %U %G' {BOX}") == "700 lancert-box lancert-box"
    assert running.does(f"find {BOX} -not -user lancert-box -o -perm /077") == ""
    held("it is enabled and active, its folder 0700 and all in it its own")
    assert running.says("dpkg --verify lancert-box") == ""
    strange = r"\( -not -user root -o -not -type l -perm /022 \)"
    assert running.does(f"dpkg -L lancert-box | xargs -I@ find @ -maxdepth 0 {strange}") == ""
    held("every installed file is as packed, root's, and writable by nobody else")
    assert running.does("lancert --version").startswith("lancert ")
    held(f"{running.does('lancert --version')} by {running.does('readlink -f /usr/lib/lancert-box/bin/python')}")


def unit_is_confined(running: Machine) -> None:
    status = running.does(f"cat /proc/{main_pid(running)}/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in facts["Uid"].split(), facts["Uid"]
    bind = f"{1 << 10:016x}"  # CAP_NET_BIND_SERVICE
    assert {facts[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {bind}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    held("it runs unprivileged with CAP_NET_BIND_SERVICE alone, no new privileges, system calls filtered")
    running.does(f"systemd-analyze verify {UNIT}")
    level = running.does(f"systemd-analyze security {UNIT}").splitlines()[-1]
    assert float(level.split(": ")[1].split()[0]) <= 2.0, level
    held(level.removeprefix("→ "))
    assert "homepage is served" in running.does(f"systemctl show -P StatusText {UNIT}")
    held(f"systemd was told: {running.does(f'systemctl show -P StatusText {UNIT}')}")
    assert "PIN" not in running.does(f"journalctl -u {UNIT} --no-pager")
    memory = resident(running)
    assert memory < 100
    held(f"{memory:.0f} MB resident")


def connect(running: Machine, token: str) -> None:
    started = time.monotonic()
    running.does(f"lancert box connect {token}")
    wait_until("there is a certificate", lambda: state(running) == "secure")
    held(f"root connected it; a certificate {time.monotonic() - started:.1f} s later")
    assert running.does(f"find {BOX} -not -user lancert-box -o -perm /077") == ""
    held("what root wrote is the agent's")


def upgrade(running: Machine, package: str) -> None:
    before, pid = kept(running), main_pid(running)
    knock = f"curl -fs -m 2 -o /dev/null http://{ADDRESS}/favicon.svg || cat /proc/uptime >>/var/away"
    running.does(f"touch /var/away && systemd-run --unit=knock sh -c 'while sleep 0.02; do {knock}; done'")
    running.does(f"apt-get install -y {package}")
    wait_until("the homepage answers", lambda: answers(running))
    assert main_pid(running) != pid
    assert kept(running) == before
    wait_until("it says so", lambda: state(running) == "secure")
    running.does("systemctl stop knock")
    away = [float(line.split()[0]) for line in running.does("cat /var/away").splitlines()] or [0.0]
    held("upgraded: another process, the same identity, enrolment and certificate")
    held(f"the homepage was away for {away[-1] - away[0]:.2f} s meanwhile")


def refuse_downgrade(running: Machine, package: str) -> None:
    before, pid, version = kept(running), main_pid(running), installed_version(running)
    ended = running.run(f"dpkg -i {package}")
    assert ended.returncode != 0
    (sentence,) = [line for line in ended.stderr.splitlines() if "nothing was changed" in line]
    assert (kept(running), main_pid(running), installed_version(running)) == (before, pid, version)
    assert running.does("dpkg --audit") == ""
    assert answers(running)
    held(f"downgrade refused, the agent undisturbed: {sentence}")


def change_settings(running: Machine) -> None:
    example = "/usr/share/doc/lancert-box/examples/box.toml"
    running.does(f"install -o lancert-box -g lancert-box -m 600 {example} {BOX}/")
    running.does(f"sed -i 's/^# name = .*/name = \"Till 2\"/' {BOX}/box.toml && systemctl restart lancert-box")
    assert running.says("lancert box status").startswith("Till 2")
    held("the example of the settings, changed in one line, is read at the next start")
    pid = main_pid(running)
    running.does("systemctl reload lancert-box")
    assert answers(running)
    assert main_pid(running) == pid
    held("systemctl reload has the same process look again")


def meet_another_program(running: Machine, package: str) -> None:
    running.does("systemctl stop lancert-box && systemd-run --unit=other /usr/bin/python3.11 -m http.server 80")
    wait_until("the other program listens", lambda: running.run("curl -s -o /dev/null localhost").returncode == 0)
    ended = running.run(f"dpkg -i {package}")
    assert ended.returncode == 0, ended.stderr
    assert "does not run yet" in ended.stderr
    assert "port 80 cannot be opened" in running.does(f"journalctl -u {UNIT} --no-pager")
    running.does("systemctl stop other")
    served = wait_until("the homepage answers", lambda: answers(running), 30)
    held(f"port 80 was taken: installing and the journal say so; served {served:.1f} s after it was free")


def die_and_come_back(running: Machine) -> None:
    for name, limit in (("KILL", 15.0), ("STOP", WATCHDOG + 15.0)):
        before, pid = kept(running), main_pid(running)
        running.does(f"kill -{name} {pid}")
        gone = replaced(running, pid, limit)
        served = wait_until("the homepage answers", lambda: answers(running), 20)
        assert kept(running) == before
        assert gone <= WATCHDOG + 5
        held(f"SIG{name}: noticed after {gone:.1f} s, served again {served:.1f} s later with the same certificate")


def remove_and_come_back(running: Machine, older: str, own: str) -> None:
    before = kept(running)
    running.does("apt-get remove -y lancert-box")
    assert not answers(running)
    assert running.run("test -e /usr/lib/lancert-box -o -e /usr/bin/lancert").returncode != 0
    assert kept(running) == before
    held("removed: nothing listens, no program is left, the state is kept")
    assert running.run(f"dpkg -i {older}").returncode != 0
    held("an older version is refused then too")
    running.does(f"dpkg -i {own}")
    wait_until("the homepage answers", lambda: answers(running))
    assert kept(running) == before
    held("installed again: the same identity and certificate")


def keep_the_log_small(running: Machine) -> None:
    """Leave more logs lying about than a loop gone wild could write, and have the agent go on from there."""
    line = json.dumps({"time": "2026-01-01T00:00:00", "level": "info", "event": "wild", "detail": "x" * 400})
    fill = f"for n in '' .1 .2 .3 .4 .5 .6; do yes '{line}' | head -c 3000000 >{BOX}/log/box.log$n; done"
    running.does(f"systemctl stop lancert-box && {fill}; chown lancert-box: {BOX}/log/*; chmod 600 {BOX}/log/*")
    running.does("systemctl start lancert-box")
    wait_until("the homepage answers", lambda: answers(running))
    wait_until("the older logs are gone", lambda: log_bytes(running) <= LOG_LIMIT, 10)
    assert running.does(f"find {BOX}/log -type f -not -perm 600 -o -name 'box.log.[5-9]'") == ""
    assert "wild" not in running.does(f"journalctl -u {UNIT} --no-pager")
    held(
        f"21 MB of logs were left lying about; {log_bytes(running) / 1e6:.1f} MB are kept, nothing of it in the journal"
    )


def take_the_logs_along(running: Machine, token: str) -> None:
    """Make the bundle as root, who acts as the agent's account, and look for the secrets in it."""
    running.does("install -d -m 700 /var/ours && install -d -m 1777 /var/open")
    running.does("lancert box logs --bundle - >/var/ours/logs.zip && lancert box logs --bundle /var/open/logs.zip")
    refused = running.run("lancert box logs --bundle /var/ours/more.zip")
    assert refused.returncode == 1
    assert "--bundle - > FILE" in refused.stderr, refused.stderr
    assert running.does("stat -c '%a %U' /var/open/logs.zip") == "600 lancert-box"
    running.does("cd /var/ours && python3.11 -m zipfile -e logs.zip .")
    names = running.does("cd /var/ours/lancert-box-logs && find . -type f | sort").split()
    assert {"./doctor.txt", "./folder.json", "./log/box.log", "./settings.json", "./status.json"} <= set(names), names
    key = running.does(f"sed -n 2p {BOX}/identity.pem")
    for secret in (CONTRACT, DATABASE, token, key, "PRIVATE KEY"):
        assert running.run(f"grep -rqF -- '{secret}' /var/ours/lancert-box-logs").returncode == 1, secret
    assert running.run("grep -qF secure /var/ours/lancert-box-logs/status.json").returncode == 0
    size = running.does("stat -c %s /var/ours/logs.zip")
    held(f"all for support in one file of {size} bytes, and no secret in it")
    running.does("rm -r /var/ours /var/open")


def reset(running: Machine, token: str) -> None:
    """Reset by command, with the agent running under its unit; then once more with a kill in between."""
    before, pid = kept(running), main_pid(running)
    said = running.does("lancert box reset --yes")
    assert "Its agent serves the homepage." in said, said
    wait_until("the homepage answers", lambda: answers(running))
    assert main_pid(running) == pid
    assert state(running) == "not-connected"
    left = set(running.does(f"cd {BOX} && find . -type f").split())
    assert left == {f"./{name}" for name in AFTER_A_RESET}, left
    assert running.does(f"find {BOX} -not -user lancert-box -o -perm /077") == ""
    held("reset by command: the same process serves on, not connected, and only the settings file was kept")
    running.does(f"lancert box connect {token}")
    wait_until("there is a certificate", lambda: state(running) == "secure")
    assert kept(running) != before
    held("connected again: another identity, another certificate")
    # The wish is written and the machine loses its power at once.
    running.does(f"systemctl kill -s STOP lancert-box; cp -a {BOX}/pin.json {BOX}/reset.json")
    running.does(f"systemctl kill -s KILL lancert-box; rm {BOX}/identity.pem")
    wait_until("it is started again and not connected", lambda: state(running) == "not-connected", 40)
    left = set(running.does(f"cd {BOX} && find . -type f").split())
    assert left == {f"./{name}" for name in AFTER_A_RESET}, left
    held("killed in the middle of a reset: the next start completed it")


def log_bytes(running: Machine) -> int:
    return sum(map(int, running.does(f"find {BOX}/log -type f -printf '%s '").split()))


def purge(running: Machine) -> None:
    running.does("mkdir -p /var/lib/lancert/service && touch /var/lib/lancert/service/service.sqlite")
    running.does("apt-get purge -y lancert-box")
    assert running.does("find /var/lib/lancert") == "\n".join(
        ("/var/lib/lancert", "/var/lib/lancert/service", "/var/lib/lancert/service/service.sqlite")
    )
    left = running.does("find / -xdev -name '*lancert*' -not -path '/var/lancert-box_*' -not -path '/etc/lancert-try'")
    assert left == "/var/lib/lancert", left
    assert running.does("systemctl list-units --all --no-legend 'lancert*'") == ""
    held("purged: keys, credential and log are gone; the folder of a certificate service beside it stays")


def answers(running: Machine) -> bool:
    url = f"{ADDRESS}/favicon.svg"
    return (
        running.run(
            f"curl -fsS -m 5 -o /dev/null http://{url} && curl -kfsS -m 5 -o /dev/null https://{url}"
        ).returncode
        == 0
    )


def kept(running: Machine) -> str:
    """Give what must outlive every upgrade, in one value."""
    names = "identity.pem enrolment.json connection.json pin.json certificates"
    return running.does(f"cd {BOX} && find {names} -type f | sort | xargs sha256sum")


def state(running: Machine) -> str:
    found = running.says("lancert box status --json")
    return str(json.loads(found)["state"]) if found.startswith("{") else ""


def main_pid(running: Machine) -> str:
    return running.does(f"systemctl show -P MainPID {UNIT}")


def replaced(running: Machine, pid: str, patience: float) -> float:
    return wait_until("systemd noticed", lambda: main_pid(running) != pid, patience)


def resident(running: Machine) -> float:
    line = running.does(f"grep VmRSS /proc/{main_pid(running)}/status")
    return int(line.split()[1]) / 1024


def installed_version(running: Machine) -> str:
    return running.does("dpkg-query -W -f '${Status} ${Version}' lancert-box")


def held(sentence: str) -> None:
    print(f"✓ {sentence}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
