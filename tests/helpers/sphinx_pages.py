"""Sphinx in this process: its application, and pages built by the entry point of its command."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.cmd.build import build_main
from sphinx.util.docutils import docutils_namespace


@contextmanager
def sphinx_app(*arguments: Any, **options: Any) -> Iterator[Sphinx]:
    """Start Sphinx, and forget afterwards the directives, roles and nodes that it registers for the whole process.

    What one start leaves behind is a warning in the next one, which then depends on the order of the tests.

    Args:
        *arguments: those of `Sphinx`.
        **options: its options.

    Yields:
        The application.
    """
    with docutils_namespace():
        yield Sphinx(*arguments, **options)


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
