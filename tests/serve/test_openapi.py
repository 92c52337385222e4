"""Requests made from the OpenAPI, right and wrong: every answer is one that it documents."""

import json
import os
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import TABLE

MANY = 1500 if os.environ.get("TERSGEN_ALL_FAULTS") else 400
NAMES = st.sampled_from(["small.zarr", "small.h5", "canonical", "x", "..", ".tersgen", "runs"])
TEXTS = st.text(max_size=20) | st.sampled_from(["where", "1e9", "-1", "null", "a" * 5000, "%00"])
NUMBERS = st.integers(-3, 400) | st.sampled_from([2**31, 2**53, 2**63, 10**30, -(10**30)])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def of_schema(schema, whole):
    """Return values that a schema allows, or nearly."""
    if "$ref" in schema:
        return of_schema(whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]], whole)
    for name in ("anyOf", "allOf", "oneOf"):
        if name in schema:
            return st.one_of(*(of_schema(one, whole) for one in schema[name]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        low, high = int(schema.get("minimum", -3)), int(schema.get("maximum", 400))
        return st.integers(low, min(high, low + 400)) | NUMBERS
    if kind == "string":
        return NAMES | TEXTS
    if kind == "object" and "properties" in schema:
        fields = {name: of_schema(one, whole) for name, one in schema["properties"].items()}
        needed = {name: fields.pop(name) for name in schema.get("required", ())}
        if "recipe" in needed:  # tables of settings
            needed["recipe"] = st.sampled_from([TABLE, {}]) | needed["recipe"]
        return st.fixed_dictionaries(needed, optional=fields) | VALUES
    if kind == "object":
        settings_of = st.dictionaries(st.sampled_from([*TABLE, "fields", "noise"]), VALUES)
        return settings_of | st.dictionaries(TEXTS, VALUES, max_size=3)
    return VALUES


@st.composite
def requests(draw, whole):
    """Return method, URL and arguments of a request."""
    path, method = draw(st.sampled_from(operations(whole)))
    operation = whole["paths"][path][method]
    query = {}
    for one in operation.get("parameters", ()):
        if one["in"] == "header":
            continue
        value = draw(of_schema(one["schema"], whole))
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(value), safe="") or "x")
        elif one.get("required") or draw(st.booleans()):
            query[one["name"]] = str(value)
    body = operation.get("requestBody")
    if body is None:
        return method, path, {"params": query}
    schema = body["content"].get("application/json", {}).get("schema")
    if schema is None:
        return method, path, {"params": query, "content": draw(st.binary(max_size=30))}
    return method, path, {"params": query, "content": json_text(draw(of_schema(schema, whole)))}


def json_text(value):
    return json.dumps(value).encode()


def operations(whole):
    """Return path and method of every operation that starts no process."""
    return [
        (path, method)
        for path, one in sorted(whole["paths"].items())
        for method in one
        if (path, method) not in (("/api/v1/jobs", "post"), ("/api/v1/libraries/{name}", "put"))
    ]


def ask(http, request):
    method, path, arguments = request
    headers = {"Content-Type": "application/json"}
    answer = http.request(method, path, headers=headers, **arguments)
    assert answer.status_code < 500, (request, answer.text)
    if answer.status_code >= 400 and method != "head" and answer.status_code != 416:
        error = answer.json()["error"]
        assert error.isprintable(), request
        assert len(error) < 3000, request


def test_every_operation_is_documented(http):
    whole = http.get("/api/v1/openapi.json").json()
    for path, method in operations(whole):
        operation = whole["paths"][path][method]
        assert operation["description"].endswith("."), path
        assert operation["tags"], path


@pytest.mark.parametrize(
    "n_examples", [50, pytest.param(MANY, marks=pytest.mark.exhaustive)]
)  # fmt: skip
def test_requests(service, http, n_examples):
    whole = http.get("/api/v1/openapi.json").json()

    @settings(max_examples=n_examples, deadline=None, suppress_health_check=[*HealthCheck])
    @given(requests(whole))
    def run(request):
        ask(http, request)

    run()
    assert service.process.poll() is None
