"""The description of the API for programs (OpenAPI 3.1), made from the messages themselves: it cannot lag behind."""

import dataclasses
import types
import typing
from enum import StrEnum
from typing import Annotated, Any

from lancert import __version__
from lancert.protocol.messages import (
    CertificateAnswer,
    CertificateRequest,
    EnrolmentAnswer,
    EnrolmentRequest,
    Many,
    Number,
    ProblemAnswer,
    ReportAnswer,
    ReportRequest,
    Text,
    shape_of,
)
from lancert.service.api.problems import (
    CSR_REFUSED,
    INTERNAL,
    KEY_NOT_USABLE,
    KINDS,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_AUTHENTICATED,
    NOT_JSON,
    PRIVATE_KEY_POSTED,
    REFUSED,
    REPLAYED,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    UNAVAILABLE,
    ProblemKind,
)

_ALWAYS = (
    MALFORMED,
    NOT_AUTHENTICATED,
    REPLAYED,
    METHOD_NOT_ALLOWED,
    TOO_SLOW,
    TOO_LARGE,
    NOT_JSON,
    TOO_MANY,
    INTERNAL,
    UNAVAILABLE,
)
_SIGNED = (
    "Signed by the identity key of the IoT system (Ed25519): HTTP message signature (RFC 9421) over method, authority, "
    "path and Content-Digest (RFC 9530), tag lancert-box-1. The body carries the counter, greater than the last one."
)
_SIGNATURE_HEADERS = {
    "Content-Digest": "`sha-256=:…:` of the body",
    "Signature-Input": '`sig1=("@method" "@authority" "@path" "content-digest");keyid="…";alg="ed25519";'
    'tag="lancert-box-1"`',
    "Signature": "`sig1=:…:`",
}


def describe_api(*, crl_path: str) -> dict[str, Any]:
    """Give the OpenAPI document."""
    schemas: dict[str, Any] = {}
    paths = {
        "/api/v1/enrolments": _call(
            schemas,
            "enrol",
            "First contact: the credential and who the IoT system is. The same identity again: the same answer.",
            EnrolmentRequest,
            EnrolmentAnswer,
            (REFUSED,),
        ),
        "/api/v1/certificates": _call(
            schemas,
            "requestCertificate",
            "Ask for a certificate. While one is young, asking again with the same key gives the same certificate.",
            CertificateRequest,
            CertificateAnswer,
            (REFUSED, CSR_REFUSED, PRIVATE_KEY_POSTED, KEY_NOT_USABLE),
        ),
        "/api/v1/reports": _call(
            schemas,
            "report",
            "Say which addresses the IoT system has, which certificate it serves and which problems it sees.",
            ReportRequest,
            ReportAnswer,
            (),
        ),
        "/root.pem": _page("rootCertificate", "The root certificate, to be trusted.", "application/x-pem-file"),
        crl_path: _page("revocationList", "The revoked certificates (RFC 5280, 5).", "application/pkix-crl"),
        "/openapi.json": _page("description", "This document.", "application/json"),
        "/healthz": _page("health", "Whether the service works.", "application/json"),
        "/": _page("index", "What this server is.", "text/html"),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lancert certificate service",
            "version": __version__,
            "description": "Certificates for IoT systems on private networks: the box protocol, version 1.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _call(
    schemas: dict[str, Any],
    name: str,
    summary: str,
    request: type,
    answer: type,
    more: tuple[ProblemKind, ...],
) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if kind in (*_ALWAYS, *more)]
    problem = {ProblemAnswer.MEDIA_TYPE: {"schema": _schema(ProblemAnswer, schemas, strict=False)}}
    responses: dict[str, Any] = {
        "200": {
            "description": "Done.",
            "content": {"application/json": {"schema": _schema(answer, schemas, strict=False)}},
        }
    }
    for status in sorted({kind.status for kind in kinds}):
        titles = [f"`{kind.name}`: {kind.title}." for kind in kinds if kind.status == status]
        responses[str(status)] = {"description": " ".join(titles), "content": problem}
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "description": _SIGNED,
            "parameters": [
                {"name": header, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
                for header, text in _SIGNATURE_HEADERS.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _schema(request, schemas, strict=True)}},
            },
            "responses": responses,
        }
    }


def _page(name: str, summary: str, media_type: str) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "responses": {"200": {"description": summary, "content": {media_type: {}}}},
        }
    }


def _schema(kind: Any, schemas: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *rules = typing.get_args(kind)
        made = _schema(inner, schemas, strict=strict)
        for rule in rules:
            made |= _rule(rule)
        return made
    if origin is types.UnionType:
        return {"anyOf": [_schema(option, schemas, strict=strict) for option in typing.get_args(kind)]}
    if origin is list:
        return {"type": "array", "items": _schema(typing.get_args(kind)[0], schemas, strict=strict)}
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if dataclasses.is_dataclass(kind):
        return _object(kind, schemas, strict=strict)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"type": "string", "enum": list(kind)}
    return {"type": {int: "integer", str: "string", types.NoneType: "null"}[kind]}


def _object(kind: Any, schemas: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    name = kind.__name__
    if name not in schemas:
        shapes = shape_of(kind)
        schemas[name] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip(),
            "properties": {field: _schema(shape, schemas, strict=strict) for field, (shape, _) in shapes.items()},
            "required": [field for field, (_, is_required) in shapes.items() if is_required],
            # The service refuses fields it does not know; an answer may have more than an older box knows.
            "additionalProperties": not strict,
        }
    return {"$ref": f"#/components/schemas/{name}"}


def _rule(rule: Any) -> dict[str, Any]:
    match rule:
        case Text(most=most, least=least, pattern=pattern):
            limits: dict[str, Any] = {"minLength": least, "maxLength": most}
            return limits if pattern is None else {**limits, "pattern": f"^(?:{pattern})$"}
        case Number(least=least, most=most):
            return {"minimum": least, "maximum": most}
        case Many(most=most):
            return {"maxItems": most}
        case _:
            raise TypeError(f"{rule!r} has no words in OpenAPI")
