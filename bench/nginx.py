"""The peer: nginx of Debian serving the same certificate, from process start to the first handshake, and its memory.

It is what stands in front of an application otherwise: one worker, one file, no homepage and nobody who renews what it
serves. Its memory is that of both its processes, as the system counts it for each; pages they share count twice.
"""

import shutil
import ssl
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.box import PATIENCE, ROUNDS, free_port, prepared, resident, shakes_hands
from lancert.box.store import CertificateStore

PROGRAM = "nginx"
_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {file};
        ssl_certificate_key {file};
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ return 200; }}
    }}
}}
"""


def main() -> None:
    program = shutil.which(PROGRAM)
    if program is None:
        print("nginx is not installed: apt-get install nginx-light")
        return
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        folder, name, root = prepared(place)
        store = CertificateStore(folder.certificates)
        store.check()
        assert store.generation is not None
        found = [_started(program, place, store.generation.path, name, root) for _ in range(1 + ROUNDS)][1:]
    print(f"nginx, median of {ROUNDS} starts")
    for row, figures in zip(
        ("start to first HTTPS handshake, s", "resident then, MB"), zip(*found, strict=True), strict=True
    ):
        print(f"  {row:<36} {statistics.median(figures):7.2f}")


def _started(program: str, place: Path, file: Path, name: str, root: Path) -> tuple[float, float]:
    """Start it; give seconds to the first handshake and the megabytes of its processes then."""
    port = free_port()
    configuration = place / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(place=place, port=port, file=file), encoding="utf-8")
    context = ssl.create_default_context(cafile=root)
    began = time.perf_counter()
    process = subprocess.Popen([program, "-e", str(place / "error.log"), "-p", str(place), "-c", str(configuration)])
    try:
        while not shakes_hands(port, name, context):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise RuntimeError("nginx did not serve")
            time.sleep(0.002)
        seconds = time.perf_counter() - began
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        return seconds, sum(resident(pid) for pid in (process.pid, *map(int, children)))
    finally:
        process.terminate()
        process.wait(PATIENCE)


if __name__ == "__main__":
    main()
