"""Settings as tables, packages as pages, and what autodoc leaves out."""

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from unittest.mock import Mock

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives
from pydantic import BaseModel, Field
from sphinx.application import Sphinx

from semalign.book import api_pages
from semalign.book.api_pages import SettingLine, setting_lines
from semalign.methods.registry import methods
from semalign.registry import T, lookup
from semalign.settings import LAYER_LOSSES, TransferSettings

ROOT = Path(__file__).parents[2]
APP = Mock(spec=Sphinx)


class Base(BaseModel):
    """Settings that others extend."""

    seed: int = Field(0, ge=0, description="seed")
    rate: float = Field(0.1, gt=0, description="rate")


class Extended(Base):
    """Settings that add to the base and change one default."""

    rate: float = Field(0.5, gt=0, lt=1, description="another rate")
    name: str = Field(description="name")
    size: int | None = Field(None, ge=2, description="size")
    kind: Literal["a", "b"] = Field("a", description="kind")
    layers: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 2), description="layers")
    partners: dict[int, int] = Field({}, description="partners")
    flag: bool = Field(False, description="flag")


class Point(NamedTuple):
    """A point with a method of its own."""

    x: int

    def double(self) -> int:
        """Return twice x."""
        return 2 * self.x


def test_a_table_has_what_a_class_adds_or_changes():
    assert setting_lines(Extended) == [
        SettingLine("rate", "number > 0, < 1", "0.5", "another rate"),
        SettingLine("name", "text", "required", "name"),
        SettingLine("size", "integer ≥ 2 or None", "None", "size"),
        SettingLine("kind", "a, b", "a", "kind"),
        SettingLine("layers", "list of integer ≥ 1", "(1, 2)", "layers"),
        SettingLine("partners", "mapping from integer to integer", "{}", "partners"),
        SettingLine("flag", "True or False", "False", "flag"),
    ]


def test_a_setting_of_a_registry_lists_its_names():
    (line,) = (line for line in setting_lines(TransferSettings) if line.name == "layer_loss")
    assert line.values.split(", ") == sorted(lookup(LAYER_LOSSES))
    assert "cosine" in line.values


def test_a_setting_without_a_description_is_an_error():
    class Silent(Base):
        loud: int = 1

    with pytest.raises(ValueError, match=r"^the setting 'loud' of Silent has no description: give its Field one$"):
        setting_lines(Silent)


@pytest.mark.parametrize("name", methods())
def test_every_setting_of_every_method_says_what_it_means(name):
    classes = [
        each for each in methods()[name].settings.__mro__ if issubclass(each, BaseModel) and each is not BaseModel
    ]
    lines = [line for each in classes for line in setting_lines(each)]
    assert {line.name for line in lines} == set(methods()[name].settings.model_fields)
    assert all(all(line) for line in lines)


def test_the_directive_makes_a_table(monkeypatch):
    monkeypatch.setitem(directives._directives, "settings", api_pages.SettingsTable)
    tree = publish_doctree(".. settings:: semalign.settings.TrainingSettings")
    (table,) = tree.findall(nodes.table)
    lines = [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    assert lines[0] == ["setting", "values", "default", "meaning"]
    assert lines[1] == ["rank", "integer ≥ 1", "16", "LoRA rank r"]
    assert [part.astext() for part in table.findall(nodes.literal)][:2] == ["rank", "lora_alpha"]


def test_a_package_has_a_section_for_each_module_but_those_left_out(monkeypatch):
    monkeypatch.setitem(directives._directives, "modules", api_pages.PackageModules)
    monkeypatch.setitem(directives._directives, "automodule", Module)
    text = ".. modules:: semalign.targets\n   :except: semalign.targets.pairing semalign.targets.maps"
    sections = list(publish_doctree(text).findall(nodes.section))
    titles = [section.next_node(nodes.title).astext() for section in sections]
    assert titles[:2] == ["targets", "targets.alignment"]
    assert "targets.maps.ridge" in titles
    assert not {"targets.pairing", "targets.maps"} & set(titles)
    assert [section.next_node(nodes.comment).astext() for section in sections] == [
        f"semalign.{each}" for each in titles
    ]


class Module(api_pages.Directive):
    """Stands in for autodoc: leaves the name of the module."""

    required_arguments = 1
    option_spec = {"members": directives.flag, "no-value": directives.flag}  # noqa: RUF012

    def run(self):
        return [nodes.comment("", self.arguments[0])]


def test_the_pages_of_modules_list_every_package_that_they_do_not_exclude():
    pages = [path.read_text() for path in (ROOT / "book" / "modules").glob("*.md")]
    listed = [name for text in pages for name in re.findall(r"^\.\. modules:: semalign\.(\w+)$", text, re.MULTILINE)]
    source = ROOT / "src" / "semalign"
    top = [path.stem for path in source.iterdir() if path.is_dir() or path.suffix == ".py"]
    expected = {name for name in top if not name.startswith("_")} - {"py", "micro", "cli", "shipped"}
    assert set(listed) == expected and len(listed) == len(expected)


@pytest.mark.parametrize(
    ("member", "left_out"),
    [(Point.x, True), (Point.count, True), (Point.index, True), (Point.double, None), (SettingLine, None)],
)
def test_what_every_named_tuple_has_is_left_out(member, left_out):
    assert api_pages.skip_tuple_fields(APP, "class", "name", member, False, None) is left_out


@pytest.mark.parametrize(("target", "plain"), [("semalign.registry.T", True), ("semalign.registry.lookup", False)])
def test_a_type_variable_is_no_reference(target, plain):
    assert T.__name__ == "T"
    text = nodes.Text("T")
    found = api_pages.plain_type_variable(APP, None, {"reftarget": target}, text)
    assert found is (text if plain else None)


def test_settings_show_no_arguments():
    def hide(member):
        return api_pages.hide_arguments(APP, "class", "name", member, None, "(x)", "")

    assert hide(TransferSettings) == ("", None)
    assert hide(Point) is None and hide(setting_lines) is None
