"""Numbers of figures and tables on pages that are no numbered chapter: A.1, A.2, B.1, ...

Sphinx numbers them 1, 2, 3 through the whole book, and these are the numbers of the paper's own tables and figures.
"""

from string import ascii_uppercase

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

Numbers = dict[str, dict[str, dict[str, tuple[int | str, ...]]]]  # by page, "table" or "figure", and id


def lettered(numbers: Numbers) -> Numbers:
    """Return the numbers with a letter for each page whose numbers have one part, in the order of the pages.

    >>> lettered({"a": {"table": {"x": (1,)}}, "b": {"table": {"y": (3, 1)}}, "c": {"table": {"z": (2,)}}})
    {'a': {'table': {'x': ('A', 1)}}, 'b': {'table': {'y': (3, 1)}}, 'c': {'table': {'z': ('B', 1)}}}
    """
    letters = iter(ascii_uppercase)
    return {page: kinds if _numbered(kinds) else _page(kinds, next(letters)) for page, kinds in numbers.items()}


def _numbered(kinds: dict[str, dict[str, tuple[int | str, ...]]]) -> bool:
    return all(len(number) > 1 for ids in kinds.values() for number in ids.values())


def _page(kinds: dict[str, dict[str, tuple[int | str, ...]]], letter: str) -> dict:
    return {kind: {name: (letter, n) for n, name in enumerate(ids, start=1)} for kind, ids in kinds.items()}


def restore(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give Sphinx the numbers of the last build as it made them, since pages whose numbers differ are written again."""
    env.toc_fignumbers = getattr(env, "semalign_plain_numbers", {})
    return []


def set_letters(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Keep the numbers that Sphinx made, and show those with letters.

    Returns the pages to write again: all of them once a number has changed, since any page may refer to it.
    """
    before = _places(lettered(getattr(env, "semalign_plain_numbers", {})))
    env.semalign_plain_numbers = env.toc_fignumbers  # type: ignore[attr-defined]
    env.toc_fignumbers = lettered(env.toc_fignumbers)  # type: ignore[arg-type, assignment]
    now = _places(env.toc_fignumbers)  # type: ignore[arg-type]
    return sorted(env.found_docs) if any(now.get(place) != number for place, number in before.items()) else []


def _places(numbers: Numbers) -> dict[tuple[str, str, str], tuple[int | str, ...]]:
    return {
        (page, kind, name): number
        for page, kinds in numbers.items()
        for kind, ids in kinds.items()
        for name, number in ids.items()
    }


def connect(app: Sphinx) -> None:
    """Run before and after Sphinx's own numbering, whose priority is 500."""
    app.connect("env-get-updated", restore, priority=100)
    app.connect("env-get-updated", set_letters, priority=900)
