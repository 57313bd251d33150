"""The project's own files agree with each other."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import jupytext
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from semalign.book.at_once import stated_seconds

ROOT = Path(__file__).parents[1]
TEXT = {".cff", ".css", ".csv", ".json", ".jsonl", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
FOLDERS = ("book", "data", "examples", "notebooks", "src", "tests", "benchmarks", ".ci", ".github")
MADE = ("_build", "__pycache__", "semalign.egg-info", "book/notebooks")


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins():
    return read_pins("constraints.txt")


def read_pins(file):
    lines = (ROOT / file).read_text().split()
    return {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)}


def required(pyproject, *extras):
    project = pyproject["project"]
    listed = [*project["dependencies"], *(r for e in extras for r in project["optional-dependencies"][e])]
    return [Requirement(line) for line in listed]


def test_every_dependency_is_pinned_to_a_version_that_its_range_allows(pyproject, pins):
    for requirement in required(pyproject, "book", "dev"):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_the_workflow_has_the_same_pins_but_for_what_goes_with_snakemake(pyproject, pins):
    theirs = read_pins("workflow/constraints.txt")
    others = {name for name, pin in pins.items() if theirs[name] != pin}
    assert others == {"numpy", "packaging", "sqlalchemy", "virtualenv"}
    for requirement in required(pyproject, "book", "dev", "cluster"):
        assert requirement.specifier.contains(theirs[canonicalize_name(requirement.name)]), requirement


def test_the_pins_are_what_is_installed(pins):
    if find_spec("snakemake"):
        pins = read_pins("workflow/constraints.txt")
    different = {}
    for name, pin in pins.items():
        try:
            installed = version(name).split("+")[0]
        except PackageNotFoundError:
            continue
        if installed != pin:
            different[name] = (pin, installed)
    assert not different, "install with -c constraints.txt"


def test_one_version_everywhere(pyproject, pins):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == pyproject["project"]["version"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert {d for hook in hooks for d in hook.get("additional_dependencies", [])} == {f"ruff=={pins['ruff']}"}


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml"])
def test_the_book_uses_the_top_level_configuration(name):
    link = ROOT / "book" / name
    assert link.is_symlink() and str(link.readlink()) == f"../{name}"


def test_every_page_of_the_contents_has_a_source():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [contents["root"], *(c["file"] for part in contents["parts"] for c in part["chapters"])]
    for page in pages:
        source = ROOT / f"{page}.py" if page.startswith("notebooks/") else ROOT / "book" / f"{page}.md"
        assert source.is_file(), page
    chapters = [page for page in pages if page.startswith("notebooks/")]
    assert chapters == sorted(f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_says_what_it_is_for_what_it_costs_and_how_to_run_it(path):
    cells = jupytext.read(path).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    for word in ("purpose", "cost", "command"):
        assert word in cells[0].source.lower(), word
    assert stated_seconds(path) > 0  # by which the longest begins first
    assert set(re.findall(r"--only (\d+)", path.read_text())) == {path.stem[:2]}
    (parameters,) = (cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
    assert 'profile = "micro"' in parameters.source.splitlines()


def test_the_readme_example_is_five_lines_of_python_that_run_and_its_commands_exist(tmp_path, monkeypatch):
    readme = (ROOT / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    monkeypatch.setenv("SEMALIGN_ROOT", str(ROOT))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert (tmp_path / "runs" / "first" / "adapter_model.safetensors").is_file()
    assert len([line for line in example.splitlines() if line.strip()]) <= 5
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    used = re.findall(r"^make (\w+)", readme, re.MULTILINE)
    assert used == ["book", "test"] and set(used) <= set(targets)
    script = (ROOT / ".ci" / "run").read_text()
    assert all(f"\nmake {command}\n" in script for command in used)


COLUMN = 86  # characters of code in the width of a page


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))], ids=lambda path: path.name
)
def test_code_of_a_page_fits_its_column(path):
    blocks = re.findall(r"^```(?:sh|python|json|yaml)\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert [line for block in blocks for line in block.splitlines() if len(line) > COLUMN] == []


def test_no_file_names_a_place_on_this_machine():
    folders = [place for place in (ROOT, Path.home()) if len(place.parts) > 1]
    places = re.compile("|".join(re.escape(str(place)) + r"\b" for place in folders))
    top = [path for path in ROOT.iterdir() if path.is_file()]
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in [*top, *below]:
        relative = path.relative_to(ROOT).as_posix()
        if path.suffix in TEXT and not any(part in relative for part in MADE):
            assert not places.search(path.read_text(encoding="utf-8")), relative


def test_no_kind_of_warning_is_ignored_wholesale(pyproject):
    filters = [line.split(":") for line in pyproject["tool"]["pytest"]["ini_options"]["filterwarnings"]]
    assert ["error", "", "FutureWarning"] in filters
    for action, *rest in filters:
        if action == "ignore":
            message, _, module = rest
            assert message and module


def test_the_tests_check_the_shapes_of_every_module_that_states_some(pyproject):
    options = pyproject["tool"]["pytest"]["ini_options"]["addopts"]
    *checked, checker = re.search(r"--jaxtyping-packages=(\S+)", options)[1].split(",")
    assert checker == "beartype.beartype"
    stating = [path for path in (ROOT / "src").rglob("*.py") if "from jaxtyping" in path.read_text("utf-8")]
    names = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in stating]
    assert len(names) > 50
    assert [name for name in names if not any(f"{name}.".startswith(f"{each}.") for each in checked)] == []
    assert [each for each in checked if not any(f"{name}.".startswith(f"{each}.") for name in names)] == []
