"""A process for each core reads and writes pages, for which Jupyter Book has no option."""

from collections.abc import Collection, Sequence
from functools import partial

from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment

from semalign.sandbox.runs import cores

# Extensions of Jupyter Book that do not say whether several processes may read pages with them. One numbers sections
# once all pages are read, the other changes pages for LaTeX only.
DOES_NOT_SAY = {"sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"}


def use_all_cores(app: Sphinx, env: BuildEnvironment, docnames: Sequence[str]) -> None:
    """Let Sphinx have as many processes as there are cores."""
    app.parallel = cores()
    for name in DOES_NOT_SAY & app.extensions.keys():
        app.extensions[name].parallel_read_safe = True


def keep_originals(
    found: dict[str, ObjectEntry],
    app: Sphinx,
    env: BuildEnvironment,
    docnames: Collection[str],
    other: BuildEnvironment,
) -> None:
    """Let the full name of an object lead to the page that describes it under this name, as if one process read all.

    A page that describes it under a shorter name has the full name as an alias, and Sphinx gives a name to the page
    whose process ends last.

    Args:
        found: the objects under their own names that were seen so far in this build; new ones are added.
        app: the application.
        env: the environment, into which Sphinx has merged the other.
        docnames: pages that the other process has read.
        other: the environment of that process.
    """
    objects: dict[str, ObjectEntry] = other.domaindata["py"]["objects"]
    found |= {name: each for name, each in objects.items() if each.docname in docnames and not each.aliased}
    env.domaindata["py"]["objects"].update(found)


def connect(app: Sphinx) -> None:
    """Do both in each build."""
    app.connect("env-before-read-docs", use_all_cores)
    app.connect("env-merge-info", partial(keep_originals, {}))
