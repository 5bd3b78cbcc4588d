"""``lancert explain CODE``: a row of the problem catalogue, on the terminal."""

import json
import textwrap

import click

from lancert.kit.language import Translate, fill, translation
from lancert.kit.settings import reader_languages
from lancert.protocol.problems import CATALOGUE, CRITERIA, LOAD_REQUEST_NO_RESULT, Problem, find_problem

_UNFILLED = {
    "server": "the server",
    "proxy": "…",
    "firewall": "…",
    "port": "…",
    "needed": "4 or 6",
    "here": "6 or 4",
    "status": "NNN",
    "reference": "…",
    "environment": "…",
    "used": "…",
    "quantity": "…",
}


@click.command()
@click.argument("code", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the row as JSON.")
def command(code: tuple[str, ...], as_json: bool) -> None:
    """Say what an error code means and what to do about it.

    \b
    Examples:
      lancert explain                                        list the codes
      lancert explain ERR_IOT_HTTPS_LOAD_NO_CREDENTIAL
      lancert explain LOAD_REQUEST_STATUS 404
    """
    translate = translation(reader_languages()).gettext
    if not code:
        for row in CATALOGUE:
            click.echo(f"{row.code:<42} {translate(row.title)}")
        click.echo("\nFor one of them: lancert explain CODE")
        return
    row_found = find_problem(" ".join(code))
    if row_found is None:
        known = "\n".join(f"  {row.code}" for row in CATALOGUE)
        raise click.UsageError(f"“{' '.join(code)}” is not one of the codes:\n{known}")
    # A code is copied as two words, or in quotes as one; some type its digits alone.
    status = next((word for word in " ".join(code).split() if len(word) == 3 and word.isdigit()), None)
    words = {**_UNFILLED, **({"status": status} if status else {})}
    if as_json:
        click.echo(json.dumps(_document(row_found, words, translate), indent=2, ensure_ascii=False))
    else:
        _print(row_found, words, translate)


def _document(row: Problem, words: dict[str, str], translate: Translate) -> dict[str, object]:
    return {
        "code": row.code,
        "title": translate(row.title),
        "meaning": fill(translate(row.meaning), words),
        "remedy": [fill(translate(step), words) for step in row.remedy],
        "reader": row.reader.value,
        "causes": [
            {
                "id": cause.id,
                "meaning": fill(translate(cause.meaning), words),
                "remedy": [fill(translate(step), words) for step in cause.remedy],
            }
            for cause in row.causes
        ],
        "criteria": [
            {"criterion": criterion.value, "meaning": fill(translate(text.meaning), words)}
            for criterion, text in CRITERIA.items()
            if row is LOAD_REQUEST_NO_RESULT
        ],
    }


def _print(row: Problem, words: dict[str, str], translate: Translate) -> None:
    click.secho(row.code, bold=True)
    click.echo(translate(row.title))
    _paragraph(fill(translate(row.meaning), words), "")
    click.echo("\nWhat to do")
    for number, step in enumerate(row.remedy, 1):
        _paragraph(fill(translate(step), words), f"  {number}. ")
    if row.causes:
        click.echo("\nCauses, each named on the homepage when it is found")
    for cause in row.causes:
        _paragraph(fill(translate(cause.meaning), words), f"  {cause.id:<16} ")
        for step in cause.remedy:
            _paragraph("→ " + fill(translate(step), words), " " * 19)
    if row is LOAD_REQUEST_NO_RESULT:
        click.echo("\nConditions for a certificate")
        for criterion, text in CRITERIA.items():
            click.echo(f"  {criterion.value}")
            _paragraph(fill(translate(text.meaning), words), " " * 4)
            _paragraph("→ " + fill(translate(text.remedy), words), " " * 4)


def _paragraph(text: str, lead: str) -> None:
    text = text[:1].upper() + text[1:]
    wrapped = textwrap.wrap(text, width=96, initial_indent=lead, subsequent_indent=" " * len(lead))
    click.echo("\n".join(wrapped))
