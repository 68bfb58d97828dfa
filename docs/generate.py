"""Generate the tables of the documentation from the code.

    python docs/generate.py

The text of the pages in docs/ does not change. A table is between the lines `<!-- table: NAME -->` and
`<!-- end -->`. It is made from the declarations of settings and arguments: type, default, limits and a line
of help. tests/docs/test_pages.py fails if a page differs from the code.
"""

import argparse
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import msgspec

from hpcgen.commands import Parser, parser
from hpcgen.config.reading import parse_config
from hpcgen.config.sections import SECTIONS, SEED
from hpcgen.models import MODELS
from hpcgen.models.networks.specs import LAYERS
from hpcgen.nn.optimizers import OPTIMIZERS, Optimizer

PAGES = Path(__file__).parent
# The meaning of an optimizer's `name`. It chooses the dataclass of the table, and is not a field of it.
OPTIMIZER_NAME = "which optimizer"
TABLE = re.compile(r"(<!-- table: ([\w /-]+) -->\n).*?(<!-- end -->)", re.S)


def main() -> None:
    """Rewrite the tables of all pages."""
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text()
        made = rewritten(text)
        if made != text:
            page.write_text(made)
            print(page)


def rewritten(text: str) -> str:
    """Return a page with new tables."""
    return TABLE.sub(lambda match: f"{match[1]}{table(match[2])}\n{match[3]}", text)


def table(name: str) -> str:
    """Return the table of this name, which is a kind of table and its subject."""
    kind, _, of = name.partition(" ")
    return TABLES[kind](*([of] if of else []))


def table_of(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


# Settings


def section_table(name: str) -> str:
    """Return the settings of a section of the run file."""
    return settings_table(fields(SECTIONS[name]), SECTIONS[name])


def optimizer_table() -> str:
    """Return the settings that all optimizers share, with the defaults of the default optimizer."""
    shared = [field.name for field in fields(Optimizer)]
    mine = {field.name: field for field in fields(OPTIMIZERS["adam"])}
    first = ["`name`", '`"adam"`', choices(OPTIMIZERS), OPTIMIZER_NAME]
    body = settings_table([mine[name] for name in shared], OPTIMIZERS["adam"]).split("\n")
    return "\n".join([*body[:2], table_of(first, []).split("\n")[0], *body[2:]])


def model_table(kind: str) -> str:
    """Return the settings in [model] for a kind of model, without subtables."""
    networks = MODELS[kind].NETWORKS
    rows = []
    seen: set[str] = set()
    for preset in networks.values():
        for field in fields(preset.options):
            if field.name in ("kind", "network", *preset.tables) or field.name in seen:
                continue
            seen.add(field.name)
            having = [other for other, each in networks.items() if _has(each.options, field.name)]
            only = "" if len(having) == len(networks) else f" (network {choices(having)})"
            default = preset.values.get(field.name, default_of(field))
            key, _, allowed, meaning = setting_row(field, preset.options)
            rows.append([key, shown(default), allowed, meaning + only])
    return table_of(("key", "default", "allowed", "meaning"), rows) if rows else "It has no keys of its own."


def architecture_table(name: str) -> str:
    """Return the settings of an architecture's table, such as [model.generator]."""
    from hpcgen.models.networks import architectures

    kind = getattr(architectures, name)
    return settings_table(fields(kind), kind)


def layers_table() -> str:
    """Return the layers that a run file can name, and their keys."""
    rows = []
    for name, spec in LAYERS.items():
        keys = [_key_and_default(field) for field in fields(spec)]
        rows.append([f"`{name}`", summary(spec), ", ".join(keys) or "none"])
    keys_of = {field.name: meaning(field) for spec in LAYERS.values() for field in fields(spec)}
    return f"{table_of(('kind', 'layer', 'keys and defaults'), rows)}\n\n{_keys(keys_of)}"


def summary(kind: type) -> str:
    """Return the first line of a class's docstring, without its full stop."""
    return str(kind.__doc__).split("\n")[0].removesuffix(".")


def optimizers_table() -> str:
    """Return the optimizers and their own keys."""
    shared = {field.name for field in fields(Optimizer)} - {"learning_rate"}
    rows = [
        [f"`{name}`", ", ".join(_key_and_default(f) for f in fields(kind) if f.name not in shared)]
        for name, kind in OPTIMIZERS.items()
    ]
    keys = {f.name: meaning(f) for kind in OPTIMIZERS.values() for f in fields(kind)}
    own = {name: text for name, text in keys.items() if name not in shared}
    return f"{table_of(('name', 'keys and defaults'), rows)}\n\n{_keys(own)}"


def run_file_table() -> str:
    """Return a whole run file with the defaults and the meaning of each key."""
    config = parse_config('data.path = "data/digits.h5"')
    given = {**config.table(), "data": {**config.table()["data"], "path": "data/digits.h5"}}
    options = MODELS[given["model"]["kind"]].NETWORKS[given["model"]["network"]]
    lines = list(_toml({"seed": (given["seed"], str(SEED["help"]))}))
    lines += _toml_section("model", given["model"], options.options)
    for table_name, kind in options.tables.items():
        lines += _toml_section(f"model.{table_name}", given["model"][table_name], kind)
    lines += _toml_section("data", given["data"], SECTIONS["data"])
    lines += _toml_section("train", given["train"], SECTIONS["train"])
    optimizer = next(iter(given["optimizer"].values()))
    lines += _toml_section("optimizer", optimizer, OPTIMIZERS[optimizer["name"]])
    for name in SECTIONS:
        if name not in ("data", "train"):
            lines += _toml_section(name, given[name], SECTIONS[name])
    return "\n".join(["```toml", *lines, "```"])


def _toml_section(where: str, values: Mapping[str, Any], kind: type) -> Iterator[str]:
    declared = {field.name: field for field in fields(kind)}
    yield from ("", f"[{where}]")
    yield from _toml(
        {
            key: (value, meaning(declared[key]) if key in declared else OPTIMIZER_NAME)
            for key, value in values.items()
            if not isinstance(value, dict)
        }
    )


def _toml(values: Mapping[str, tuple[Any, str]]) -> Iterator[str]:
    for key, (value, text) in values.items():
        assigned = f"{key} = {toml(value)}"
        yield f"{assigned:30} # {text}".rstrip(" #")


def settings_table(declared: Iterable[Field], kind: type) -> str:
    """Return fields as a table: key, default, what is allowed, meaning."""
    rows = [setting_row(field, kind) for field in declared]
    return table_of(("key", "default", "allowed", "meaning"), rows)


def setting_row(field: Field, kind: type) -> list[str]:
    """Return the cells of a setting."""
    allowed = allowed_of(field, typing.get_type_hints(kind)[field.name])
    return [f"`{field.name}`", shown(default_of(field)), allowed, meaning(field)]


def meaning(field: Field) -> str:
    """Return the meaning of a setting."""
    return field.metadata.get("help", "")


def default_of(field: Field) -> Any:
    """Return a field's default, or MISSING."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def allowed_of(field: Field, kind: Any) -> str:
    """Return the values that a setting may have, in words."""
    limits = field.metadata
    if "choices" in limits:
        return choices(limits["choices"])
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = " and ".join(f"{signs[name]} {limits[name]:,}" for name in signs if name in limits)
    return " ".join(filter(None, [_type_name(kind), bounds]))


def _type_name(kind: Any) -> str:
    names = {int: "integer", float: "number", str: "string", bool: "true or false"}
    if kind in names:
        return names[kind]
    if typing.get_origin(kind) is list:
        item = typing.get_args(kind)[0]
        return f"list of {names[item]}s" if item in names else "list of tables"
    return " or ".join(_type_name(option) for option in typing.get_args(kind))


def choices(names: Iterable[str]) -> str:
    """Return the values of a choice."""
    return ", ".join(f"`{name}`" for name in names)


def shown(value: Any) -> str:
    """Return a default as it is written in a run file."""
    if value is MISSING:
        return "none: must be given"
    return f"`{toml(value)}`"


def toml(value: Any) -> str:
    """Return a value as TOML, in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.toml.encode({"x": value}).decode().strip().removeprefix("x = ")


def _key_and_default(field: Field) -> str:
    value = default_of(field)
    return f"`{field.name}`" if value is MISSING else f"`{field.name} = {shown(value)[1:-1]}`"


def _keys(meanings: Mapping[str, str]) -> str:
    return table_of(("key", "meaning"), ([f"`{name}`", text] for name, text in meanings.items()))


def _has(kind: type, name: str) -> bool:
    return name in {field.name for field in fields(kind)}


# Commands


def command_table(name: str) -> str:
    """Return the usage and the arguments of a command, or of a source of `prepare`."""
    found, shared = _command(name)
    own = [action for action in found._actions if action.dest not in {"help", *shared}]
    rows = [_argument_row(action) for action in own if action.dest != "out"]
    usage = " ".join(["hpcgen", *name.split(), *_usage(own)])
    body = f"\n\n{table_of(('argument', 'meaning'), rows)}" if rows else ""
    return f"```\n{usage}\n```{body}"


def common_table() -> str:
    """Return the options that every source of `prepare` has."""
    found, shared = _command("prepare digits")
    return table_of(
        ("argument", "meaning"),
        [_argument_row(action) for action in found._actions if action.dest in shared],
    )


def _command(name: str) -> tuple[argparse.ArgumentParser, set[str]]:
    """Return the parser of a command, and the names of the arguments that all sources share."""
    found: argparse.ArgumentParser = parser()
    for word in name.split():
        found = subcommands(found)[word]
    if not name.startswith("prepare "):
        return found, set()
    sources = subcommands(subcommands(parser())["prepare"]).values()
    common = set.intersection(*({action.dest for action in source._actions} for source in sources))
    return found, common - {"help", "out"}


def subcommands(top: argparse.ArgumentParser) -> dict[str, Parser]:
    """Return the parsers of the commands of a parser, by name."""
    return next(a.choices for a in top._actions if isinstance(a, argparse._SubParsersAction))


def _usage(actions: list[argparse.Action]) -> Iterator[str]:
    positional = [action for action in actions if not action.option_strings]
    # Required options come first.
    optional = sorted((a for a in actions if a.option_strings), key=lambda action: not action.required)
    for action in positional:
        yield _metavar(action) + ("..." if action.nargs == "+" else "")
    for action in optional:
        text = " ".join(filter(None, [action.option_strings[0], _metavar(action)]))
        more = "..." if isinstance(action, argparse._AppendAction) else ""
        yield text if action.required else f"[{text}]{more}"


def _metavar(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


def _argument_row(action: argparse.Action) -> list[str]:
    name = " ".join([*action.option_strings[:1], _metavar(action)]).strip()
    return [f"`{name}`", action.help or ""]


TABLES: dict[str, Callable[..., str]] = {
    "section": section_table,
    "optimizer": optimizer_table,
    "model": model_table,
    "architecture": architecture_table,
    "layers": layers_table,
    "optimizers": optimizers_table,
    "run-file": run_file_table,
    "command": command_table,
    "common": common_table,
}

if __name__ == "__main__":
    main()
