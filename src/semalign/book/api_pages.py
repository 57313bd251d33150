"""Sphinx extension of the API pages: settings as tables, the modules of a package, named tuples without noise.

The directives are generated from the code: new settings and new modules appear without further edits.
"""

import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from pydantic import BaseModel
from sphinx.application import Sphinx

from semalign.methods.setting_lines import SettingLine, setting_lines
from semalign.models.layouts import LAYOUTS

HEAD = ("setting", "values", "default", "meaning")
WIDTHS = (20, 25, 12, 43)
LAYOUT_HEAD = ("model_type", "adapted by LoRA", "attention writes", "MLP writes", "can be sliced")
LAYOUT_WIDTHS = (22, 34, 18, 16, 10)


class SettingsTable(Directive):
    """``.. settings:: package.module.Class``: the lines of :func:`setting_lines` as a table.

    The first line of a page with a setting has the label ``setting-NAME``.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        module, _, name = self.arguments[0].rpartition(".")
        try:
            lines = setting_lines(getattr(import_module(module), name))
        except ValueError as error:
            raise self.error(str(error)) from error
        table = _table(HEAD, WIDTHS, [([line.name], *line[1:]) for line in lines])
        for row in table.findall(nodes.row):
            for name in row[0].findall(nodes.literal):
                self._label(name)
        return [table]

    def _label(self, setting: nodes.literal) -> None:
        label, env = f"setting-{setting.astext()}", self.state.document.settings.env
        labels = env.domains["std"]
        if label not in labels.anonlabels:
            setting["ids"].append(label)
            labels.note_hyperlink_target(label, env.docname, label, setting.astext())


class LayoutsTable(Directive):
    """``.. layouts::``: the architectures of :data:`semalign.models.layouts.LAYOUTS` as a table."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return [_table(LAYOUT_HEAD, LAYOUT_WIDTHS, layout_rows())]


def layout_rows() -> list[tuple[list[str], ...]]:
    """Return for each layout its architectures, the matrices that are adapted, and what writes to the stream."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, layout in LAYOUTS.items():
        slices = "yes" if layout.readers else "no"
        found.setdefault((*layout.lora, layout.attention, layout.mlp, slices), []).append(name)
    return [(names, list(key[:-3]), [key[-3]], [key[-2]], [key[-1]]) for key, names in found.items()]


def _table(head: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str | list[str]]]) -> nodes.table:
    """Return a table; a cell is a text, or a list of names that are shown as code."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(head))
    group += nodes.thead("", _row([[nodes.Text(text)] for text in head]))
    group += nodes.tbody("", *(_row(map(_cell, row)) for row in rows))
    return nodes.table("", group, classes=["colwidths-given"])


def _cell(content: str | list[str]) -> list[nodes.Node]:
    if isinstance(content, str):
        return [nodes.Text(content)]
    parts = [node for name in content for node in (nodes.Text(", "), nodes.literal("", name))]
    return parts[1:]


def _row(cells: Iterable[Sequence[nodes.Node]]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


class PackageModules(Directive):
    """``.. modules:: package``: all modules of a package with their members, except those that ``:except:`` names."""

    required_arguments = 1
    option_spec: ClassVar = {"except": str.split}

    def run(self) -> list[nodes.Node]:
        """Return a section for each module."""
        return [self._section(name) for name in _modules(self.arguments[0], self.options.get("except", []))]

    def _section(self, module: str) -> nodes.section:
        section = nodes.section(
            "", nodes.title("", module.removeprefix("semalign.")), ids=[nodes.make_id(module)], names=[module]
        )
        text = StringList([f".. automodule:: {module}", "   :members:", "   :no-value:"], source=module)
        self.state.nested_parse(text, self.content_offset, section)
        return section


def _modules(package: str, left_out: Sequence[str]) -> Iterator[str]:
    folders = getattr(import_module(package), "__path__", [])  # a plain module has none
    names = [package, *(module.name for module in pkgutil.walk_packages(folders, f"{package}."))]
    return (name for name in names if name not in left_out)


def skip_tuple_fields(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Skip the members that every named tuple has; its class documents its fields under *Attributes*."""
    field = type(SettingLine.name)
    return True if isinstance(member, field) or member in (tuple.count, tuple.index) else None


def plain_type_variable(app: Sphinx, environment: Any, reference: Any, text: nodes.Node) -> nodes.Node | None:
    """Show a type variable as plain text, because it has no page to link to."""
    module, _, name = reference.get("reftarget", "").rpartition(".")
    if not module.startswith("semalign."):
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:  # it is no module
        return None
    return text if isinstance(found, TypeVar) else None


def hide_arguments(app: Sphinx, what: str, name: str, member: Any, *_: Any) -> tuple[str, None] | None:
    """Hide the arguments of a class of settings, which its table describes."""
    return ("", None) if isinstance(member, type) and issubclass(member, BaseModel) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the autodoc hooks that they need."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("settings", SettingsTable)
    app.add_directive("layouts", LayoutsTable)
    app.add_directive("modules", PackageModules)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("autodoc-process-signature", hide_arguments)
    app.connect("missing-reference", plain_type_variable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
