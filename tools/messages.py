"""Collect the sentences people read into ``src/lancert/locale/lancert.pot``, the source of every translation.

Sentences are what stands in ``N_()``, ``_()`` and the gettext functions of Python files, and in ``_()`` and
``{% trans %}`` of templates. The file names where a sentence comes from but no line numbers and no date, so that
it changes only when a sentence does. ``--check`` writes nothing and fails when the file is not up to date.
"""

import argparse
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "lancert"
TEMPLATE = SOURCE / "locale" / "lancert.pot"

METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
# A template Jinja2 cannot read is an error, not an empty harvest.
OPTIONS = {pattern: {"silent": "false", "encoding": "utf-8"} for pattern, method in METHODS if method == "jinja2"}
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}

HEADER = """\
# The sentences of lancert, in English. Written by "make messages"; translations live beside it.
msgid ""
msgstr ""
"Project-Id-Version: lancert\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="collect the sentences people read")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is not up to date")
    check = parser.parse_args(arguments).check
    wanted, count = collect()
    name = TEMPLATE.relative_to(ROOT)
    if check:
        if not TEMPLATE.is_file() or TEMPLATE.read_text(encoding="utf-8") != wanted:
            print(f"{name} is not up to date: run make messages", file=sys.stderr)
            return 1
        return 0
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_text(wanted, encoding="utf-8")
    print(f"{name}: {count} sentences")
    return 0


def collect() -> tuple[str, int]:
    """Give the whole template, and how many sentences it holds."""
    catalog = Catalog(charset="utf-8")
    found = extract_from_dir(
        SOURCE, METHODS, OPTIONS, KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True
    )
    for file, _line, sentence, comments, context in found:
        place = (SOURCE / file).relative_to(ROOT).as_posix()
        catalog.add(sentence, locations=[(place, 0)], auto_comments=comments, context=context)
    written = io.BytesIO()
    write_po(written, catalog, width=0, omit_header=True, sort_output=True, include_lineno=False)
    return HEADER + written.getvalue().decode("utf-8").lstrip("\n"), len(catalog)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
