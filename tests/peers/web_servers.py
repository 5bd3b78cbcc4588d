"""nginx and HAProxy from Debian, each on a high port of loopback with a configuration and a folder of its own.

They run as children of the test, never as services of the machine, and end with it.
"""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE = 20.0


class WebServer:
    """A server that is started in the foreground with its own configuration."""

    def __init__(self, program: str, folder: Path, port: int, tls: str) -> None:
        """Prepare one; ``tls`` is what its configuration says about certificates."""
        self.program = program
        self.folder = folder
        self.port = port
        self.pid_file = folder / "master.pid"
        self.settings = folder / "server.conf"
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(tls)

    def configure(self, tls: str) -> None:
        """Replace the configuration at once; a running server reads it when it is reloaded.

        HAProxy that reads half of one takes it for the whole, and listens nowhere.
        """
        beside = self.settings.with_suffix(".new")
        beside.write_text(self._configuration(tls), encoding="ascii")
        beside.replace(self.settings)

    def __enter__(self) -> Self:
        """Start, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + _PATIENCE
        while True:
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
                continue
            return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and what it started."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def said(self) -> str:
        """Give what it printed."""
        return self._log.read_text(errors="replace")

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _configuration(self, tls: str) -> str:
        raise NotImplementedError


class Nginx(WebServer):
    """nginx, which reads a chain and a key from two files."""

    @property
    def reload_command(self) -> list[str]:
        """Give the command that has it read its configuration and files again."""
        return [*self._command(), "-s", "reload"]

    def _command(self) -> list[str]:
        return [self.program, "-e", "stderr", "-p", str(self.folder), "-c", str(self.settings)]

    def _configuration(self, tls: str) -> str:
        folder = self.folder
        temporary = "".join(
            f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        return (
            f"{user}daemon off;\nworker_processes 2;\npid {self.pid_file};\nerror_log stderr notice;\n"
            f"events {{ worker_connections 256; }}\nhttp {{\n  access_log off;\n{temporary}"
            f"  server {{\n    listen 127.0.0.1:{self.port} ssl;\n    server_name _;\n    {tls}\n"
            '    return 200 "hello";\n  }\n}\n'
        )


class Haproxy(WebServer):
    """HAProxy with a master and a worker, which reads one file with everything in it."""

    def _command(self) -> list[str]:
        return [self.program, "-W", "-db", "-f", str(self.settings), "-p", str(self.pid_file)]

    def _configuration(self, tls: str) -> str:
        return (
            "global\n  maxconn 256\n"
            "defaults\n  mode http\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n"
            f"frontend https\n  bind 127.0.0.1:{self.port} ssl {tls}\n"
            '  http-request return status 200 content-type text/plain string "hello"\n'
        )
