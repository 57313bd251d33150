"""The page on the layout of the code says what is so: packages, paths, shapes and what to copy."""

import re
from pathlib import Path

import pytest

import semalign
from semalign.data.rows import read_rows
from semalign.models.loading import load_model
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "code_layout.md").read_text()
PACKAGE = Path(semalign.__file__).parent
FOLDERS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}


def test_the_drawing_and_the_table_have_every_package():
    drawing = (ROOT / "book" / "_static" / "packages.svg").read_text()
    drawn = re.findall(r'font-weight="bold"[^>]*>([^<]+)<', drawing)
    assert {name for text in drawn for name in text.split(" · ")} == FOLDERS | {
        "paths",
        "errors",
        "hub",
        "outputs",
        "disk",
        "yaml_text",
        "files",
        "tensor_files",
        "cache_folder",
        "declarations",
        "own_modules",
        "included",
        "registry",
        "truth_values",
        "settings",
        "stopping",
    }
    assert {name for name in re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)} == FOLDERS


@pytest.mark.parametrize("page", ["book/code_layout.md", "book/add_your_own.md", "CONTRIBUTING.md", "RELEASING.md"])
def test_every_path_that_a_page_names_exists(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"[`(\s]((?:src|examples|notebooks|tests|book|data|\.ci)/[\w./-]*\w)", text)
    assert named
    for path in named:  # a link to a chapter names the notebook that is made from its source
        assert (ROOT / path.replace(".ipynb", ".py")).exists(), path


def test_the_targets_that_contributors_are_told_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    used = re.findall(r"^make ([\w-]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert used and set(used) <= set(targets)


def test_the_shapes_of_the_row_are_those_of_the_page(tmp_path):
    row = re.search(r"\| `(\{.*\})` \|", PAGE).group(1)
    (tmp_path / "row.jsonl").write_text(row + "\n")
    pair, settings = Pair(load_model("micro-teacher"), load_model("micro-student")), TransferSettings()
    builder = TargetBuilder(pair, settings)
    supervision = builder.supervision(read_rows(tmp_path / "row.jsonl"), [LayerPair([(1, 1.0)], 1)], tmp_path)
    (example,), (matched,), batch = supervision.examples, supervision.matched, supervision.batch([0])
    response = len(example) - example.prompt_length - 1
    inverted = builder.heads.inverted[0]
    for told in (
        f"{len(example)} tokens: {example.prompt_length} of the prompt, {response} of the response, 1 end",
        f"$m = {len(matched.student)}$: positions {matched.student[0]} to {matched.student[-1]}",
        f"{tuple(builder.alignment.shape)}, from {len(inverted.token_ids)} shared atoms",
        f"| {tuple(supervision.layers[0].teacher_states[0].shape)} |",
        f"| {tuple(supervision.entering[0].shape)} |",
        f"states {tuple(batch.states.shape)}, targets {tuple(batch.targets[1].shape)}, {len(batch.labels)} labels",
        f"{pair.teacher_architecture.n_layers} scores",
        f"{settings.epochs} steps",
    ):
        assert told in PAGE
