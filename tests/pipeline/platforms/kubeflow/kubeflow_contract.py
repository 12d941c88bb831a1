"""The official description of the Kubeflow Pipelines API, as a judge of requests and responses."""

import email.parser
import email.policy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema

_FILE = Path(__file__).parent / "contracts" / "kfp_api_v2beta1.swagger.json"
_QUERY_TYPES = {"string": str, "integer": int, "boolean": lambda text: {"true": True, "false": False}[text]}


class ContractError(Exception):
    """A request or a response that the API's description does not allow."""


@dataclass(frozen=True)
class Call:
    """A request that the description allows.

    Attributes:
        operation: Its ``operationId``.
        path: Values of the path's parameters.
        query: Values of the query's parameters, of their described types.
        body: The JSON body, or None.
        file: Content of the uploaded file, or None.
    """

    operation: str
    path: dict[str, str]
    query: dict[str, Any]
    body: Any = None
    file: bytes | None = None


class Contract:
    """Checks requests and responses against the API's description."""

    def __init__(self) -> None:
        self._swagger = json.loads(_FILE.read_text(encoding="utf-8"))
        self._definitions = {name: _closed(schema) for name, schema in self._swagger["definitions"].items()}
        self._routes = [
            (_pattern(path), method.upper(), operation)
            for path, methods in self._swagger["paths"].items()
            for method, operation in methods.items()
        ]

    def read(self, method: str, url: str, content_type: str, content: bytes) -> Call:
        """Return a request in parts; ContractError if the description does not allow it."""
        parts = urlsplit(url)
        path, operation = self._route(method, parts.path)
        described = {(one["in"], one["name"]): one for one in operation.get("parameters", [])}
        query = {}
        for name, text in parse_qsl(parts.query, keep_blank_values=True):
            parameter = described.get(("query", name))
            if parameter is None:
                raise ContractError(f"{operation['operationId']} takes no query parameter '{name}'")
            try:
                query[name] = _QUERY_TYPES[parameter["type"]](text)
            except (ValueError, KeyError) as error:
                raise ContractError(f"query parameter '{name}' can't be '{text}'") from error
            if text not in parameter.get("enum", [text]):
                raise ContractError(f"query parameter '{name}' can't be '{text}'")
        name, body, file = operation["operationId"], None, None
        for (place, _), parameter in described.items():
            if place == "body":
                body = self._read_body(name, parameter, content)
            elif place == "formData":
                file = _read_file(parameter["name"], content_type, content)
        return Call(name, path, query, body, file)

    def check_response(self, operation_id: str, status: int, content: Any) -> None:
        """Raise ContractError if the description does not allow this answer."""
        operation = next(one for _, _, one in self._routes if one["operationId"] == operation_id)
        responses = operation["responses"]
        described = responses.get(str(status), responses["default"])
        self._check(f"the answer to {operation_id}", described["schema"], content)

    def _route(self, method: str, path: str) -> tuple[dict[str, str], dict[str, Any]]:
        # "{run_id}" would also match "42:terminate": the longest literal text wins.
        found = [
            (len(pattern.pattern), match, operation)
            for pattern, verb, operation in self._routes
            if verb == method and (match := pattern.fullmatch(path))
        ]
        if not found:
            raise ContractError(f"the description knows no {method} {path}")
        _, match, operation = max(found, key=lambda one: one[0])
        return {name: value for name, value in match.groupdict().items() if value}, operation

    def _read_body(self, name: str, parameter: dict[str, Any], content: bytes) -> Any:
        if not content:
            if parameter.get("required"):
                raise ContractError(f"{name} needs a body")
            return None
        try:
            body = json.loads(content)
        except ValueError as error:
            raise ContractError(f"the body of {name} is not JSON") from error
        self._check(f"the body of {name}", parameter["schema"], body)
        return body

    def _check(self, what: str, schema: dict[str, Any], content: Any) -> None:
        validator = jsonschema.Draft4Validator(
            {**_closed(schema), "definitions": self._definitions}, format_checker=jsonschema.FormatChecker()
        )
        for error in validator.iter_errors(content):
            raise ContractError(f"{what} at {'.'.join(map(str, error.absolute_path)) or 'the top'}: {error.message}")


def _pattern(path: str) -> re.Pattern[str]:
    literal = re.sub(r"\{([\w.]+)\}", lambda found: f"(?P<{found[1].replace('.', '_')}>[^/:]+)", path)
    return re.compile(literal)


def _closed(schema: Any) -> Any:
    """Refuse properties that the description does not name; drop default values, which are no rules."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if "$ref" in closed:
        return {"$ref": closed["$ref"]}
    if isinstance(closed.get("properties"), dict) and "additionalProperties" not in closed:
        closed["additionalProperties"] = "@type" in closed["properties"]
    return closed


def _read_file(field: str, content_type: str, content: bytes) -> bytes:
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content
    )
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == field:
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload
    raise ContractError(f"the upload has no file '{field}'")
