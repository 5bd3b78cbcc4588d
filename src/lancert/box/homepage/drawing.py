"""Pages from templates, and the style and pictures beside them; nothing is read or compiled before the first page.

Everything that is put into a template is escaped; signs that are no text (control characters, surrogates, overrides
of the writing direction) become a visible replacement first, so that no field can rearrange the page around it.
"""

import re
import sys
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lancert.box.homepage.exchange import Answer
from lancert.box.homepage.kept import Kept, NotCompiled
from lancert.box.homepage.speech import Speech
from lancert.kit.lean import without

if TYPE_CHECKING:
    import jinja2
    import markupsafe

_HERE = Path(__file__).parent
_TEMPLATES = _HERE / "templates"
_LONGEST_TEXT = 4_000
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")

# What turns a template into code, and is needed once.
_COMPILER = tuple(f"jinja2.{part}" for part in ("compiler", "idtracking", "lexer", "optimizer", "parser", "visitor"))


class _Settings:
    """How this process draws."""

    has_compiler = True


_settings = _Settings()

HTML = "text/html; charset=utf-8"
_FOR_A_YEAR = ("cache-control", "public, max-age=31536000, immutable")
_PICTURES = {
    "style.css": "text/css; charset=utf-8",
    "browser.js": "text/javascript; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}


def draw(
    template: str,
    speech: Speech,
    *,
    status: int = 200,
    has_form: bool = False,
    script_asks: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    **values: Any,
) -> Answer:
    """Draw a page in the reader's language; its script may ask these origins, and without any there is none."""
    values |= {
        "gettext": speech.gettext,
        "ngettext": speech.ngettext,
        "language": speech.language,
        "style": f"/style.css?{_picture('style.css')[1]}",
        "icon": f"/favicon.svg?{_picture('favicon.svg')[1]}",
        "script": f"/browser.js?{_picture('browser.js')[1]}" if script_asks else None,
    }
    try:
        written = _environment().get_template(template).render(values)
    except NotCompiled:
        _fetch_the_compiler()
        written = _environment().get_template(template).render(values)
    return Answer(
        status=status,
        body=written.encode("utf-8", errors="replace"),
        media_type=HTML,
        headers=(("content-language", speech.language), *headers),
        has_form=has_form,
        script_asks=script_asks,
    )


def picture(name: str) -> Answer:
    """Give the style sheet, the script or the sign in the tab; pages name them by their content, so they keep."""
    return Answer(body=_picture(name)[0], media_type=_PICTURES[name], headers=(_FOR_A_YEAR,))


@cache
def _picture(name: str) -> tuple[bytes, str]:
    content = (_HERE / "static" / name).read_bytes()
    return content, sha256(content).hexdigest()[:12]


@cache
def _environment() -> "jinja2.Environment":
    kept = Kept(_TEMPLATES, _recipe())
    with without("tempfile", *(() if _settings.has_compiler else _COMPILER)):
        import jinja2  # 12 ms that the start of the box does not need

    from lancert.box.homepage.compiled import BesideTemplates

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        bytecode_cache=BesideTemplates(kept, has_compiler=_settings.has_compiler),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        finalize=as_text,
    )
    environment.filters["breakable"] = breakable
    environment.policies["ext.i18n.trimmed"] = True
    return environment


def _recipe() -> bytes:
    """Give what templates are compiled with: this module, and the version of the library in its own words."""
    library = find_spec("jinja2")
    assert library is not None
    assert library.origin is not None
    return Path(__file__).read_bytes() + Path(library.origin).read_bytes()


def leave_the_compiler_out() -> None:
    """Draw without the compiler of Jinja2 as long as nothing has to be compiled: 0.7 MB less in what only serves."""
    _settings.has_compiler = False


def _fetch_the_compiler() -> None:
    """Begin again with the whole of Jinja2: this is the first time that somebody draws this page here."""
    _settings.has_compiler = True
    for name in [name for name in sys.modules if name.partition(".")[0] == "jinja2"]:
        del sys.modules[name]
    sys.modules.pop("lancert.box.homepage.compiled", None)
    _environment.cache_clear()


def _template(name: str) -> tuple[str, str, None]:
    # Named without the folder it lies in: what is compiled of it is the same on every machine.
    return (_TEMPLATES / name).read_text(encoding="utf-8"), f"templates/{name}", None


def compile_templates() -> None:
    """Compile every template, so that no start has to; what installs a box for another user calls this."""
    for template in sorted(_TEMPLATES.glob("*.html")):
        _environment().get_template(template.name)


def breakable(url: str) -> "markupsafe.Markup":
    """Write a URL so that a narrow screen breaks it between labels rather than in the middle of an address."""
    from markupsafe import Markup

    pieces = re.findall(r"[^./]*[./]*", str(as_text(url)))
    return Markup("<wbr>").join(Markup("<span class=piece>{}</span>").format(piece) for piece in pieces if piece)


def as_text(value: object) -> object:
    """Make what a template is given safe to read: no sign that is not text, and no more than a page can bear."""
    if not isinstance(value, str):
        return value
    cleaned = _NO_TEXT.sub("\ufffd", value)
    if hasattr(value, "__html__"):
        return type(value)(cleaned)
    return cleaned if len(cleaned) <= _LONGEST_TEXT else f"{cleaned[:_LONGEST_TEXT]}…"
