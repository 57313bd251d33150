"""What a record says of the process that it was made in."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from semalign.results.surroundings import PACKAGES, command, package_version, peak_memory, versions


def test_the_version_of_a_package_is_the_installed_one():
    assert [package_version(name) for name in PACKAGES] == [version(name) for name in PACKAGES]
    assert package_version("no-such-package") is None


def test_versions_are_those_of_python_and_of_the_packages_that_are_installed():
    found = versions()
    assert found["python"] == sys.version.split()[0] and found["torch"] and "a-package" not in found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system keeps no such file")
def test_peak_memory_is_in_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    assert peak_memory() == pytest.approx(kilobytes * 1024, rel=0.05)


def test_the_command_line_is_kept_relative_to_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/usr/bin/semalign", "transfer", f"{tmp_path}/data/a b.jsonl"])
    assert command() == "semalign transfer 'data/a b.jsonl'"
    monkeypatch.setattr(sys, "argv", ["/x/ipykernel_launcher.py", "-f", "/tmp/kernel.json"])
    assert command() == "notebook"


def test_bytes_that_are_no_text_are_escaped(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["semalign", "basis", b"m\xff".decode("utf-8", "surrogateescape")])
    assert command() == "semalign basis 'm\\udcff'" and command().encode()


def test_the_home_folder_is_a_tilde_that_a_shell_expands(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/semalign", "basis", f"{Path.home()}/models/mine", "/elsewhere/x"])
    assert command() == "semalign basis ~/models/mine /elsewhere/x"
