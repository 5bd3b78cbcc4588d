"""Imports point down: the floors are the layers of import-linter's contract, and every folder stands on one."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

WITHOUT_FLOOR = {"locale"}  # sentences, no code


def _floors(root: Path) -> set[str]:
    described = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = described["tool"]["importlinter"]["contracts"]
    (floors,) = [contract for contract in contracts if contract["id"] == "floors"]
    return {part.strip().removeprefix("lancert.") for layer in floors["layers"] for part in layer.split("|")}


def _on_no_floor(folders: Iterable[str], floors: set[str]) -> list[str]:
    return sorted(set(folders) - floors - WITHOUT_FLOOR - {"__pycache__"})


def test_every_folder_of_the_package_is_on_a_floor(root: Path, source: Path) -> None:
    """A new part says where it stands before it is built."""
    folders = [path.name for path in source.iterdir() if path.is_dir()]

    assert _on_no_floor(folders, _floors(root)) == []


def test_a_folder_on_no_floor_is_found(root: Path) -> None:
    """The rule above can fail."""
    assert _on_no_floor(["kit", "attic", "__pycache__"], _floors(root)) == ["attic"]


def test_no_module_lies_beside_the_floors(source: Path) -> None:
    """Besides the folders there is only what Python itself asks for."""
    assert {path.name for path in source.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_the_package_without_a_wrong_import_keeps_the_contracts(root: Path, tmp_path: Path) -> None:
    """The contracts have nothing against the floors themselves."""
    ended = _lint(root, tmp_path, {})

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("lancert.kit", "lancert.protocol"),
        ("lancert.kit", "click"),
        ("lancert.protocol", "lancert.box"),
        ("lancert.protocol", "httpx2"),
        ("lancert.dns", "lancert.service"),
        ("lancert.box", "lancert.service"),
        ("lancert.box", "lancert.dns"),
        ("lancert.service", "lancert.box"),
        ("lancert.service", "lancert.cli"),
        ("lancert.service.api", "sqlalchemy"),
        ("lancert.cli", "sqlite3"),
        ("lancert.service", "dns"),
    ],
)
def test_a_wrong_import_breaks_a_contract(root: Path, tmp_path: Path, module: str, imported: str) -> None:
    """Each contract is broken by what it forbids, so none of them is blind."""
    ended = _lint(root, tmp_path, {module: f"import {imported}\n"})

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "BROKEN" in ended.stdout


def _lint(root: Path, folder: Path, imports: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Lay the package out empty, with these imports, and hold it against the project's own contracts."""
    described = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    for name in _named_modules(described) | set(imports):
        package = folder.joinpath(*name.split("."))
        package.mkdir(parents=True, exist_ok=True)
        for level in (package, *package.parents):
            if level == folder:
                break
            (level / "__init__.py").touch()
        (package / "__init__.py").write_text(imports.get(name, ""), encoding="utf-8")
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(text[text.index("[tool.importlinter]") :], encoding="utf-8")
    lint = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    return subprocess.run(
        [sys.executable, "-P", "-c", lint],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _named_modules(described: dict[str, Any]) -> set[str]:
    named: set[str] = set()
    for contract in described["contracts"]:
        lines = contract.get("layers", []) + contract.get("source_modules", []) + contract.get("forbidden_modules", [])
        named |= {part.strip() for line in lines for part in line.split("|")}
    return {name for name in named if name.startswith("lancert")}
