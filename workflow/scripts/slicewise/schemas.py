"""Documents against schemas: defaults filled in, types mended, mistakes told in plain words."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from slicewise.problems import Problem, wrong

FOLDER = Path(__file__).resolve().parents[2] / "schemas"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads YAML without running code from it. Every job reads the config anew; the parser in C, which
most builds of PyYAML have, is ten times faster."""

_IN_WORDS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
}


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite_number(_checker: Any, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return number and math.isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return False


# Infinity and not-a-number pass every comparison of JSON Schema's, so they must fail as types.
# And 2.0 is an integer for it, but neither an index nor a size for numpy and torch.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_finite_number, "integer": _is_integer}
    ),
)


def read_schema(name: str) -> dict:
    """Return the schema called `name` (config, dataset or plans) of workflow/schemas."""
    return yaml.load((FOLDER / f"{name}.schema.yaml").read_text(encoding="utf-8"), LOADER)


def resolved(schema: dict, root: dict) -> dict:
    """Return a schema with what its $ref points to in `root`, its own keywords before those."""
    if "$ref" not in schema:
        return schema
    target = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolved(target, root), **{k: v for k, v in schema.items() if k != "$ref"}}


def with_defaults(document: Any, schema: dict) -> Any:
    """Return a document with the defaults of its schema filled in, its keys in the schema's order.

    In that order two documents that say the same are equal as text too, whatever they spell out.
    Defaults behind a $ref stay out: a reference holds what overrides a section given elsewhere.
    """
    if not isinstance(document, dict):
        return document
    properties = schema.get("properties", {})
    defaults = {key: child["default"] for key, child in properties.items() if "default" in child}
    filled = {**defaults, **document}
    others = schema.get("additionalProperties") or {}
    order = {key: place for place, key in enumerate(properties)}
    return {
        key: with_defaults(filled[key], properties.get(key, others))
        for key in sorted(filled, key=lambda key: order.get(key, len(order)))
    }


def with_types(document: Any, schema: dict, root: dict) -> Any:
    """Return a document with its scalars in the types that the schema asks for, where clear.

    Values of the command line arrive as text ("true", "0.5"), and so does 3e-5 in YAML. Integers
    become floats where the schema asks for numbers, so that 12 and 12.0 are one setting. What
    cannot be read stays as it is, for `problems` to tell.
    """
    schema = resolved(schema, root)
    if isinstance(document, dict):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties") or {}
        return {
            key: with_types(value, properties.get(key, others), root)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [with_types(item, schema.get("items", {}), root) for item in document]
    return _with_type(document, schema)


def _with_type(value: Any, schema: dict) -> Any:
    """Return one scalar in the type that its schema asks for, or as it is."""
    types = _types(schema)
    if isinstance(value, bool):
        return value
    if "enum" in schema:
        return next((m for m in schema["enum"] if m == value or str(m) == value), value)
    if isinstance(value, str) and value.strip().lower() in ("null", "~") and "null" in types:
        return None
    if isinstance(value, str) and "string" not in types:
        value = _read(value, types)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if "number" in types:
        return float(value)
    return int(value) if "integer" in types and float(value).is_integer() else value


def _read(text: str, types: list[str]) -> Any:
    """Return what a text says if one of the types can hold it, else the text."""
    word = text.strip().lower()
    if "boolean" in types and word in ("true", "false"):
        return word == "true"
    if {"integer", "number"} & set(types):
        for read in (int, float):
            with suppress(ValueError):
                return read(word)
    return text


MISSING = "missing"


@dataclass(frozen=True)
class Mistake:
    """A mistake of a document: the dotted key, what was found there, what to write in its place."""

    key: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.found}; {self.remedy}"

    def problem(self, path: str | Path, mend: str = "") -> Problem:
        """Return the mistake as the problem of a file."""
        found = f"{self.key}: {self.found.removeprefix('found ')}"
        if self.found == MISSING:
            found = f"no {self.key}"
        expected = self.remedy.removeprefix("allowed: ").removeprefix("give ")
        return wrong(path, found, expected, mend)


def mistakes(document: Any, schema: dict) -> list[Mistake]:
    """Return every mistake of a document, in the order of its keys."""
    odd = [
        Mistake(str(key), "not a text key", "put it in quotes")
        for key in _keys_that_are_not_text(document)
    ]
    if odd:
        return odd
    errors = sorted(_Validator(schema).iter_errors(document), key=lambda e: list(map(str, e.path)))
    return list(dict.fromkeys(one for error in errors for one in _mistakes(error, schema)))


def problems(document: Any, schema: dict) -> list[str]:
    """Return every mistake of a document, one line each: the key, what was found, what may be."""
    return [str(mistake) for mistake in mistakes(document, schema)]


def allowed(schema: dict, root: dict) -> str:
    """Return in words what a schema allows: "an integer, at least 1, or null"."""
    schema = resolved(schema, root)
    types = _types(schema)
    if "x-allowed" in schema:
        words = schema["x-allowed"]
    elif "enum" in schema:
        words = _either([str(member) for member in schema["enum"]])
    elif "properties" in schema:
        words = f"a mapping of {', '.join(schema['properties'])}"
    else:
        kinds = _either([_IN_WORDS[name] for name in types if name != "null" or len(types) == 1])
        words = ", ".join([kinds or "any value", *_limits(schema)])
        if "items" in schema:
            words += f", each of them {allowed(schema['items'], root)}"
    return f"{words}, or null" if "null" in types and words != "null" else words


def type_names(schema: dict, root: dict) -> str:
    """Return the types that a schema allows: integer or null."""
    schema = resolved(schema, root)
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    types = _types(schema) or list(dict.fromkeys(kinds[type(v)] for v in schema["enum"]))
    if "items" in schema:
        types = [f"list of {type_names(schema['items'], root)}s", *types[1:]]
    return _either(["text" if name == "string" else name for name in types])


def _types(schema: dict) -> list[str]:
    """Return the types of a schema as a list."""
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _either(words: list[str]) -> str:
    """Return words as a choice: a, b or c."""
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _limits(schema: dict) -> list[str]:
    """Return the limits of a number or a list, each in words."""
    texts = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
        "minItems": "at least {} long",
        "maxItems": "at most {} long",
        "uniqueItems": "none twice",
        "minProperties": "with at least {} keys",
    }
    limits = {key: text.format(schema[key]) for key, text in texts.items() if key in schema}
    if schema.get("minItems") == schema.get("maxItems", 0):
        limits = {"exact": f"{schema['minItems']} long", **limits}
        del limits["minItems"], limits["maxItems"]
    return list(limits.values())


def _keys_that_are_not_text(document: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted paths of keys such as 1 or yes, which YAML reads as a number or a truth."""
    if isinstance(document, list):
        for item in document:
            yield from _keys_that_are_not_text(item, path)
    if isinstance(document, dict):
        for key, value in document.items():
            if not isinstance(key, str):
                yield f"{path}{key}"
            yield from _keys_that_are_not_text(value, f"{path}{key}.")


def _mistakes(error: jsonschema.ValidationError, root: dict) -> Iterator[Mistake]:
    """Yield what one error of the validator means, a mistake for each key that it is about."""
    where = _dotted(error.path)
    inside = f"{where}." if where else ""
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        for key in sorted(set(error.instance) - set(known)):
            found = f"unknown key (its value: {_shown(error.instance[key])})"
            yield Mistake(f"{inside}{key}", found, _hint(key, error.schema, root))
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                child = error.schema.get("properties", {}).get(key, {})
                yield Mistake(f"{inside}{key}", MISSING, f"allowed: {allowed(child, root)}")
    elif error.validator == "dependentRequired":
        needed = dict.fromkeys(
            k for key in error.instance for k in error.validator_value.get(key, ())
        )
        for key in [key for key in needed if key not in error.instance]:
            found = f"{MISSING} beside {' and '.join(error.instance)}"
            remedy = f"give {allowed(error.schema['properties'][key], root)}"
            yield Mistake(f"{inside}{key}", found, remedy)
    elif error.validator == "anyOf" and all(set(s) == {"required"} for s in error.validator_value):
        names = [name for option in error.validator_value for name in option["required"]]
        yield Mistake(f"{inside}{names[0]}", MISSING, f"give {_either(names)}")
    elif "propertyNames" in error.absolute_schema_path:
        name = _shown(error.instance)
        remedy = f"allowed: {allowed(error.schema, root)}"
        yield Mistake(f"{inside}{error.instance}", f"{name} cannot be a name here", remedy)
    elif error.validator in ("minProperties", "maxProperties") and "x-unknown" in error.schema:
        found = " and ".join(error.instance) or "nothing"
        yield Mistake(where, f"found {found}", error.schema["x-unknown"])
    else:
        found = f"found {_shown(error.instance)}"
        yield Mistake(where or "top level", found, f"allowed: {allowed(error.schema, root)}")


def _hint(key: str, schema: dict, root: dict) -> str:
    """Return what a misspelt or misplaced key may have meant."""
    known = schema["properties"]
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    for section, child in [*known.items(), *root.get("properties", {}).items()]:
        if key in resolved(child, root).get("properties", {}):
            return f"it belongs in {section}"
    return schema.get("x-unknown", f"known here: {', '.join(known)}")


def _dotted(path: Iterator[str | int]) -> str:
    """Return a path as it is read: cross_validation.run[1]."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def _shown(value: Any) -> str:
    """Return a value as JSON writes it, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
