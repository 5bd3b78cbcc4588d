"""Templates are compiled once; what was kept is used only if it is whole and of this very template."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src"

DRAW = """
import sys
from pathlib import Path
import jinja2
from lancert.box.homepage.compiled import BesideTemplates
from lancert.box.homepage.kept import Kept
templates, recipe = Path(sys.argv[1]), sys.argv[2].encode()
def source(name):
    return (templates / name).read_text(), name, None
compiled = []
class Counting(jinja2.Environment):
    def _compile(self, source, filename):
        compiled.append(filename)
        return super()._compile(source, filename)
cache = BesideTemplates(Kept(templates, recipe), has_compiler=True)
environment = Counting(loader=jinja2.FunctionLoader(source), bytecode_cache=cache)
print(environment.get_template("page.html").render(name="till"), len(compiled))
"""

LEAN = """
import sys
from lancert.box.homepage import drawing
from lancert.box.homepage.speech import speech_for
drawing.leave_the_compiler_out()
speech = speech_for(None)
answers = [drawing.draw("turned_away.html", speech, sentence="Hello", reference=None) for _ in range(2)]
print("Hello" in answers[1].body.decode(), "jinja2.compiler" in sys.modules)
"""

LEFT_OUT = """
import sys
import lancert.cli.box
from lancert.box import app
from lancert.box.homepage import drawing
from lancert.box.homepage.qr import qr_code
drawing.compile_templates()
assert qr_code("https://a.example/").startswith(b"<svg")
print(*(name for name in sys.argv[1:] if name in sys.modules))
"""


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., str]:
    """Run a program in a new process, which keeps what it compiles below ``tmp_path``."""

    def run(program: str, *arguments: str, **more: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONPYCACHEPREFIX": str(tmp_path / "kept"), **more}
        if not more:
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
        ended = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    return run


@pytest.fixture
def draw(python: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Draw a page in a new process; gives the page and how often something was compiled."""
    (tmp_path / "page.html").write_text("Hello {{ name }}")
    return lambda recipe="one", **more: python(DRAW, str(tmp_path), recipe, **more)


def _kept(folder: Path) -> Path:
    (file,) = (folder / "kept").rglob("page.*")
    return file


def test_a_template_is_compiled_once_for_all_starts(draw: Callable[..., str]) -> None:
    """The second start finds what the first one made."""
    assert [draw(), draw()] == ["Hello till 1", "Hello till 0"]


def test_a_changed_template_or_recipe_is_compiled_again(draw: Callable[..., str], tmp_path: Path) -> None:
    """An upgrade of the program, or of its library, shows at once."""
    draw()
    (tmp_path / "page.html").write_text("Bye {{ name }}")

    assert [draw(), draw("two"), draw("two")] == ["Bye till 1", "Bye till 1", "Bye till 0"]


@pytest.mark.parametrize(
    "spoil",
    [lambda _: b"", lambda kept: kept[:40], lambda kept: kept[:-1], lambda kept: kept[:-9] + bytes(9)],
    ids=["empty", "cut short", "one byte less", "a block of zeros"],
)
def test_what_was_damaged_is_compiled_again(
    draw: Callable[..., str], tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    """F-08 in spirit: a worn memory card costs a moment, and never a page."""
    draw()
    file = _kept(tmp_path)
    file.write_bytes(spoil(file.read_bytes()))

    assert [draw(), draw()] == ["Hello till 1", "Hello till 0"]


def test_where_nothing_may_be_written_each_start_compiles(draw: Callable[..., str], tmp_path: Path) -> None:
    """A read-only system is no reason not to serve."""
    assert [draw(PYTHONDONTWRITEBYTECODE="1"), draw(PYTHONDONTWRITEBYTECODE="1")] == ["Hello till 1"] * 2

    (tmp_path / "blocked").write_text("a file where a folder would be")
    assert draw(PYTHONPYCACHEPREFIX=str(tmp_path / "blocked")) == "Hello till 1"


def test_a_process_that_only_serves_has_the_compiler_once(python: Callable[..., str]) -> None:
    """The first page ever fetches it and keeps what it made; later starts draw without it."""
    assert [python(LEAN), python(LEAN)] == ["True True", "True False"]


def test_a_box_goes_without_what_it_never_uses(python: Callable[..., str]) -> None:
    """With every page drawn and the QR code, what libraries bring for other programs is not loaded."""
    heavy = (
        *("multiprocessing", "http.client", "urllib.request", "configparser", "logging.config", "socketserver"),
        *("cryptography.hazmat.primitives.serialization.ssh", "segno.writers", "tempfile", "shutil", "difflib"),
    )

    assert python(LEFT_OUT, *heavy, "jinja2", "segno", "uvicorn") == "jinja2 segno uvicorn"


def test_what_was_left_out_is_there_for_others(python: Callable[..., str]) -> None:
    """The real modules come when somebody imports them."""
    program = "from lancert.box import http_server\nimport uvicorn.supervisors, logging.config\n"

    assert python(
        f"{program}print(uvicorn.supervisors.Multiprocess.__name__, callable(logging.config.dictConfig))"
    ) == ("Multiprocess True")
