# SPDX-License-Identifier: Apache-2.0
"""schema/openapi.yaml, held against what the daemon answers: every answer that a test reads whole has a path, a method, a status and a
media type that stand there, and JSON has the fields that stand there and no others. Objects are closed whether the description says so
or not, since a field that nobody described is what this is to find. Schemas become functions once, so that looking costs little."""
import functools
import gzip
import json
import re
import threading
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]

KEYWORDS = {"type", "enum", "const", "required", "properties", "items", "allOf", "oneOf", "additionalProperties", "propertyNames",
            "pattern", "minimum", "maximum", "maxItems", "format", "description", "default", "example", "examples", "$ref"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
METHODS = ("get", "put", "post", "delete")
# What may stand before a path: the host of a proxy's request, a token, the host of a pasted URL.
ALIAS = re.compile(r"^(https?://[^/]*)?(/-/t/[^/]*)?(/https?:/{1,2}[^/]*)?")
PROBLEM = "application/problem+json"
# What stands for more than one segment of a path.
LONG = {"call": "[^?]+", "handle": "[^?]+", "collection": "[^?]+", "member": "[^?]+", "page": "[^?]*", "version": r"\d+", "from": r"\d+", "to": r"\d+"}


class Contract:
    def __init__(self, text):
        self.document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.checks = {}
        self.compiling = threading.RLock()
        self.known = set()  # answers that were looked at already
        self.seen = set()  # (operationId, status) of what was answered
        self.paths = sorted(((as_pattern(template), template, item) for template, item in self.document["paths"].items()),
                            key=lambda row: -literal_length(row[1]))

    # ---- values -------------------------------------------------------------------------------------------------------

    def check(self, schema):
        """What looks at a value by this schema: a function that tells what is wrong, or None."""
        key = schema.get("$ref") or id(schema)
        with self.compiling:
            if key not in self.checks:
                self.checks[key] = lambda value: self.checks[key](value)  # for schemas that hold themselves
                self.checks[key] = self.compile(self.merged(schema))
            return self.checks[key]

    def merged(self, schema):
        """A schema with its allOf in it, since a part alone does not know what the others allow."""
        schema = follow(self.document, schema)
        unknown = set(schema) - KEYWORDS
        assert not unknown, f"schema/openapi.yaml has a schema with {sorted(unknown)}: is a text with a comma not quoted?"
        if "allOf" not in schema:
            return schema
        whole = {"type": "object", "properties": {}, "required": []}
        for part in (self.merged(part) for part in schema["allOf"]):
            whole["properties"] = {**whole["properties"], **part.get("properties", {})}
            whole["required"] = whole["required"] + part.get("required", [])
        return whole

    def compile(self, schema):
        if "oneOf" in schema:
            return one_of([self.check(choice) for choice in schema["oneOf"]])
        names = schema.get("type", [])
        names = [names] if isinstance(names, str) else names
        rules = [rule for rule in (of_type(names), of_values(schema), of_text(schema), of_number(schema)) if rule]
        if "array" in names:
            rules.append(of_items(self.check(schema["items"]) if "items" in schema else None))
        if "object" in names:
            rules.append(self.of_object(schema))
        return lambda value: next((fault for fault in (rule(value) for rule in rules) if fault), None)

    def of_object(self, schema):
        properties = {name: self.check(value) for name, value in schema.get("properties", {}).items()}
        required = schema.get("required", [])
        others = schema.get("additionalProperties", False)
        rest = self.check(others) if isinstance(others, dict) else None
        names = schema.get("propertyNames", {}).get("enum")

        def look(value):
            if not isinstance(value, dict):
                return None
            for name in required:
                if name not in value:
                    return f"has no {name}"
            for name, member in value.items():
                look_at = properties.get(name, rest)
                if names is not None and name not in names or look_at is None and others is not True:
                    return f"has {name}, which is not described"
                fault = look_at(member) if look_at else None
                if fault:
                    return f"{name}: {fault}"
            return None

        return look

    # ---- answers ------------------------------------------------------------------------------------------------------

    def operations(self, path):
        """The paths that it can be, as descriptions: a hub URL can be read in several ways, and a handle may end in a number."""
        found = [(template, item) for pattern, template, item in self.paths if pattern.fullmatch(path)]
        nearest = found[0][0].partition("{")[0] if found else ""
        return [row for row in found if row[0].partition("{")[0] == nearest]

    def fault(self, method, path, status, headers, body):
        """What is wrong with an answer, or None."""
        path = ALIAS.sub("", path).split("?")[0] or "/"
        media_type = headers.get("Content-Type", "").split(";")[0]
        known = (method, path, status, media_type, headers.get("Allow"), hash(body))
        if known in self.known:
            return None
        faults = []
        if status >= 400 and media_type == PROBLEM:
            faults += filter(None, [self.problem_fault(status, body)])
        if not faults:
            faults = [self.operation_fault(item, template, method, status, headers, media_type, body)
                      for template, item in self.operations(path)]
            if not faults and status < 400 and method != "OPTIONS":
                faults = ["no such path is described"]
        if faults and None not in faults:
            return "; ".join(faults)
        if len(self.known) < 100_000:
            self.known.add(known)
        return None

    def problem_fault(self, status, body):
        if not body:
            return None  # to HEAD
        problem = json.loads(body)
        fault = self.check({"$ref": "#/components/schemas/Problem"})(problem)
        if not fault and (problem["status"] != status or problem["type"] != f"urn:larder:{problem['code']}"):
            fault = f"status or type are not the answer's: {problem}"
        return fault and f"the problem {fault}"

    def operation_fault(self, item, template, method, status, headers, media_type, body):
        if status == 405 or method == "OPTIONS":
            return self.allow_fault(item, template, headers) if template.startswith("/api/") else None
        operation = item.get({"HEAD": "get"}.get(method, method.lower()))
        if not operation:
            return None if status >= 400 else f"{method} {template} is not described"
        responses = operation["responses"]
        response = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
        if response is None:
            return f"{method} {template} is not described to answer {status}"
        self.seen.add((operation["operationId"], str(status)))
        fault = self.response_fault(follow(self.document, response), method, media_type, body)
        return fault and f"{method} {template} {status}: {fault}"

    def response_fault(self, response, method, media_type, body):
        content = response.get("content", {})
        if not body and (method == "HEAD" or not content or response.get("x-may-be-empty")):
            return None
        ranges = [name for name in content if name in (media_type, "*/*")]
        if not ranges:
            return f"a body of {media_type or 'no type'} is not described; there is {sorted(content)}"
        schema = content[ranges[0]].get("schema") or {}
        if not media_type.endswith("json") or ranges[0] == "*/*" or not schema:
            return None
        return self.check(schema)(json.loads(body))

    @staticmethod
    def allow_fault(item, template, headers):
        told = set(re.split(r",\s*", headers.get("Allow", "")))
        described = {method.upper() for method in METHODS if method in item} | {"OPTIONS"}
        described |= {"HEAD"} if "GET" in described else set()
        return None if told == described else f"{template} has Allow {sorted(told)}, and {sorted(described)} are described"


def follow(document, node):
    while "$ref" in node:
        target = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        node = target
    return node


def literal_length(template):
    """How much of a path is fixed: the longest first is the nearest first."""
    return len(re.sub(r"\{\w+\}", "", template)) + (1000 if template.startswith("/api/") else 0)


def as_pattern(template):
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile("".join(LONG.get(part, "[^/?]+") if i % 2 else re.escape(part) for i, part in enumerate(parts)))


def of_type(names):
    if not names:
        return None
    classes = tuple(cls for name in names for cls in (TYPES[name] if isinstance(TYPES[name], tuple) else (TYPES[name],)))
    booleans = "boolean" in names

    def look(value):
        if isinstance(value, bool) and not booleans or not isinstance(value, classes):
            return f"is {json.dumps(value)[:80]}, no {' or '.join(names)}"
        return None

    return look


def of_values(schema):
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return values and (lambda value: None if value in values else f"is {value!r}, none of {values}")


def of_text(schema):
    pattern = TIME if schema.get("format") == "date-time" else re.compile("https?://.*") if schema.get("format") == "uri" else None
    pattern = re.compile(schema["pattern"]) if "pattern" in schema else pattern
    return pattern and (lambda value: None if not isinstance(value, str) or pattern.match(value)
                        else f"is {value!r}, not as {pattern.pattern}")


def of_number(schema):
    least, most = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    if "minimum" not in schema and "maximum" not in schema:
        return None
    return lambda value: None if not isinstance(value, int) or least <= value <= most else f"is {value}, not {least} to {most}"


def of_items(look_at):
    def look(value):
        if isinstance(value, list) and look_at:
            for i, item in enumerate(value):
                fault = look_at(item)
                if fault:
                    return f"[{i}] {fault}"
        return None

    return look


def one_of(choices):
    def look(value):
        faults = [choice(value) for choice in choices]
        return None if faults.count(None) == 1 else f"is {json.dumps(value)[:80]}: {'; '.join(filter(None, faults)) or 'several fit'}"

    return look


@functools.cache
def contract():
    return Contract((ROOT / "schema/openapi.yaml").read_text(encoding="utf-8"))


def hold(method, path, reply):
    """Fails where an answer of ours is not as described."""
    if not reply.headers.get("Server", "").startswith("larder/"):
        return
    packed = reply.body and reply.headers.get("Content-Encoding") == "gzip"
    fault = contract().fault(method, path, reply.status, reply.headers, gzip.decompress(reply.body) if packed else reply.body)
    assert not fault, f"schema/openapi.yaml: {method} {path[:200]}: {fault}\n{reply}"
