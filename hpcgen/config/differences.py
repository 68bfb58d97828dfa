"""Differences between two run files."""

from typing import Any

from hpcgen.config.sections import Config

# Keys, or sections, that may change when a run resumes. None of them changes the mathematics.
FREE_TO_CHANGE = (
    "data.path",
    "train.steps",
    "train.recompute",
    "checkpoint.",
    "samples.",
    "metrics.",
    "evaluate.",
    "parallel.",
)


def differences(config: Config, other: Config) -> list[str]:
    """Return the differing keys of two Configs that change the mathematics, as "key: this, not that"."""
    mine, theirs = _flat(config.table()), _flat(other.table())
    return [
        f"{key}: {mine.get(key, 'absent')}, not {theirs.get(key, 'absent')}"
        for key in {**mine, **theirs}
        if mine.get(key) != theirs.get(key) and not key.startswith(FREE_TO_CHANGE)
    ]


def _flat(table: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Return {"section.key": value} of a nested dict."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for i, item in enumerate(value):
                found |= _flat(item, f"{where}{key}[{i}].")
        elif isinstance(value, dict):
            found |= _flat(value, f"{where}{key}.")
        else:
            found[where + key] = value
    return found
