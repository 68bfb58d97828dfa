"""The reference of the run file, made from the settings' own metadata.

python -m hpcgen.config.reference       prints docs/run-file.md's tables
"""

import typing
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

import msgspec

from hpcgen.config.differences import flat
from hpcgen.config.sections import SECTIONS, SEED
from hpcgen.models import MODELS
from hpcgen.models.networks.specs import LAYERS
from hpcgen.nn.optimizers import OPTIMIZERS, Optimizer

SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
# The fields of a [model] table that choose it, rather than belong to it.
CHOOSING = ("kind", "network")


class Key(typing.NamedTuple):
    """One key of the run file: its name, its default as TOML (None: it must be given), what is allowed, its
    help."""

    name: str
    default: str | None
    allowed: str
    help: str


def keys(kind: type) -> list[Key]:
    """Return the keys of a dataclass of settings. Tables within it are left out."""
    types = typing.get_type_hints(kind)
    return [_key(field, types[field.name]) for field in fields(kind) if types[field.name] is not Any]


def _key(field: Field, kind: Any) -> Key:
    default: Any = field.default
    if field.default_factory is not MISSING:
        default = field.default_factory()
    shown = None if default is MISSING else _toml(default)
    return Key(field.name, shown, _allowed(kind, field.metadata), field.metadata.get("help", ""))


def _allowed(kind: Any, limits: typing.Mapping[str, Any]) -> str:
    if "choices" in limits:
        return ", ".join(limits["choices"])
    lists = [option for option in (kind, *typing.get_args(kind)) if typing.get_origin(option) is list]
    item = typing.get_args(lists[0])[0] if lists else kind
    one = {int: "integer", float: "number", str: "string", bool: "true or false"}.get(item, "table")
    bounds = " and ".join(f"{SIGNS[name]} {limit}" for name, limit in limits.items() if name in SIGNS)
    either = f"{one}, or a list" if lists and kind not in lists else f"list of {one}s" if lists else one
    return " ".join(filter(None, [either, bounds]))


def tables() -> Iterator[tuple[str, list[Key]]]:
    """Yield (title, keys) of every table of the run file, in the order of the reference."""
    yield "top level", [Key("seed", "0", "integer >= 0", str(SEED["help"]))]
    for name, section in SECTIONS.items():
        yield f"[{name}]", keys(section)
    for kind, model in MODELS.items():
        seen: set[type] = set()
        for network, preset in model.NETWORKS.items():
            if preset.options not in seen:
                seen.add(preset.options)
                own = [key for key in keys(preset.options) if key.name not in CHOOSING]
                yield f"[model] of kind {kind}" + (f", network {network}" if len(seen) > 1 else ""), own
    architectures = {
        table for m in MODELS.values() for p in m.NETWORKS.values() for table in p.tables.values()
    }
    for table in sorted(architectures, key=lambda table: table.__name__):
        yield f"networks: {table.__name__}", keys(table)
    for name, layer in LAYERS.items():
        yield f"layer: {name}", keys(layer)
    shared = {field.name for field in fields(Optimizer)} - {"learning_rate"}
    yield "[optimizer], every optimizer", [key for key in keys(Optimizer) if key.name in shared]
    for name, optimizer in OPTIMIZERS.items():
        yield f"[optimizer] {name}", [key for key in keys(optimizer) if key.name not in shared]


def markdown() -> str:
    """Return the tables of the reference as Markdown."""
    lines = []
    for title, table in tables():
        lines += [f"### {title}", ""]
        if not table:
            lines += ["No keys.", ""]
            continue
        lines += ["| key | default | allowed | meaning |", "|---|---|---|---|"]
        for key in table:
            default = "must be given" if key.default is None else f"`{key.default}`"
            help = key.help.replace("|", "\\|")
            lines.append(f"| `{key.name}` | {default} | {key.allowed} | {help} |")
        lines.append("")
    lines += ["### presets", "", "| kind | network | its tables | what it sets |", "|---|---|---|---|"]
    for kind, model in MODELS.items():
        for network, preset in model.NETWORKS.items():
            made = ", ".join(f"[model.{name}]: {table.__name__}" for name, table in preset.tables.items())
            lines.append(f"| {kind} | `{network}` | {made or 'none'} | {_inline(preset.values)} |")
    return "\n".join(lines) + "\n"


def _inline(values: typing.Mapping[str, Any]) -> str:
    """Return the values of a preset as one cell."""
    return ", ".join(f"`{key} = {_toml(value)}`" for key, value in flat(dict(values)).items()) or "nothing"


def _toml(value: Any) -> str:
    """Return a value as TOML, in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return msgspec.toml.encode({"x": value}).decode().strip()[4:]


if __name__ == "__main__":
    print(markdown())
