"""Settings declared as dataclass fields: default, limits and help. `hpcgen.config` reads them from the run
file."""

from dataclasses import MISSING, field
from typing import Any


def setting(default: Any = MISSING, **limits: Any) -> Any:
    """Declare a dataclass field with its limits. Without a default it must be given.

    Limits are `ge`, `gt`, `le` and `lt` (for a number, or for each item of a list), `choices` (a collection
    of the values that are allowed) and `aliases` ({other value: the choice that it means}). `help` is a line
    for the reference. A callable default is a factory.
    """
    if callable(default):
        return field(default_factory=default, metadata=limits)
    return field(default=default, metadata=limits)
