"""Settings as tables, packages as pages, and what autodoc leaves out."""

import re
import sys
from pathlib import Path
from typing import NamedTuple
from unittest.mock import Mock

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives
from sphinx.application import Sphinx

from semalign import models
from semalign.book import api_pages
from semalign.methods.setting_lines import SettingLine, setting_lines
from semalign.models import batching
from semalign.models.layouts import LAYOUTS
from semalign.registry import T
from semalign.settings import TransferSettings

ROOT = Path(__file__).parents[2]
APP = Mock(spec=Sphinx)


class Point(NamedTuple):
    """A point with a method of its own."""

    x: int

    def double(self) -> int:
        """Return twice x."""
        return 2 * self.x


def settings_page(monkeypatch, tables):
    monkeypatch.setitem(directives._directives, "settings", api_pages.SettingsTable)
    labels = Mock(anonlabels={})
    labels.note_hyperlink_target.side_effect = lambda name, *where: labels.anonlabels.update({name: where})
    given = {"env": Mock(docname="api", domains={"std": labels}), "_disable_config": True}
    return publish_doctree(".. settings:: semalign.settings.TrainingSettings\n\n" * tables, settings_overrides=given)


def test_the_directive_makes_a_table(monkeypatch):
    tree = settings_page(monkeypatch, 1)
    (table,) = tree.findall(nodes.table)
    lines = [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    assert lines[0] == ["setting", "values", "default", "meaning"]
    assert lines[1] == ["rank", "integer ≥ 1", "16", "LoRA rank r"]
    assert [part.astext() for part in table.findall(nodes.literal)][:2] == ["rank", "lora_alpha"]


def test_the_first_line_with_a_setting_has_a_label(monkeypatch):
    first, second = ([*table.findall(nodes.literal)] for table in settings_page(monkeypatch, 2).findall(nodes.table))
    assert first[1]["ids"] == ["setting-lora_alpha"] and not any(name["ids"] for name in second)


def test_every_architecture_is_in_the_table_with_what_is_adapted(monkeypatch):
    monkeypatch.setitem(directives._directives, "layouts", api_pages.LayoutsTable)
    (table,) = publish_doctree(".. layouts::").findall(nodes.table)
    lines = [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    assert lines[0][:2] == ["model_type", "adapted by LoRA"]
    listed = [name for line in lines[1:] for name in line[0].split(", ")]
    assert sorted(listed) == sorted(LAYOUTS)
    llama = next(line for line in lines if line[0].startswith("llama, mistral"))
    lora = "mlp.up_proj, mlp.down_proj, self_attn.v_proj, self_attn.o_proj"
    assert llama[1:] == [lora, "self_attn.o_proj", "mlp.down_proj", "yes"]


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


def test_a_type_variable_of_a_module_that_the_build_has_not_loaded_is_none_either(monkeypatch):
    name, text = batching.__name__, nodes.Text("T")
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(models, "batching")
    assert api_pages.plain_type_variable(APP, None, {"reftarget": f"{name}.T"}, text) is text
    assert sys.modules[name] is not batching  # it was loaded for this


def test_settings_show_no_arguments():
    def hide(member):
        return api_pages.hide_arguments(APP, "class", "name", member, None, "(x)", "")

    assert hide(TransferSettings) == ("", None)
    assert hide(Point) is None and hide(setting_lines) is None
