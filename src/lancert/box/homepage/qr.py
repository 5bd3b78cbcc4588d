"""A URL as a QR code (ISO/IEC 18004), drawn as SVG: dark on light with its quiet zone in every colour scheme."""

from functools import lru_cache
from itertools import groupby

from lancert.kit.lean import without

_QUIET_ZONE = 4


@lru_cache(maxsize=4)
def qr_code(url: str) -> bytes:
    """Draw the code."""
    with without("segno.writers"):  # PNG, PDF and the like, and half a megabyte behind them
        import segno  # 6 ms that the start of the box does not need

    rows = [bytes(row) for row in segno.make(url, error="m", micro=False).matrix_iter(border=_QUIET_ZONE)]
    size, lines = len(rows), "".join(f"M{x} {y}.5h{length}" for y, row in enumerate(rows) for x, length in _dark(row))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path stroke="#111816" d="{lines}"/></svg>'
    ).encode("ascii")


def _dark(row: bytes) -> list[tuple[int, int]]:
    """Give where dark modules begin, and how many there are side by side."""
    begins, found = 0, []
    for is_dark, modules in groupby(row):
        length = len(list(modules))
        if is_dark:
            found.append((begins, length))
        begins += length
    return found
