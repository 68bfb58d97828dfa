"""The errors that a user sees as one line instead of a traceback."""


class InputError(ValueError):
    """What the user gave cannot be used: the message names the thing and the remedy. Exit status 2."""


class DamagedError(InputError):
    """A file that hpcgen wrote no longer holds what was written."""


class RunError(RuntimeError):
    """A run that cannot go on, through no fault of its input's form. Exit status 1, without a traceback."""


class WriteError(RunError):
    """The disk refused a file. The process must end without closing it: HDF5 then crashes, or waits for ever."""
