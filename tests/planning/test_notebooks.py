"""What notebooks need, by their code."""

import pytest

from semalign.experiments.profiles import load_profile
from semalign.planning.machines import MACHINES
from semalign.planning.notebooks import notebook_phases
from semalign.planning.setup import Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import ProfileTexts

pytestmark = pytest.mark.usefixtures("without_data")


@pytest.mark.parametrize(
    ("code", "models", "trains"),
    [
        ("page.show(records)", False, False),
        ("# load_model(name) and transfer(a, b)\n1", False, False),
        ("student = load_model(name)", True, False),
        ("result = run_method(name, teacher, student)", True, True),
    ],
)
def test_a_notebook_needs_the_models_that_its_code_asks_for(tmp_path, code, models, trains):
    (tmp_path / "01_a.py").write_text(code)
    profile = load_profile("micro")
    setup = Setup(MACHINES["a100"], shapes_of("micro-teacher"), shapes_of("micro-student"))
    first, *others = notebook_phases(tmp_path / "01_a.py", profile, lambda: setup, ProfileTexts(profile))
    weights = 4 * (shapes_of("micro-teacher").parameters + shapes_of("micro-student").parameters)
    assert (first.name, first.gpu_memory) == ("read", weights if models else 0)
    assert (others != []) == trains
