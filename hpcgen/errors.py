"""The errors that a user sees as one line instead of a traceback."""


class InputError(ValueError):
    """What the user gave cannot be used. The message names the thing and the remedy. Exit status 2."""


class AccessError(InputError):
    """The system does not give access to a file: it is missing, or its permissions forbid it."""


class DeniedError(AccessError):
    """The permissions of a file forbid to read it. On some file servers this passes by itself."""


class DamagedError(InputError):
    """The content of a file is not what was written."""


class RunError(RuntimeError):
    """A run cannot go on, although its input has the right form. Exit status 1, without a traceback."""


class UnreadableError(RunError):
    """The system failed to read a file. This says nothing about the file's content: later it may be read."""


class WriteError(RunError):
    """The disk refused a file. The process must end without closing it: HDF5 would crash, or wait for
    ever."""
