"""The run file (TOML) as typed objects: every key known, of the right type, within its bounds."""

import difflib
import math
import typing
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path

import msgspec

from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.networks.specs import KINDS
from hpcgen.nn.optimizers import OPTIMIZERS
from hpcgen.settings import setting

# The keys of hpcgen.parallel.exchange.exchanges.EXCHANGES, which needs MPI; reading a run file does not.
EXCHANGES = ("auto", "allreduce")


@dataclass(frozen=True)
class Data:
    """Where the samples are: one file, or several that are used as one; a relative path starts at the current folder.

    A lane whose shard is larger than `block` MiB reads it in blocks of that size, which it shuffles apart.
    """

    path: str | list[str]
    block: int = setting(64, ge=1)


@dataclass(frozen=True)
class Train:
    """`steps` of `lanes` micro-batches of `lane_size` samples. `recompute` forgets what a player's step leaves for the next
    player (activations of the generator) and computes it again: less memory, the same bits."""

    steps: int = setting(5000, ge=1)
    lanes: int = setting(8, ge=1)
    lane_size: int = setting(16, ge=1)
    recompute: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """Write one `every` so many steps and at the last; `keep` the newest ones (0 keeps all)."""

    every: int = setting(1000, ge=1)
    keep: int = setting(3, ge=0)


@dataclass(frozen=True)
class Samples:
    """A picture of `count` samples `every` so many steps and at the last."""

    every: int = setting(1000, ge=1)
    count: int = setting(64, ge=1, le=1024)


@dataclass(frozen=True)
class Metrics:
    """A row of metrics.csv `every` so many steps."""

    every: int = setting(10, ge=1)


@dataclass(frozen=True)
class Evaluate:
    """Figures in metrics.csv `every` so many steps and at the last (0: none): `count` samples (0: half of the rows, at most
    5,000) beside the data file `data` (empty: the training data); `features` as of `hpcgen evaluate`."""

    every: int = setting(0, ge=0)
    count: int = setting(0, ge=0)
    data: str | list[str] = ""
    features: str = ""


@dataclass(frozen=True)
class Parallel:
    """How lane gradients are summed, and the ranks' relative speeds, by which lanes are dealt out (none: evenly)."""

    exchange: str = setting("auto", choices=EXCHANGES)
    weights: list[float] = setting(list, gt=0)


@dataclass(frozen=True)
class Config:
    """A run. `model` is the options object of its kind, `optimizer` maps each player to an optimizer."""

    seed: int
    model: object
    data: Data
    train: Train
    optimizer: dict
    checkpoint: Checkpoint
    samples: Samples
    metrics: Metrics
    evaluate: Evaluate
    parallel: Parallel

    def table(self):
        """Return the resolved run file as a nested dict."""
        names = {optimizer: name for name, optimizer in OPTIMIZERS.items()}
        optimizer = {player: {"name": names[type(o)], **asdict(o)} for player, o in self.optimizer.items()}
        return {**_table(self), "optimizer": optimizer}

    def toml(self):
        """Return the resolved run file as text; reading it gives this object again."""
        return msgspec.toml.encode(self.table()).decode()


def _table(value):
    """Return a dataclass as a nested dict; a layer names its kind."""
    if isinstance(value, list):
        return [_table(item) for item in value]
    if not is_dataclass(value):
        return value
    kind = {"kind": KINDS[type(value)]} if type(value) in KINDS else {}
    return kind | {f.name: _table(getattr(value, f.name)) for f in fields(value)}


SECTIONS = {
    "data": Data,
    "train": Train,
    "checkpoint": Checkpoint,
    "samples": Samples,
    "metrics": Metrics,
    "evaluate": Evaluate,
    "parallel": Parallel,
}
SEED = {"default": 0, "ge": 0, "le": 2**63 - 1}
# What may change when a run resumes: none of it changes the mathematics.
FREE = (
    "data.path",
    "train.steps",
    "train.recompute",
    "checkpoint.",
    "samples.",
    "metrics.",
    "evaluate.",
    "parallel.",
)


def load_config(path, settings=()):
    """Return the Config of the run file `path` with `settings` ("KEY=VALUE") laid over it. Raises InputError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}") from None
    try:
        return parse_config(text, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_config(text, settings=()):
    """Return the Config of a run file's text. Raises InputError that names the key, the value and what is allowed."""
    try:
        table = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise InputError(f"not valid TOML: {error}") from None
    for assignment in settings:
        _assign(table, assignment)
    known = {"seed", "model", "optimizer", *SECTIONS}
    for key in table:
        if key not in known:
            raise InputError(_unknown(key, "", known))
    seed = _value("seed", table.get("seed", SEED["default"]), int, SEED)
    model = _model(_subtable(table, "model"))
    sections = {name: _build(kind, _subtable(table, name), name) for name, kind in SECTIONS.items()}
    path = sections["data"].path
    if not path:
        raise InputError(f"data.path = {_shown(path)}: must name a data file, or several")
    sections["data"] = replace(sections["data"], path=_absolute(path))
    asked = sections["evaluate"]
    sections["evaluate"] = replace(asked, data=_absolute(asked.data), features=_absolute(asked.features))
    optimizers = _optimizers(
        _subtable(table, "optimizer"), MODELS[model.kind].players, sections["train"].steps
    )
    return Config(seed=seed, model=model, optimizer=optimizers, **sections)


def _absolute(path):
    """Return a path, or a list of them, from the root; an empty one as it is."""
    return (
        [_absolute(each) for each in path] if isinstance(path, list) else path and str(Path(path).absolute())
    )


def differences(config, other):
    """Return the keys that change the mathematics and differ between two Configs, as "key: this, not that"."""
    mine, theirs = _flat(config.table()), _flat(other.table())
    return [
        f"{key}: {mine.get(key, 'absent')}, not {theirs.get(key, 'absent')}"
        for key in {**mine, **theirs}
        if mine.get(key) != theirs.get(key) and not key.startswith(FREE)
    ]


def _model(table):
    kind = _value("model.kind", table.get("kind", "gan"), str, {"choices": MODELS})
    networks = MODELS[kind].NETWORKS
    network = _value("model.network", table.get("network", next(iter(networks))), str, {"choices": networks})
    options, preset = networks[network]
    return _build(options, _merged(preset, table), "model")


def _optimizers(table, players, steps):
    tables = {player: _subtable(table, player, "optimizer") for player in players}
    common = {key: value for key, value in table.items() if key not in players}
    for key, value in common.items():
        if isinstance(value, dict):
            raise InputError(_unknown(key, "optimizer", players))
    default = common.get("name", "adam")
    optimizers = {}
    for player, own in tables.items():
        where = f"optimizer.{player}" if own else "optimizer"
        # Another optimizer for one player takes none of the common one's keys.
        inherits = own.get("name", default) == default
        chosen = {**common, **own} if inherits else own
        name = _value(f"{where}.name", chosen.pop("name", "adam"), str, {"choices": OPTIMIZERS})
        optimizer = _build(OPTIMIZERS[name], chosen, where)
        if optimizer.schedule != "constant" and not optimizer.decay_steps:
            optimizer = replace(optimizer, decay_steps=steps)
        optimizers[player] = optimizer
    return optimizers


def _build(kind, table, where):
    """Return the dataclass `kind` with the values of `table`, which stands under the key `where`."""
    types = typing.get_type_hints(kind)
    declared = {f.name: f for f in fields(kind)}
    for key in table:
        if key not in declared:
            raise InputError(_unknown(key, where, declared))
    values = {}
    for name, declaration in declared.items():
        key = f"{where}.{name}"
        if is_dataclass(types[name]):
            values[name] = _build(types[name], _subtable(table, name, where), key)
        elif name in table:
            values[name] = _value(key, table[name], types[name], declaration.metadata)
        elif declaration.default is MISSING and declaration.default_factory is MISSING:
            raise InputError(f"{key} is missing; add {name} = ... under [{where}]")
    return kind(**values)


def _value(key, value, kind, limits):
    """Return `value` as `kind`, checked against `limits` (see `setting`), or say what is allowed.

    `kind` is a type, a list of it, or either; with limits["kinds"] a list of tables, each of which names its kind.
    """
    if "kinds" in limits:
        return _tagged(key, value, limits["kinds"])
    lists = [option for option in (kind, *typing.get_args(kind)) if typing.get_origin(option) is list]
    item = typing.get_args(lists[0])[0] if lists else kind
    bounds = {name: limit for name, limit in limits.items() if name in ("ge", "gt", "le", "lt")}
    bounded = typing.Annotated[item, msgspec.Meta(**bounds)] if bounds else item
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
        either = f"{_allowed(item, False, limits)}, or a list" if lists and kind not in lists else None
        raise InputError(
            f"{key} = {_shown(value)}: must be {either or _allowed(item, bool(lists), limits)}{hint}"
        ) from None
    return result


def _tagged(key, value, kinds):
    """Return the list of tables `value` as objects of the kinds that they name."""
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise InputError(f"{key} = {_shown(value)}: must be a list of tables, [[{key}]]")
    built = []
    for i, table in enumerate(value):
        if "kind" not in table:
            raise InputError(f"{key}[{i}].kind is missing; add kind = ..., one of {', '.join(kinds)}")
        kind = _value(f"{key}[{i}].kind", table["kind"], str, {"choices": kinds})
        built.append(
            _build(kinds[kind], {name: part for name, part in table.items() if name != "kind"}, f"{key}[{i}]")
        )
    return built


def _allowed(item, is_list, limits):
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


def _shown(value):
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _unknown(key, where, known):
    """Say that `key` is unknown under `where`, with the nearest known key here or in another table."""
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


def _subtable(table, name, where=""):
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise InputError(
            f"{where + '.' if where else ''}{name} = {_shown(value)}: must be a table, [{where + '.' if where else ''}{name}]"
        )
    return value


def _merged(below, above):
    """Return nested dict `below` with `above` laid over it."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merged(below[key], above[key])
    return merged


def _assign(table, assignment):
    """Set one "KEY=VALUE" in the table; VALUE is TOML, or a string without its quotes."""
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


def _flat(table, where=""):
    flat = {}
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for i, item in enumerate(value):
                flat |= _flat(item, f"{where}{key}[{i}].")
        else:
            flat |= _flat(value, f"{where}{key}.") if isinstance(value, dict) else {where + key: value}
    return flat
