from functools import partial

import pytest
from helpers.data import write_task


@pytest.fixture
def own_task(tmp_path):
    """Return a function that writes a task file of one's own with its rows."""
    return partial(write_task, tmp_path)
