"""Code that runs inside the sandbox; it imports little, and only the standard library, to start fast."""
