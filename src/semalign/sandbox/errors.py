"""What is raised when the sandbox itself fails: never for what a program does."""


class SandboxError(RuntimeError):
    """The sandbox is not to be had here, or did not start; nothing is known about the program."""
