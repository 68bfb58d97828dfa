"""The errors that a user sees as one line instead of a traceback."""


class InputError(ValueError):
    """The user's input cannot be used. The message names the input and the remedy. Exit status 2."""


class AccessError(InputError):
    """The system does not give access to a file: it is missing, or its permissions forbid it."""


class DeniedError(AccessError):
    """The permissions of a file forbid reading it. On some file servers this error is temporary."""


class DamagedError(InputError):
    """The content of a file differs from what was written."""


class RunError(RuntimeError):
    """A run cannot continue, although its input is valid. Exit status 1, without a traceback."""


class UnreadableError(RunError):
    """The system failed to read a file. The file may be whole, and a later attempt may succeed."""


class WriteError(RunError):
    """The disk refused a file. The process must end without closing it: HDF5 would crash or wait forever."""
