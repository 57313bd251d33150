"""Sphinx extension of the API pages: settings as tables, the modules of a package, named tuples without noise.

Both directives are generated from the code: new settings and new modules appear without further edits.
"""

import pkgutil
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

from semalign.registry import Registered, lookup

WORDS = {int: "integer", float: "number", bool: "True or False", str: "text", type(None): "None", Any: "any value"}
SIGNS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
HEAD = ("setting", "values", "default", "meaning")
WIDTHS = (20, 25, 12, 43)


class SettingLine(NamedTuple):
    """One line of a table of settings.

    Attributes:
        name: name of the setting, as in ``--set``.
        values: values that the setting takes.
        default: its default value.
        meaning: its description.
    """

    name: str
    values: str
    default: str
    meaning: str


def setting_lines(settings: type[BaseModel]) -> list[SettingLine]:
    """Return a line for each setting that a class adds to its base class or redefines.

    Raises:
        ValueError: if a setting has no description; the message names it.
    """
    own = {name: field for name, field in settings.model_fields.items() if name in settings.__annotations__}
    for name, field in own.items():
        if not field.description:
            raise ValueError(f"the setting {name!r} of {settings.__name__} has no description: give its Field one")
    return [
        SettingLine(name, _words(field.annotation, field.metadata), _default(field), str(field.description))
        for name, field in own.items()
    ]


def _words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return the values that an annotation allows, in words: ``integer ≥ 1 or None``."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(parts[0], [inner for item in parts[1:] for inner in getattr(item, "metadata", [item])])
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part, metadata) for part in parts)
    if origin is Literal:
        return ", ".join(map(str, parts))
    if origin is tuple:
        return f"list of {_words(parts[0])}"
    if origin is dict:
        return f"mapping from {_words(parts[0])} to {_words(parts[1])}"
    if places := [item.place for item in metadata if isinstance(item, Registered)]:
        return ", ".join(sorted(lookup(places[0])))
    name = WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return name + (_limits(metadata) if annotation in (int, float) else "")


def _limits(metadata: Iterable[Any]) -> str:
    found = [
        f"{sign} {getattr(item, key):g}" for item in metadata for kind, key, sign in SIGNS if isinstance(item, kind)
    ]
    return f" {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else str(field.get_default(call_default_factory=True))


class SettingsTable(Directive):
    """``.. settings:: package.module.Class``: the lines of :func:`setting_lines` as a table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        module, _, name = self.arguments[0].rpartition(".")
        try:
            return [_table(setting_lines(getattr(import_module(module), name)))]
        except ValueError as error:
            raise self.error(str(error)) from error


def _table(lines: Sequence[SettingLine]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in WIDTHS), cols=len(HEAD))
    group += nodes.thead("", _row([nodes.Text(text) for text in HEAD]))
    cells = ([nodes.literal("", line.name), *map(nodes.Text, line[1:])] for line in lines)
    group += nodes.tbody("", *map(_row, cells))
    return nodes.table("", group, classes=["colwidths-given"])


def _row(cells: Iterable[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


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
    return text if isinstance(getattr(sys.modules.get(module), name, None), TypeVar) else None


def hide_arguments(app: Sphinx, what: str, name: str, member: Any, *_: Any) -> tuple[str, None] | None:
    """Hide the arguments of a class of settings, which its table describes."""
    return ("", None) if isinstance(member, type) and issubclass(member, BaseModel) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both directives and the autodoc hooks that they need."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("settings", SettingsTable)
    app.add_directive("modules", PackageModules)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("autodoc-process-signature", hide_arguments)
    app.connect("missing-reference", plain_type_variable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
