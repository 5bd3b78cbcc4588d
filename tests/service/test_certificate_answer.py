"""The answer that brings a certificate: put together from pieces, and yet what the codec of the protocol writes."""

from datetime import UTC, datetime, timedelta

import pytest

from lancert.kit.clock import to_text
from lancert.protocol.messages import CertificateAnswer, RenewalWindow, encode
from lancert.service.api.answers import certificate_answer
from lancert.service.policy import renewal_window

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PEM = "-----BEGIN CERTIFICATE-----\nMIIB+/8=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("days", [45, 7])
@pytest.mark.parametrize("suffix", ["aaaaaaaaaaaaaaaa.lancert.localhost", "b.example"])
def test_an_answer_is_what_the_codec_writes(days: int, suffix: str) -> None:
    """Byte by byte, whatever was answered in the same second before."""
    end = START + timedelta(days=days)
    window = renewal_window(START, end)

    assert certificate_answer(PEM * 2, START, end, suffix) == encode(
        CertificateAnswer(
            chain=PEM * 2,
            not_before=to_text(START),
            not_after=to_text(end),
            renewal=RenewalWindow(start=to_text(window.start), end=to_text(window.end)),
            url_suffix=suffix,
        )
    )
