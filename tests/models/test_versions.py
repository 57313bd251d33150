"""Versions of what computes."""

import subprocess
import sys

from semalign.models.versions import PACKAGES
from semalign.results.surroundings import package_version


def test_what_computes_is_installed():
    assert all(package_version(name) for name in PACKAGES)


def test_the_versions_are_known_without_torch():
    program = "import sys, semalign.models.versions, semalign.results.surroundings; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
