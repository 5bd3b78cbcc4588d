"""What the rules look at: the files of the project, without what make and the tools leave behind."""

import ast
import os
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def source(root: Path) -> Path:
    """The package."""
    return root / "src" / "lancert"


@pytest.fixture(scope="session")
def project_files() -> list[Path]:
    """Every file of the project, read from the folder: a copy without git is held to the same rules."""
    return [REPOSITORY / name for name in _walk(REPOSITORY)]


@pytest.fixture(scope="session")
def modules(source: Path) -> dict[Path, ast.Module]:
    """The package's modules, parsed."""
    return {path: ast.parse(path.read_bytes(), path.name) for path in sorted(source.rglob("*.py"))}


def _walk(root: Path) -> list[str]:
    ignored = [line.strip("/") for line in (root / ".gitignore").read_text(encoding="utf-8").split()] + [".git"]
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in ignored)]
        found += [
            Path(folder, name).relative_to(root).as_posix()
            for name in files
            if not any(fnmatch(name, pattern) for pattern in ignored)
        ]
    return sorted(found)
