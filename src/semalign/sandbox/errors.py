"""The error raised when the sandbox itself fails; the behaviour of a program never raises it."""


class SandboxError(RuntimeError):
    """The sandbox is not available or did not start, so there is no verdict on the program."""
