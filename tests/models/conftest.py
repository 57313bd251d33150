import pytest
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture

from semalign.models.architecture import Architecture


@pytest.fixture(params=TYPES)
def architecture(request) -> Architecture:
    return Architecture(make_architecture(request.param, **SPECIAL.get(request.param, SMALL)))
