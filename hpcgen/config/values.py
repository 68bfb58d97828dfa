"""Convert the values of the run file to their types, and check them against their limits."""

import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import msgspec

from hpcgen.config.sections import SECTIONS
from hpcgen.errors import InputError

NO_TABLES: Mapping[str, type] = {}


def build(kind: type, table: Mapping[str, Any], where: str, tables: Mapping[str, type] = NO_TABLES) -> Any:
    """Return the dataclass `kind` with the values of `table`, the table of the key `where`.

    `tables` gives the types of fields that are tables and have no type in the dataclass.
    """
    types = typing.get_type_hints(kind) | dict(tables)
    declared = {f.name: f for f in fields(kind)}
    for key in table:
        if key not in declared:
            raise InputError(unknown(key, where, declared))
    values = {}
    for name, declaration in declared.items():
        key = f"{where}.{name}"
        if is_dataclass(types[name]):
            values[name] = build(types[name], subtable(table, name, where), key)
        elif name in table:
            values[name] = value_of(key, table[name], types[name], declaration.metadata)
        elif declaration.default is MISSING and declaration.default_factory is MISSING:
            raise InputError(f"{key} is missing; add {name} = ... under [{where}]")
    return kind(**values)


def value_of(key: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """Return `value` as `kind`, checked against `limits` (see `setting`).

    `kind` is a type, a list of a type, or a union of both. With limits["kinds"], `value` is a list of tables,
    and each table names its kind. Raises InputError, which says what is allowed.
    """
    if "kinds" in limits:
        return _tagged(key, value, limits["kinds"])
    if isinstance(value, str):
        value = limits.get("aliases", {}).get(value, value)
    lists = [option for option in (kind, *typing.get_args(kind)) if typing.get_origin(option) is list]
    item = typing.get_args(lists[0])[0] if lists else kind
    bounds = {name: limit for name, limit in limits.items() if name in ("ge", "gt", "le", "lt")}
    bounded: Any = typing.Annotated[item, msgspec.Meta(**bounds)] if bounds else item
    as_list = kind in lists or (lists and isinstance(value, list))
    try:
        result = msgspec.convert(value, list[bounded] if as_list else bounded)
        if any(
            isinstance(number, float) and not math.isfinite(number)
            for number in (result if as_list else [result])
        ):
            raise ValueError
        if "choices" in limits and result not in limits["choices"]:
            raise ValueError
    except (msgspec.ValidationError, ValueError):
        near = difflib.get_close_matches(str(value), limits.get("choices", ()), 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        one, many = (_allowed(item, is_list, limits) for is_list in (False, True))
        either = f"{one}, or {many}" if lists and kind not in lists else None
        raise InputError(
            f"{key} = {shown(value)}: must be {either or _allowed(item, bool(lists), limits)}{hint}"
        ) from None
    return result


def _tagged(key: str, value: Any, kinds: Mapping[str, type]) -> list[Any]:
    """Return the tables in the list `value` as objects, each of the kind that the table names."""
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise InputError(f"{key} = {shown(value)}: must be a list of tables, [[{key}]]")
    built = []
    for i, table in enumerate(value):
        if "kind" not in table:
            raise InputError(f"{key}[{i}].kind is missing; add kind = ..., one of {', '.join(kinds)}")
        kind = value_of(f"{key}[{i}].kind", table["kind"], str, {"choices": kinds})
        built.append(
            build(kinds[kind], {name: part for name, part in table.items() if name != "kind"}, f"{key}[{i}]")
        )
    return built


def _allowed(item: Any, is_list: bool, limits: Mapping[str, Any]) -> str:
    if "choices" in limits:
        return "one of " + ", ".join(limits["choices"])
    one, many = {
        int: ("an integer", "integers"),
        float: ("a number", "numbers"),
        str: ("a string", "strings"),
    }.get(item, ("true or false", "truth values"))
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = " and ".join(f"{signs[name]} {limit}" for name, limit in limits.items() if name in signs)
    return " ".join(filter(None, [f"a list of {many}" if is_list else one, bounds]))


def shown(value: Any) -> str:
    """Return a value as it is written in a run file."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def unknown(key: str, where: str, known: Iterable[str]) -> str:
    """Return the message for the unknown `key` under `where`, with the nearest known key of any table."""
    full = f"{where}.{key}" if where else key
    near = difflib.get_close_matches(key, known, 1)
    elsewhere = [f"{name}.{key}" for name, kind in SECTIONS.items() if key in {f.name for f in fields(kind)}]
    if near:
        hint = f"did you mean {where + '.' if where else ''}{near[0]}?"
    elif elsewhere:
        hint = f"did you mean {elsewhere[0]}?"
    else:
        hint = f"known here: {', '.join(sorted(known)) or 'nothing'}"
    return f"unknown key {full} ({hint})"


def subtable(table: Mapping[str, Any], name: str, where: str = "") -> dict[str, Any]:
    """Return the table `name` of a table, or an empty one. Raises InputError if the value is not a table."""
    value = table.get(name, {})
    if not isinstance(value, dict):
        key = f"{where}.{name}" if where else name
        raise InputError(f"{key} = {shown(value)}: must be a table, [{key}]")
    return value
