"""Declare settings as dataclass fields, with default, limits and help. `hpcgen.config` reads them from the
run file."""

from dataclasses import MISSING, field
from typing import Any


def setting(default: Any = MISSING, **limits: Any) -> Any:
    """Declare a dataclass field with its limits. A setting without a default is required.

    Limits are `ge`, `gt`, `le` and `lt` (for a number, or for each item of a list), `choices` (a collection
    of the allowed values) and `aliases` ({old value: the choice that replaces it}). `help` is a line for the
    documentation. A callable default is a factory.
    """
    if callable(default):
        return field(default_factory=default, metadata=limits)
    return field(default=default, metadata=limits)
