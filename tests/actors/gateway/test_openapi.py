"""The description of the HTTP interface: valid, complete, and true of what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from squad.actors.gateway.endpoint import Endpoint
from squad.testing import squad_of
from squad.testing.inprocess import InProcessSquad
from tests.faults.loading import Quick

NO_ID = "01a20066-4465-7000-a6f5-de2af55bb89b"
SILENT = {"/metrics", "/v1/openapi.json"}  # whose answers are no JSON documents of ours


@pytest.fixture(scope="module")
def squad() -> Iterator[InProcessSquad]:
    with squad_of(quick=Quick) as made:
        assert isinstance(made, InProcessSquad)
        yield made


def ask(squad: InProcessSquad, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = b"" if body is None else json.dumps(body).encode()
    status, content = squad.exchange(method, path, data, "application/json")
    return status, json.loads(content)


def routes(squad: InProcessSquad) -> list[Route]:
    return [route for route in squad._supervisor.gateway.app.routes if isinstance(route, Route)]


@pytest.fixture(scope="module")
def described(squad: InProcessSquad) -> dict[str, Any]:
    status, document = ask(squad, "GET", "/v1/openapi.json")
    assert status == 200
    return document


def test_it_is_valid(described: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(described).validate()
    names = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_it_has_every_route_of_the_application(squad: InProcessSquad, described: dict[str, Any]) -> None:
    found = {(method.lower(), route.path) for route in routes(squad) for method in (route.methods or set()) - {"HEAD"}}
    assert found == {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert all(isinstance(route, Endpoint) for route in routes(squad))


def strict(schema: Any) -> Any:
    """The schema, refusing fields of which it says nothing."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if "properties" in made and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def schema_of(described: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Of an answer, alone: with what it refers to, and without the version that each has."""
    responses = described["paths"][path][method.lower()]["responses"]
    good = next(answer for status, answer in responses.items() if status.startswith("2"))
    _, own = good["content"]["application/json"]["schema"]["allOf"]
    return {**strict(own), "components": strict(described["components"])}


def check(described: dict[str, Any], method: str, path: str, document: dict[str, Any]) -> None:
    assert document.pop("schema_version") == 1
    problems = list(Draft202012Validator(schema_of(described, method, path)).iter_errors(document))
    assert not problems, (path, document, problems[0].message)


def test_what_is_read_is_as_described(squad: InProcessSquad, described: dict[str, Any]) -> None:
    task = squad.send("quick", "take")
    squad.run()
    for path, methods in described["paths"].items():
        if "get" not in methods or path in SILENT or path == "/v1/convoys/{name}":
            continue
        status, document = ask(squad, "GET", path.replace("{id}", str(task)))
        assert status == 200 or path == "/readyz", (path, document)  # there are no processes to be ready
        check(described, "GET", path, document)


def test_writes_answer_as_described(squad: InProcessSquad, described: dict[str, Any]) -> None:
    done = [
        ("POST", "/v1/messages", "", {"recipient": "quick", "type": "take", "payload": {}}),
        ("POST", "/v1/messages/{id}/cancel", NO_ID, {}),
        ("POST", "/v1/dead/retry", "", {"filter": {}}),
        ("POST", "/v1/dead/drop", "", {"filter": {}, "dry_run": True}),
        ("POST", "/v1/pause", "", {"names": ["quick"], "reason": "why not"}),
        ("GET", "/v1/holds", "", None),
        ("GET", "/v1/queues", "", None),
        ("POST", "/v1/resume", "", {}),
        ("POST", "/v1/freeze", "", {"grace": None}),
        ("GET", "/v1/status", "", None),
        ("POST", "/v1/thaw", "", {}),
    ]
    for method, path, name, body in done:
        if name:
            _, sent = ask(
                squad, "POST", "/v1/messages", {"recipient": "quick", "type": "take", "payload": {}, "delay": 60}
            )
            status, document = ask(squad, method, path.replace("{id}", sent["id"]), body)
        else:
            status, document = ask(squad, method, path, body)
        assert status < 300, (path, document)
        check(described, method, path, document)


def test_every_body_takes_the_fields_that_are_described_and_no_other(
    squad: InProcessSquad, described: dict[str, Any]
) -> None:
    """What is not a field is refused before anything else is looked at; what is described is not refused as such."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is None or path == "/v1/messages" or path.startswith("/v1/schedules"):
                continue
            address = path.replace("{id}", NO_ID).replace("{name}", "quick")
            assert schema["additionalProperties"] is False, path
            status, answer = ask(squad, method.upper(), address, {"nonsense": 1})
            assert status in (404, 422), (path, answer)
            for field in schema["properties"]:
                _, answer = ask(squad, method.upper(), address, {field: None, "nonsense": 1})
                told = json.dumps(answer)
                assert f"'{field}' is not a field" not in told, (path, field, told)


def test_queries_are_read_as_described(squad: InProcessSquad, described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", ()):
            if parameter["in"] != "query":
                continue
            address = path.replace("{id}", NO_ID)
            for text in ("", "%00", "-1", "nan", "1e999", "9" * 30, "x" * 1001):
                status, answer = ask(squad, "GET", f"{address}?{parameter['name']}={text}")
                assert status in (200, 404, 422), (address, parameter, text, answer)
            status, answer = ask(squad, "GET", f"{address}?nonsense={parameter['name']}")
            assert status == 422 and "nonsense" in answer["error"]["message"]


def test_the_default_limit_and_pages(squad: InProcessSquad) -> None:
    for _ in range(5):
        squad.send("quick", "take")
    squad.run()
    found: list[str] = []
    before = ""
    while True:
        status, document = ask(squad, "GET", f"/v1/messages?limit=2&status=completed{before}")
        assert status == 200
        found += [message["id"] for message in document["messages"]]
        if document["next"] is None:
            break
        before = f"&before={document['next']}"
    assert len(found) == len(set(found)) >= 5
    assert found == sorted(found, reverse=True)
