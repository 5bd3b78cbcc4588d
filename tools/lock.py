"""Write the hash locks in ``requirements/`` from pyproject.toml with uv.

``dev.txt`` is resolved first and holds everything; the smaller ones take their versions from it, so that one
virtual environment can serve several purposes. The files name no registry: a machine that uses another index says
so in its own configuration (``UV_DEFAULT_INDEX`` for uv, pip's own for pip), never here.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

# dev: everything. box: the base install. service: box and the service. test: what the box's own tests need on top
# of box, and nothing of the service. build: what makes a wheel.
LOCKS = {
    "dev": ("pyproject.toml", "--extra", "service", "--group", "dev"),
    "box": ("pyproject.toml",),
    "service": ("pyproject.toml", "--extra", "service"),
    "test": ("pyproject.toml", "--group", "test"),
    "build": ("--group", "build"),
}

COMMON = (
    *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--quiet"),
    *("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock"),
)


def main(arguments: list[str]) -> int:
    uv = str(Path(sys.executable).with_name("uv"))
    for name, sources in LOCKS.items():
        file = REQUIREMENTS / f"{name}.txt"
        versions = () if name == "dev" else ("--constraint", str(REQUIREMENTS / "dev.txt"))
        command = [uv, "pip", "compile", *COMMON, *arguments, *versions, *sources, "--output-file", str(file)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        packages = sum("==" in line for line in file.read_text(encoding="utf-8").splitlines())
        print(f"requirements/{name}.txt: {packages} packages")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
