"""A node without a network: commands run where only one folder can be written, without a home directory."""

import os
import subprocess
import sys
from pathlib import Path

import semalign

SOURCE = Path(semalign.__file__).parents[1]
LIMIT = 300  # seconds; whoever waits for a network, tries again for minutes


def offline(scratch: Path, *command: object, **variables: object) -> subprocess.CompletedProcess:
    """Run a command in a network namespace without interfaces, where all but one folder can only be read."""
    network = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-c", "-n"]
    mounts = ["bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc"]
    folder = scratch / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": SOURCE,
        "HOME": "/nonexistent",
        "TMPDIR": folder,
        "HF_HUB_OFFLINE": 1,
        "HF_HOME": scratch / "hf",
        "SEMALIGN_CACHE": scratch / "cache",
        "OMP_NUM_THREADS": 1,
        **variables,
    }
    return subprocess.run(
        [*network, *mounts, "--bind", str(scratch), str(scratch), "--chdir", str(scratch), *map(str, command)],
        env={name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


def why_not(scratch: Path) -> str | None:
    """Return why commands cannot be run so on this machine; None if they can."""
    try:
        tried = offline(scratch, "true")
    except OSError as error:
        return f"there is no {error.filename} on this machine"
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


def semalign_offline(scratch: Path, *arguments: object, **variables: object) -> subprocess.CompletedProcess:
    """Run a command of semalign without a network."""
    return offline(scratch, sys.executable, "-m", "semalign", *arguments, **variables)
