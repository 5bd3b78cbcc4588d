"""No private key can be kept or sent by the service: there is no column and no field for one (S-01)."""

import dataclasses
import inspect
import re
import sqlite3

import pytest
from cryptography.hazmat.primitives import serialization
from tests.service.harness import RunningService

from lancert.protocol import messages
from lancert.service.store.engine import DATABASE_FILE
from lancert.service.store.schema import metadata

_SUSPECT = re.compile(r"private|secret|passphrase|password|key")
_PUBLIC = {("issuances", "key_hash"), ("issuances", "public_key"), ("blocked_keys", "key_hash")}


def test_no_column_is_for_a_private_key() -> None:
    """Every column whose name speaks of a key is one of those that hold public ones."""
    suspects = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if _SUSPECT.search(column.name)
    }

    assert suspects == _PUBLIC


def test_no_field_of_a_message_is_for_a_private_key() -> None:
    """Neither direction of the protocol has a place for one."""
    kinds = [kind for _, kind in inspect.getmembers(messages, dataclasses.is_dataclass)]
    fields = {field.name for kind in kinds for field in dataclasses.fields(kind)}

    assert "csr" in fields
    assert not {name for name in fields if _SUSPECT.search(name)}


@pytest.mark.promise("M2")
def test_after_an_issuance_no_private_key_is_in_the_database(service: RunningService) -> None:
    """Looked for by its own bytes, in every form it could have, after a certificate was issued for it."""
    box = service.enrolled()
    assert box.ask().status_code == 200
    number = box.key.private_numbers().private_value
    forms = [
        number.to_bytes(32, "big"),
        format(number, "064x").encode(),
        box.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        box.identity_key.private_bytes_raw(),
    ]
    content = b"".join(path.read_bytes() for path in service.folder.glob(f"{DATABASE_FILE}*"))

    assert b"PRIVATE KEY" not in content
    assert not any(form in content for form in forms)
    with sqlite3.connect(service.folder / DATABASE_FILE) as database:
        assert database.execute("SELECT count(*) FROM issuances").fetchone() == (2,)
    database.close()
