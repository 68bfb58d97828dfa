"""Bounds and choices declared beside a setting's default; `hpcgen.config.reading` enforces them on the run file."""

from dataclasses import MISSING, field


def setting(default=MISSING, **limits):
    """Declare a dataclass field with its limits; without a default it must be given.

    Limits are `ge`, `gt`, `le` and `lt` (numbers, or each item of a list) and `choices` (a collection of the values
    allowed). A callable default is a factory.
    """
    make = {"default_factory": default} if callable(default) else {"default": default}
    return field(**make, metadata=limits)
