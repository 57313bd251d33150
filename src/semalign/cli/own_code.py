"""Where a user's own code raised an error: the line, and what its file has registered."""

import sys


def own_line(error: Exception, explained: tuple[type[Exception], ...]) -> str | None:
    """Return the line of a user's own file that raised an error, such as ``/home/me/mine.py:12 of your map 'mine'``.

    Args:
        error: the error.
        explained: errors whose message is enough where such a line raises them on purpose; None is returned for these.
    """
    if "semalign.registry" not in sys.modules:  # it takes time to import, and nothing is included without it
        return None
    from semalign.own_modules import raised_at
    from semalign.registry import own_modules, registered_by

    files = own_modules()
    found = raised_at(error, files)
    if found is None or (isinstance(error, explained) and found.text.startswith("raise")):
        return None
    kinds = registered_by(files[found.file])
    return f"{found.file}:{found.line}" + (f" of your {' and '.join(kinds)}" if kinds else "")
