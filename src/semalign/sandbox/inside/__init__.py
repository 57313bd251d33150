"""What runs inside the sandbox: the standard library only, and little of it, for its start is paid by every program."""
