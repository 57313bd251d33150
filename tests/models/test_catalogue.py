"""The published models that are known by name."""

from semalign.models.catalogue import MODELS


def test_every_model_has_a_source_with_a_checksum_and_a_licence():
    for published in MODELS.values():
        assert published.hub.count("/") == 1 and published.licence
        assert len(published.sha256) == 64 and published.gguf.endswith(".gguf")
        for package in (published.package, *(name for name, _ in published.parts)):
            assert "==" in package  # pinned, so that the checksum holds
