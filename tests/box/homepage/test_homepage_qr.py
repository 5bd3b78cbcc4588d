"""The QR code: what is drawn is the code, module by module."""

import re

import pytest
import segno

from lancert.box.homepage.qr import qr_code

URLS = (
    "https://192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com/",
    "https://fd12-3456-789a-bcde-f012-3456-789a-bcde.k3v7q2m4x5a6b7c2.a-zone-with-a-long-name.iot.example.com:18443/",
)


@pytest.mark.parametrize("url", URLS)
def test_every_dark_module_is_drawn_and_no_other(url: str) -> None:
    """A phone reads the secure address from it, quiet zone included (M6)."""
    drawn = qr_code(url).decode()
    code = segno.make(url, error="m", micro=False)
    (size,) = {int(one) for one in re.findall(r'viewBox="0 0 ([0-9]+) \1"', drawn)}
    dark = {
        (int(x) + step, int(y))
        for x, y, length in re.findall(r"M([0-9]+) ([0-9]+)\.5h([0-9]+)", drawn)
        for step in range(int(length))
    }

    assert size == code.symbol_size(border=4)[0]
    assert dark == {
        (x, y) for y, row in enumerate(code.matrix_iter(border=4)) for x, is_dark in enumerate(row) if is_dark
    }
    assert 'fill="#fff"' in drawn
