"""Pages that Sphinx builds in this process, by the entry point of its command."""

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from sphinx.cmd.build import build_main


def build_text(root: Path, *options: str) -> tuple[int, str]:
    """Build the pages of ``root/page`` as text in ``root/out``, where warnings are errors.

    A second call goes on from the environment that the first one has written, as a second command does.

    Args:
        root: the folder.
        *options: further options of the command.

    Returns:
        The status of the command and what it writes to the standard error.
    """
    told = StringIO()
    with redirect_stderr(told):
        status = build_main(["-q", "-W", *options, "-b", "text", str(root / "page"), str(root / "out")])
    return status, told.getvalue()
