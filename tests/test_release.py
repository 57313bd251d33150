"""What contributors and archives read agrees with pyproject.toml: Python versions, metadata, templates."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
TEXT_TYPES = {"textarea", "input", "dropdown", "checkboxes"}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def job():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (only,) = workflow["jobs"].values()
    return only


def test_the_workflow_calls_the_ci_script_with_every_python_that_is_allowed(project, job):
    allowed = [c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r"Python :: 3\.\d+$", c)]
    assert job["strategy"]["matrix"]["python"] == allowed
    (script,) = (step for step in job["steps"] if step.get("run") == ".ci/run")
    assert script["env"]["PYTHON"] == "python"
    assert job["timeout-minutes"] > 0


def test_the_ci_script_leaves_the_python_to_the_caller():
    script, makefile = ((ROOT / name).read_text() for name in (".ci/run", "Makefile"))
    assert not re.search(r"^\s*(export )?PYTHON=", script, re.MULTILINE)
    assert re.search(r"^PYTHON +\?=", makefile, re.MULTILINE)


def test_the_archive_metadata_is_that_of_the_project(project):
    archive = json.loads((ROOT / ".zenodo.json").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert archive["title"] == citation["title"]
    assert archive["license"] == citation["license"] == project["license"]
    assert archive["keywords"] == project["keywords"]
    assert [creator["name"] for creator in archive["creators"]] == [author["name"] for author in project["authors"]]
    (paper,) = archive["related_identifiers"]
    assert paper["identifier"] == citation["preferred-citation"]["identifiers"][0]["value"]
    assert project["urls"]["Paper"] == citation["preferred-citation"]["url"]


def test_the_page_says_how_to_cite_this_version(project):
    page = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    title = yaml.safe_load((ROOT / "CITATION.cff").read_text())["title"]
    assert f"title  = {{{title}}}" in page and f"note   = {{version {project['version']}," in page
    assert f"author = {{{{{project['authors'][0]['name']}}}}}" in page


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_for_what_is_needed(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"] and form["description"]
    identifiers = [field["id"] for field in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    for field in form["body"]:
        assert field["type"] in TEXT_TYPES and field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_there_are_forms_for_bugs_numbers_and_additions():
    assert {path.stem for path in FORMS} == {"bug", "numbers", "addition"}
