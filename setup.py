"""What pyproject.toml cannot say: a wheel holds the models and benchmarks of ``data/``, as ``semalign/shipped/``."""

from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build


class BuildShipped(Command):
    """Copy what the project ships next to the built modules; an editable install reads it from ``data/``."""

    user_options = ()
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def get_source_files(self) -> list[str]:
        folders = [*sorted(Path("data/models").glob("micro-*")), Path("data/benchmarks/semalign")]
        return [str(path) for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]

    def get_output_mapping(self) -> dict[str, str]:
        shipped = Path(self.build_lib, "semalign", "shipped")
        return {str(shipped / Path(source).relative_to("data")): source for source in self.get_source_files()}

    def get_outputs(self) -> list[str]:
        return list(self.get_output_mapping())

    def run(self) -> None:
        if self.editable_mode:
            return
        for target, source in self.get_output_mapping().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)


build.sub_commands.append(("build_shipped", None))
setup(cmdclass={"build_shipped": BuildShipped})
