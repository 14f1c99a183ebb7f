"""Whether what others hold on to still holds. Additions are allowed; nothing else is.

A schema of what we take must take everything that it took before. A schema of what we answer must still
promise what it promised: more properties and more values of an enumeration are additions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_ANY_TYPE = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


@dataclass
class Schemas:
    """Two versions of a schema, compared; `before` and `after` are the documents that references go to."""

    before: Json
    after: Json
    #: Whether the schemas describe what we take, or else what we answer.
    is_taken: bool
    _under_way: set[tuple[str, str]] = field(default_factory=set)

    def problems(self, old: Json, new: Json, where: str) -> list[str]:
        """Say what no longer holds, each with its place."""
        pair = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" in old and "$ref" in new:
            if pair in self._under_way:
                return []
            self._under_way.add(pair)
        try:
            return self._alternatives(_resolved(old, self.before), _resolved(new, self.after), where)
        finally:
            self._under_way.discard(pair)

    def _alternatives(self, old: Json, new: Json, where: str) -> list[str]:
        olds, news = _alternatives_of(old), _alternatives_of(new)
        found = list(_changed_default(old, new, where)) if self.is_taken else []
        for before in olds:
            fewest: list[str] = min((self._single(before, after, where) for after in news), key=len)
            found += fewest
        if not self.is_taken and len(news) > len(olds):
            found.append(f"{where}: may be something else than before")
        return found

    def _single(self, old: Json, new: Json, where: str) -> list[str]:
        old, new = _resolved(old, self.before), _resolved(new, self.after)
        checks = (self._types, self._values, self._bounds, self._properties, self._items)
        return [problem for check in checks for problem in check(old, new, where)]

    def _types(self, old: Json, new: Json, where: str) -> Iterator[str]:
        before, after = _types_of(old), _types_of(new)
        if self.is_taken and "number" in after:
            after |= {"integer"}
        if not (before <= after if self.is_taken else before == after):
            yield f"{where}: was {'/'.join(sorted(before))}, is {'/'.join(sorted(after))}"

    def _values(self, old: Json, new: Json, where: str) -> Iterator[str]:
        before, after = _values_of(old), _values_of(new)
        if self.is_taken and after is not None and before is None:
            yield f"{where}: only some values are taken now"
        if not self.is_taken and before is not None and after is None:
            yield f"{where}: was one of some values"
        for value in before or ():
            if after is not None and value not in after:
                yield f"{where}: the value {value!r} is gone"

    def _bounds(self, old: Json, new: Json, where: str) -> Iterator[str]:
        if old.get("format") != new.get("format"):
            yield f"{where}: the format changed"
        if not self.is_taken:
            return
        for name in ("pattern", "uniqueItems"):
            if new.get(name) and old.get(name) != new[name]:
                yield f"{where}: {name} is narrower"
        tighter: tuple[tuple[tuple[str, ...], Callable[[Any, Any], bool]], ...] = (
            (_LOWER_BOUNDS, lambda before, after: before is None or after > before),
            (_UPPER_BOUNDS, lambda before, after: before is None or after < before),
        )
        for names, is_tighter in tighter:
            for name in names:
                # Without it, as with 0, every length is taken.
                before = old.get(name, 0 if name in {"minLength", "minItems", "minProperties"} else None)
                if name in new and is_tighter(before, new[name]):
                    yield f"{where}: {name} is narrower"

    def _properties(self, old: Json, new: Json, where: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name}: is gone"
            else:
                yield from self.problems(schema, after[name], f"{where}.{name}")
        required, was_required = set(new.get("required", ())), set(old.get("required", ()))
        if more := (required - was_required if self.is_taken else was_required - required):
            yield f"{where}: {', '.join(sorted(more))} {'must' if self.is_taken else 'need not'} be there now"
        others, others_now = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(others, Mapping) and isinstance(others_now, Mapping):
            yield from self.problems(others, others_now, f"{where}.*")
        elif self.is_taken and "object" in _types_of(old) and _takes_less(others, others_now):
            yield f"{where}: other names are not taken any more"
        keys, keys_now = old.get("propertyNames", {}), new.get("propertyNames", {})
        if keys or keys_now:
            yield from self.problems(keys, keys_now, f"{where}.*")

    def _items(self, old: Json, new: Json, where: str) -> Iterator[str]:
        if "items" in old or "items" in new:
            yield from self.problems(old.get("items") or {}, new.get("items") or {}, f"{where}[]")
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield f"{where}: has other items"
        for place, (was, now) in enumerate(zip(before, after, strict=False)):
            yield from self.problems(was, now, f"{where}[{place}]")


def _resolved(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def _alternatives_of(schema: Json) -> list[Json]:
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return list(schema[name])
    types = schema.get("type")
    return [{**schema, "type": kind} for kind in types] if isinstance(types, list) else [schema]


def _types_of(schema: Json) -> frozenset[str]:
    if "type" not in schema:
        return _ANY_TYPE
    types = schema["type"]
    return frozenset([types] if isinstance(types, str) else types)


def _values_of(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _takes_less(others: Any, others_now: Any) -> bool:
    """Compare two `additionalProperties` of which one is no schema."""
    return others is not False and (others_now is False or (others is True and others_now is not True))


def _says_as_much(old: Any, new: Any) -> bool:
    """Tell whether the new value is the old one, where objects may have got further fields."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and _says_as_much(value, new[name]) for name, value in old.items())
    return bool(old == new)


def _changed_default(old: Json, new: Json, where: str) -> Iterator[str]:
    if "default" in old and ("default" not in new or not _says_as_much(old["default"], new["default"])):
        yield f"{where}: what is meant without it changed"


def openapi_problems(before: Json, after: Json) -> list[str]:
    """Compare two OpenAPI documents."""
    found = []
    for path, methods in before["paths"].items():
        for method, old in methods.items():
            new = after["paths"].get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            found += [f"{where}: is gone"] if new is None else _operation(before, after, old, new, where)
    gone = set(before["components"]["schemas"]) - set(after["components"]["schemas"])
    return found + [f"the schema {name} is gone: generated clients call it so" for name in sorted(gone)]


def _operation(before: Json, after: Json, old: Json, new: Json, where: str) -> list[str]:
    taken, answered = Schemas(before, after, is_taken=True), Schemas(before, after, is_taken=False)
    same = ("operationId", "security")
    found = [f"{where}: another {name}" for name in same if old.get(name) != new.get(name)]
    parameters = {(row["in"], row["name"]): row for row in new["parameters"]}
    for row in old["parameters"]:
        now = parameters.pop((row["in"], row["name"]), None)
        found += _described(taken, row, now, f"{where} ?{row['name']}")
    found += [f"{where}: {row['name']} must be given now" for row in parameters.values() if row["required"]]
    body, body_now = old.get("requestBody", {}), new.get("requestBody", {})
    if body_now.get("required") and not body.get("required"):
        found.append(f"{where}: a body must be given now")
    found += _contents(taken, body, body_now, f"{where} body")
    for status, answer in old["responses"].items():
        if status not in new["responses"]:
            found.append(f"{where}: {status} is gone")
        else:
            found += _contents(answered, answer, new["responses"][status], f"{where} {status}")
    return found


def _contents(schemas: Schemas, old: Json, new: Json, where: str) -> list[str]:
    now = new.get("content", {})
    return [
        problem
        for media, content in old.get("content", {}).items()
        for problem in _described(schemas, content, now.get(media), f"{where} {media}")
    ]


def _described(schemas: Schemas, old: Json, new: Json | None, where: str) -> list[str]:
    return [f"{where}: is gone"] if new is None else schemas.problems(old["schema"], new["schema"], where)


def tool_problems(before: Json, after: Json) -> list[str]:
    """Compare two lists of MCP tools."""
    found = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            found.append(f"{name}: is gone")
            continue
        schema, schema_now = old["inputSchema"], new["inputSchema"]
        found += Schemas(schema, schema_now, is_taken=True).problems(schema, schema_now, name)
        if old.get("annotations") != new.get("annotations"):
            found.append(f"{name}: other annotations")
    return found


def setting_problems(before: Json, after: Json) -> list[str]:
    """Compare the settings, each a JSON schema by its variable's name."""
    return Schemas(before, after, is_taken=True).problems(
        {"type": "object", "properties": before}, {"type": "object", "properties": after}, ""
    )


def command_problems(before: Json, after: Json) -> list[str]:
    """Compare two command lines: each command's parameters."""
    found = []
    for command, olds in before.items():
        news = after.get(command)
        if news is None:
            found.append(f"{command}: is gone")
            continue
        for name, old in olds.items():
            found += _parameter(old, news.get(name), f"{command} {name}")
        found += [
            f"{command} {name}: must be given" for name in set(news) - set(olds) if news[name]["required"]
        ]
    return found


def _parameter(old: Json, new: Json | None, where: str) -> list[str]:
    if new is None:
        return [f"{where}: is gone"]
    found = [f"{where}: {option} is gone" for option in set(old["options"]) - set(new["options"])]
    if new["required"] and not old["required"]:
        found.append(f"{where}: must be given now")
    found += [f"{where}: another {name}" for name in ("is_flag", "is_repeated") if old[name] != new[name]]
    return found + Schemas(old["schema"], new["schema"], is_taken=True).problems(
        old["schema"], new["schema"], where
    )


def removed_or_changed(before: Any, after: Any, where: str = "") -> list[str]:
    """Compare plain values: whatever was there is there and the same; lists are sets of names."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            problem
            for name, old in before.items()
            for problem in (
                removed_or_changed(old, after[name], f"{where}/{name}")
                if name in after
                else [f"{where}/{name}: is gone"]
            )
        ]
    if isinstance(before, list) and isinstance(after, list):
        return [f"{where}: {value} is gone" for value in before if value not in after]
    return [] if before == after else [f"{where}: was {before!r}, is {after!r}"]
