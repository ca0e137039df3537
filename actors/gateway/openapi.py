"""The description of the HTTP interface, OpenAPI 3.1, made from what its routes say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from squad import __version__
from squad.actors.gateway import shapes
from squad.actors.gateway.endpoint import Endpoint, Parameter
from squad.actors.gateway.shapes import Named, Schema

PATH = "/v1/openapi.json"
_NAMES = re.compile(r"{(\w+)}")
_VERSION: Schema = {"const": 1}


class Description:
    """``routes``: all that is described, itself included."""

    def __init__(self, squad: str) -> None:
        self._squad = squad
        self._routes: list[BaseRoute] = []

    def routes(self, others: Iterable[BaseRoute]) -> list[Route]:
        own = Endpoint("GET", PATH, self.show, "This description.", answer={"type": "object"})
        self._routes = [*others, own]
        return [own]

    async def show(self, request: Request) -> Response:
        return JSONResponse(document(self._squad, self._routes))


def document(squad: str, routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The description of those routes that are Endpoints."""
    components: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Endpoint):
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Squad: {squad}",
            "version": __version__,
            "description": "Served on the socket in the squad's home, and on loopback where the configuration says so.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Endpoint, components: dict[str, Any]) -> dict[str, Any]:
    names = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in _NAMES.findall(route.path)
    ]
    made: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.meaning,
        "parameters": names + [_parameter(parameter) for parameter in route.query],
        "responses": {
            str(route.status): {"description": HTTPStatus(route.status).phrase, "content": _content(route, components)},
            **{str(status): _also(route, meaning, components) for status, meaning in route.also.items()},
            "default": {
                "description": "What is wrong, and what to do next.",
                "content": {"application/json": {"schema": _resolved(_versioned(shapes.ERROR), components)}},
            },
        },
    }
    if route.body is not None:
        schema = _resolved(route.body, components)
        made["requestBody"] = {"required": True, "content": {route.body_type: {"schema": schema}}}
    return made


def _operation_id(route: Endpoint) -> str:
    """Of what other machines' watchers ask for, outside of ``/v1``, another kind: there is ``/metrics`` twice."""
    path = re.sub(r"[^a-z0-9]+", "_", route.path.removeprefix("/v1").lower()).strip("_")
    return f"{route.method.lower() if route.path.startswith('/v1/') else 'probe'}_{path}"


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.schema)
    made = {"name": parameter.name, "in": "query", "description": parameter.meaning, "schema": schema}
    if schema["type"] == "array":
        return {**made, "style": "form", "explode": False}  # one value, with commas
    if parameter.default is not None and "default" not in schema:
        schema["default"] = int(parameter.default) if isinstance(parameter.default, bool) else parameter.default
    return made


def _content(route: Endpoint, components: dict[str, Any]) -> dict[str, Any]:
    if isinstance(route.answer, str):
        return {route.answer: {"schema": {"type": "string"}}}
    versioned = route.answer if route.path == PATH else _versioned(route.answer)
    return {"application/json": {"schema": _resolved(versioned, components)}}


def _also(route: Endpoint, meaning: str, components: dict[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": _content(route, components)}


def _versioned(schema: Schema) -> Schema:
    """Every answer has the version of its shape."""
    version = {"type": "object", "properties": {"schema_version": _VERSION}, "required": ["schema_version"]}
    return {"allOf": [version, schema]}


def _resolved(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with references in place of what has a name; that is put into ``components``."""
    if isinstance(schema, Named):
        if schema.name not in components:
            components[schema.name] = {}  # it may hold itself
            components[schema.name] = _resolved(dict(schema), components)
        return {"$ref": f"#/components/schemas/{schema.name}"}
    if isinstance(schema, dict):
        return {key: _resolved(value, components) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_resolved(value, components) for value in schema]
    return schema
