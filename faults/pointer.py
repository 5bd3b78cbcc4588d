"""F-10: ``current`` dangles, loops, points outside the store, or a directory became a file: served within 2 s.

Each case is a start of the real agent, from process start to the first strictly verified HTTPS handshake.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.box import box_command, measured, prepared

from faults._table import Row
from lancert.box.store import CertificateStore
from lancert.kit.settings import environment_without_settings

SECONDS = 2.0


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        folder, name, root = prepared(place)
        template = place / "template"
        shutil.copytree(folder.path, template)
        found = []
        for case, spoil in CASES.items():
            shutil.rmtree(folder.path)
            shutil.copytree(template, folder.path)
            spoil(folder.certificates)
            seconds = _seconds_to_serve(lambda http, https: box_command(folder, http, https), name, root)
            store = CertificateStore(folder.certificates)
            healed = store.check().usable is not None and (folder.certificates / "current").is_file()
            late = seconds is None or seconds > SECONDS
            said = "not served" if seconds is None else f"served after {seconds:.2f} s"
            found.append(Row(case=case, states=1, broken=int(late or not healed), found=said))
    return found


def _seconds_to_serve(command: Callable[[int, int], list[str]], name: str, root: Path) -> float | None:
    try:
        return measured(command, environment_without_settings(), name, root, has_pages=False)[0]
    except RuntimeError:
        return None


def _link(target: str) -> Callable[[Path], None]:
    def spoil(certificates: Path) -> None:
        (certificates / "current").unlink()
        (certificates / "current").symlink_to(target)

    return spoil


def _text(content: bytes) -> Callable[[Path], None]:
    def spoil(certificates: Path) -> None:
        (certificates / "current").write_bytes(content)

    return spoil


def _folder(certificates: Path) -> None:
    (certificates / "current").unlink()
    (certificates / "current").mkdir()


def _gone(certificates: Path) -> None:
    (certificates / "current").unlink()


CASES: dict[str, Callable[[Path], None]] = {
    "as it should be": lambda certificates: None,
    "current is gone": _gone,
    "current names nothing that is there": _text(b"generation-000099.pem\n"),
    "current names a file outside": _text(b"../../other/generation-000001.pem\n"),
    "current is empty": _text(b""),
    "current is garbage": _text(bytes(range(256)) * 40),
    "current is a link to itself": _link("current"),
    "current is a link to nothing": _link("nothing"),
    "current is a link outside": _link("../../../authority/root.pem"),
    "current is a folder": _folder,
}
