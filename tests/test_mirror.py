"""Each module has a test file in the same place, so that what is untested shows at a glance."""

from pathlib import Path

import semalign

PACKAGE, TESTS = Path(semalign.__file__).parent, Path(__file__).parent
# Small objects that are registered by name are tested side by side, in one file for their package.
FAMILIES = {
    "book/figures": "book/figures/test_chapters.py",
    "methods/declared": "methods/test_declared.py",
    "targets/maps": "targets/test_maps.py",
    "training/layer_losses": "training/test_layer_losses.py",
    "training/output_terms": "training/test_output_terms.py",
}
ELSEWHERE = {
    "__main__": "test_main.py",
    "book/sphinx_extension": "book/test_notebooks.py",  # it runs them
    "data/task_check": "data/test_task_file.py",  # which calls it on every file it reads
    "data/task_yaml": "data/test_task_file.py",
    "sandbox/errors": "sandbox/test_isolation.py",  # a class without code
}


def modules() -> list[str]:
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(path.as_posix() for path in paths if path.name != "__init__")


def own_file(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}.py".lstrip("/")


def mirror(module: str) -> str:
    return ELSEWHERE.get(module) or FAMILIES.get(module.rpartition("/")[0]) or own_file(module)


def test_every_module_has_a_test_file():
    missing = [f"{module}: {mirror(module)}" for module in modules() if not (TESTS / mirror(module)).is_file()]
    assert not missing


def test_the_exceptions_are_needed():
    assert set(ELSEWHERE) <= set(modules())
    assert set(FAMILIES) <= {module.rpartition("/")[0] for module in modules()}
    assert not [module for module in ELSEWHERE if (TESTS / own_file(module)).is_file()]
