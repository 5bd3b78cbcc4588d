"""Pages from templates, and the style and pictures beside them; nothing is read or compiled before the first page.

Everything that is put into a template is escaped; signs that are no text (control characters, surrogates, overrides
of the writing direction) become a visible replacement first, so that no field can rearrange the page around it.
"""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lancert.box.homepage.exchange import Answer
from lancert.box.homepage.speech import Speech

if TYPE_CHECKING:
    import jinja2
    import markupsafe

_HERE = Path(__file__).parent
_LONGEST_TEXT = 4_000
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")

HTML = "text/html; charset=utf-8"
_FOR_A_YEAR = ("cache-control", "public, max-age=31536000, immutable")
_PICTURES = {"style.css": "text/css; charset=utf-8", "favicon.svg": "image/svg+xml"}


def draw(
    template: str,
    speech: Speech,
    *,
    status: int = 200,
    has_form: bool = False,
    headers: tuple[tuple[str, str], ...] = (),
    **values: Any,
) -> Answer:
    """Draw a page in the reader's language."""
    written = (
        _environment()
        .get_template(template)
        .render(
            gettext=speech.gettext,
            ngettext=speech.ngettext,
            language=speech.language,
            style=f"/style.css?{_picture('style.css')[1]}",
            icon=f"/favicon.svg?{_picture('favicon.svg')[1]}",
            **values,
        )
    )
    return Answer(
        status=status,
        body=written.encode("utf-8", errors="replace"),
        media_type=HTML,
        headers=(("content-language", speech.language), *headers),
        has_form=has_form,
    )


def picture(name: str) -> Answer:
    """Give the style sheet or the sign in the browser's tab; pages name them by their content, so they keep."""
    return Answer(body=_picture(name)[0], media_type=_PICTURES[name], headers=(_FOR_A_YEAR,))


@cache
def _picture(name: str) -> tuple[bytes, str]:
    content = (_HERE / "static" / name).read_bytes()
    return content, sha256(content).hexdigest()[:12]


@cache
def _environment() -> "jinja2.Environment":
    import jinja2  # 12 ms that the start of the box does not need

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
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
