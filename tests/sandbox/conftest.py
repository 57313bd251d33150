import pytest

from semalign.sandbox import SandboxError, sandbox_mode


@pytest.fixture(params=["bubblewrap", "limits"])
def mode(request):
    try:
        return sandbox_mode(request.param)
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])
