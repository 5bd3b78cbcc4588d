"""The API describes itself: every door is in the document, the document is valid, and what it says is true."""

import json
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import DataObject, data, sampled_from
from schemathesis.core.result import Ok
from starlette.routing import Route
from tests.service.harness import RunningService

from lancert.protocol import messages
from lancert.protocol.messages import shape_of
from lancert.service.api.openapi import describe_api
from lancert.service.api.pages import make_pages

CRL_PATH = "/crl/0123456789abcdef.crl"


@pytest.fixture(scope="module")
def document(shared: RunningService) -> Any:
    """The document as the service gives it."""
    answer = shared.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_the_document_is_valid(document: Any) -> None:
    """OpenAPI 3.1, readable by a foreign tool; its schemas are valid JSON Schema."""
    described = schemathesis.openapi.from_dict(document)
    found = {operation.ok().method for operation in described.get_all_operations() if isinstance(operation, Ok)}

    assert document["openapi"].startswith("3.1")
    assert found == {"get", "post"}
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.validator_for({**schema, "components": document["components"]})


def test_every_door_is_described(document: Any) -> None:
    """What is served is in the document, and nothing else is."""
    pages = make_pages(root_pem="", crl=lambda: b"", crl_path=CRL_PATH, openapi={})
    served = {route.path for route in pages.routes if isinstance(route, Route)}
    boxes = {f"/api/v1/{name}" for name in ("enrolments", "certificates", "reports")}

    assert set(describe_api(crl_path=CRL_PATH)["paths"]) == served | boxes


def test_every_described_door_opens(shared: RunningService, document: Any) -> None:
    """Pages answer 200, the box protocol asks for a signature."""
    for path, methods in document["paths"].items():
        for method in methods:
            answer = shared.client.request(
                method, path, headers={"content-type": "application/json"}, content=b"{}" if method == "post" else None
            )
            assert answer.status_code == (401 if method == "post" else 200), path
            assert str(answer.status_code) in methods[method]["responses"]


@pytest.mark.parametrize("kind", [messages.EnrolmentRequest, messages.CertificateRequest, messages.ReportRequest])
def test_a_request_is_described_as_strictly_as_it_is_read(document: Any, kind: type) -> None:
    """Fields, which of them are required, and that no others are taken."""
    schema = document["components"]["schemas"][kind.__name__]
    shapes = shape_of(kind)

    assert set(schema["properties"]) == set(shapes)
    assert set(schema["required"]) == {name for name, (_, is_required) in shapes.items() if is_required}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ({}, True),
        ({"name": ""}, False),
        ({"kind": "toaster"}, False),
        ({"counter": {"boot": -1, "count": 0}}, False),
        ({"version": "1 2"}, False),
        ({"admin": True}, False),
        ({"database": "short"}, False),
    ],
)
def test_the_description_refuses_what_the_service_refuses(document: Any, value: Any, is_valid: bool) -> None:
    """A client that checks against the document is not surprised by the service."""
    honest = {
        "counter": {"boot": 1, "count": 1},
        "contract": "C-1001",
        "database": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "kind": "iot-box",
        "name": "Front counter",
        "version": "0.1.0",
    }
    schema = {
        "$ref": "#/components/schemas/EnrolmentRequest",
        "components": document["components"],
    }

    assert jsonschema_rs.validator_for(schema).is_valid({**honest, **value}) is is_valid


@pytest.mark.parametrize("path", ["/api/v1/enrolments", "/api/v1/certificates", "/api/v1/reports"])
def test_whatever_a_signed_request_holds_the_answer_is_one_of_those_described(
    shared: RunningService, document: Any, path: str
) -> None:
    """Bodies made from the description, right and wrong ones, never end in an error of ours (F-71)."""
    operation = schemathesis.openapi.from_dict(document)[path]["POST"]
    statuses = set(document["paths"][path]["post"]["responses"])
    box = shared.enrolled()

    @given(data())
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    def send(draw: DataObject) -> None:
        mode = draw.draw(sampled_from([schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]))
        case = draw.draw(operation.as_strategy(generation_mode=mode))
        body = case.body if isinstance(case.body, dict | list | str | int | float | bool | None) else {}
        answer = box.post(path, json.dumps(body).encode())

        assert str(answer.status_code) in statuses - {"500", "503"}, answer.text
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")

    send()
