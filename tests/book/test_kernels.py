"""A kernel has the imports of all notebooks done, and is otherwise a process of its own, which ends with the caller."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from semalign.book import kernels
from semalign.book.kernels import FORKS, InterpreterKernel

forked = pytest.mark.skipif(not FORKS, reason="this system has no server of forks")
HELD = """
import subprocess
import sys
from nbformat.v4 import new_code_cell, new_notebook
from nbclient import NotebookClient
from semalign.book import kernels
if __name__ == "__main__":
    kernels.IMPORTED = ["ipykernel.kernelapp"]
    source = '''import os, subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path(path + ".part").write_text(f"{os.getpid()} {child.pid}")
os.replace(path + ".part", path)
time.sleep(600)'''
    notebook = new_notebook(cells=[new_code_cell(f"path = {sys.argv[1]!r}\\n" + source)])
    NotebookClient(notebook, kernel_name="python3", kernel_manager_class=kernels.InterpreterKernel).execute()
"""


@pytest.fixture(autouse=True)
def own_server(monkeypatch):
    """Let each test have a server of its own, with few imports."""
    monkeypatch.setattr(kernels, "IMPORTED", ["ipykernel.kernelapp", "colorsys"])
    forkserver._forkserver._stop()
    yield
    forkserver._forkserver._stop()


def said(*cells: str) -> list[str]:
    """Run cells in one kernel and return what each printed."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", kernel_manager_class=InterpreterKernel).execute()
    return [cell.outputs[0].text.strip() if cell.outputs else "" for cell in notebook.cells]


@forked
def test_imports_are_done_before_a_kernel_begins():
    assert said("import sys\nprint('colorsys' in sys.modules, 'matplotlib' in sys.modules)") == ["True False"]


def test_a_kernel_has_the_interpreter_environment_and_folder_of_the_caller(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMALIGN_OF_THE_CALLER", "here")
    monkeypatch.chdir(tmp_path)
    asked = "import os, sys\nprint(sys.executable, os.environ['SEMALIGN_OF_THE_CALLER'], os.getcwd())"
    assert said(asked) == [f"{sys.executable} here {tmp_path}"]


def test_what_one_kernel_changes_no_other_sees():
    change = "import colorsys, os\ncolorsys.ONE_SIXTH, os.environ['SEMALIGN_LEFT'] = 5, 'x'"
    look = "import colorsys, os\nprint(colorsys.ONE_SIXTH, 'SEMALIGN_LEFT' in os.environ)"
    assert said(change, look)[1] == "5 True"
    assert said(look) == [f"{1 / 6} False"]


def test_figures_are_shown_in_a_kernel():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1]);")]
    )
    NotebookClient(notebook, kernel_name="python3", kernel_manager_class=InterpreterKernel).execute()
    assert "image/png" in notebook.cells[0].outputs[-1].data


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@forked
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are read from /proc")
def test_a_kernel_and_what_it_started_end_with_a_caller_that_is_killed(tmp_path):
    script, path = tmp_path / "held.py", tmp_path / "pids"
    script.write_text(HELD)
    caller = subprocess.Popen([sys.executable, script, path])
    until(path.exists)
    pids = [int(pid) for pid in path.read_text().split()]
    assert not any(map(ended, pids))
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    until(lambda: all(map(ended, pids)))


def until(holds) -> None:
    limit = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < limit, "nothing happened in two minutes"
        time.sleep(0.05)
