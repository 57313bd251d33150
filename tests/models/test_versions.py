"""Versions of what computes."""

from importlib.metadata import version

from semalign.models.versions import PACKAGES, package_version


def test_the_versions_are_those_that_are_installed():
    assert [package_version(name) for name in PACKAGES] == [version(name) for name in PACKAGES]
    assert package_version("no-such-package") is None
