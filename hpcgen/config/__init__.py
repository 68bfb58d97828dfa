"""The run file as typed objects."""

from hpcgen.config.reading import load_config, parse_config
from hpcgen.config.sections import Config

__all__ = ["Config", "load_config", "parse_config"]
