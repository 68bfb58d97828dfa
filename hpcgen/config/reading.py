"""The run file (TOML) as a Config: every key is known, of the right type, and within its bounds."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from hpcgen.config.sections import SECTIONS, SEED, Config
from hpcgen.config.values import build, shown, subtable, unknown, value_of
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.nn.optimizers import OPTIMIZERS

# Sections of every run file that a run records, in its folder and in its checkpoints. `parallel` is the last.
RECORDED = {"data", "model", "train", "optimizer", "checkpoint", "parallel"}


def load_config(path: Path | str, settings: Sequence[str] = ()) -> Config:
    """Return the Config of the run file `path`, with keys overridden by `settings` ("KEY=VALUE").

    Raises InputError.
    """
    with _naming(path):
        return parse_config(_text(path), settings)


def load_recorded(path: Path | str) -> Config:
    """Return the Config of the run file `path` that a run recorded.

    Raises InputError, also if the end of the file is missing: defaults would replace the missing keys.
    """
    with _naming(path):
        text = _text(path)
        require_recorded(text)
        return parse_config(text)


def require_recorded(text: str) -> None:
    """Raise InputError unless `text` is a complete run file as a run records it. A file that lost bytes ends
    at the first lost byte."""
    if not text.endswith("\n") or not _table(text).keys() >= RECORDED:
        raise InputError("not a whole run file: its end is missing")


@contextmanager
def _naming(path: Path | str) -> Iterator[None]:
    """Put the path of the file before the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(getattr(error, "strerror", None) or "not a text file") from None


def _table(text: str) -> dict[str, Any]:
    try:
        return msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise InputError(f"not valid TOML: {error}") from None


def parse_config(text: str, settings: Sequence[str] = ()) -> Config:
    """Return the Config of a run file's text.

    Raises InputError, which names the key, the value and the allowed values.
    """
    table = _table(text)
    for assignment in settings:
        _assign(table, assignment)
    known = {"seed", "model", "optimizer", *SECTIONS}
    for key in table:
        if key not in known:
            raise InputError(unknown(key, "", known))
    seed = value_of("seed", table.get("seed", SEED["default"]), int, SEED)
    model = _model(subtable(table, "model"))
    sections = {name: build(kind, subtable(table, name), name) for name, kind in SECTIONS.items()}
    path = sections["data"].path
    if not path:
        raise InputError(f"data.path = {shown(path)}: must be the path of a data file, or a list of paths")
    sections["data"] = replace(sections["data"], path=_absolute(path))
    asked = sections["evaluate"]
    sections["evaluate"] = replace(asked, data=_absolute(asked.data), features=_absolute(asked.features))
    if asked.skip and not sections["parallel"].observers:
        raise InputError(
            "evaluate.skip = true: there are no observers; set parallel.observers, or leave it out"
        )
    optimizers = _optimizers(
        subtable(table, "optimizer"), MODELS[model.kind].players, sections["train"].steps
    )
    return Config(seed=seed, model=model, optimizer=optimizers, **sections)


def _absolute(path: Any) -> Any:
    """Return an absolute path, or a list of absolute paths. An empty path stays empty."""
    if isinstance(path, list):
        return [_absolute(each) for each in path]
    return str(Path(path).absolute()) if path else path


def _model(table: dict[str, Any]) -> Any:
    kind = value_of("model.kind", table.get("kind", "gan"), str, {"choices": MODELS})
    networks = MODELS[kind].NETWORKS
    network = value_of(
        "model.network", table.get("network", next(iter(networks))), str, {"choices": networks}
    )
    preset = networks[network]
    chosen = {**_merged(preset.values, table), "kind": kind, "network": network}
    return build(preset.options, chosen, "model", preset.tables)


def _optimizers(table: dict[str, Any], players: Sequence[str], steps: int) -> dict[str, Any]:
    tables = {player: subtable(table, player, "optimizer") for player in players}
    common = {key: value for key, value in table.items() if key not in players}
    for key, value in common.items():
        if isinstance(value, dict):
            raise InputError(unknown(key, "optimizer", players))
    default = common.get("name", "adam")
    optimizers = {}
    for player, own in tables.items():
        where = f"optimizer.{player}" if own else "optimizer"
        # A player that has another optimizer inherits none of the common keys.
        inherits = own.get("name", default) == default
        chosen = {**common, **own} if inherits else own
        name = value_of(f"{where}.name", chosen.pop("name", "adam"), str, {"choices": OPTIMIZERS})
        optimizer = build(OPTIMIZERS[name], chosen, where)
        if optimizer.schedule != "constant" and not optimizer.decay_steps:
            optimizer = replace(optimizer, decay_steps=steps)
        optimizers[player] = optimizer
    return optimizers


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested dict `below`, updated with the values of `above`."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merged(below[key], above[key])
    return merged


def _assign(table: dict[str, Any], assignment: str) -> None:
    """Set one "KEY=VALUE" in the table. VALUE is TOML, or a string without quotes."""
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {assignment}: must be KEY=VALUE, such as train.steps=100")
    try:
        decoded = msgspec.toml.decode(f"value = {text}")
    except msgspec.DecodeError:
        decoded = {"value": text.strip()}
    if len(decoded) > 1:
        raise InputError(f"--set {assignment!r}: must be one KEY=VALUE")
    value = decoded["value"]
    *parents, name = [part.strip() for part in key.split(".")]
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {assignment}: {parent} is a value, not a table")
    table[name] = value
