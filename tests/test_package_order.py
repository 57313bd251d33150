"""The packages stand in one order, and imports run one way: to what stands earlier."""

import ast
from pathlib import Path

import semalign

ORDER = (
    *("paths", "errors", "hub", "outputs", "disk", "yaml_text", "files", "tensor_files"),
    *("cache_folder", "declarations", "own_modules", "included", "registry", "truth_values", "settings", "stopping"),
    *("sandbox", "results", "data", "models", "bases", "targets", "training", "methods"),
    *("evaluation", "analysis", "experiments", "planning", "micro", "book", "cli"),
)
ROOT = Path(semalign.__file__).parent
APART = {"__init__", "__main__"}  # they hand names on, to whoever imports semalign


def imports(path: Path) -> set[str]:
    """Return the modules of semalign that a file names in imports, those inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("semalign.")}


def place(name: str) -> str:
    return name.split(".")[1]


def modules() -> dict[str, Path]:
    files = {path: path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py")}
    return {".".join(parts.parts).removesuffix(".__init__"): path for path, parts in files.items()}


def test_every_package_has_its_place():
    on_disk = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert on_disk - APART == set(ORDER)


def test_imports_run_to_earlier_packages_only():
    back = []
    for name, path in modules().items():
        if name == "semalign" or place(name) in APART:
            continue
        for other in imports(path):
            target = place(other)
            if target in ORDER and ORDER.index(target) > ORDER.index(place(name)):
                back.append(f"{name} imports {other}")
    assert not back


def test_no_module_imports_itself_through_others():
    known = modules()
    arrows = {name: {nearest(other, known) for other in imports(path)} - {name} for name, path in known.items()}
    arrows.pop("semalign")
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in arrows.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in arrows:
        visit(name, ())


def nearest(name: str, known: dict[str, Path]) -> str:
    """Return the module that an imported name stands in."""
    while name not in known:
        name = name.rpartition(".")[0]
    return name
