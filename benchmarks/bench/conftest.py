"""Nothing of a benchmark is kept: models, states and results of a step lie in a folder of its own."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
