"""The start of a program: settings of a transfer with LoRA, in a process of their own, against those of peft."""

import subprocess
import sys

from bench.race import Race, step

OURS = "from semalign import TransferSettings; print(TransferSettings(rank=8).rank)"
PEER = "from peft import LoraConfig; print(LoraConfig(r=8).r)"


def started(program: str, starts: int) -> list[int]:
    """Return what a program prints, started several times one after the other."""
    command = [sys.executable, "-c", program]
    return [int(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(starts)]


@step(
    title="Start, to settings that are checked",
    peer="`peft.LoraConfig`",
    reach=10.0,
    sizes=[{"starts": 1}, {"starts": 2}],
    growth={"starts": 1.0},
    rounds=(1, 1),
    says="a new process imports the class and makes settings of rank 8",
)
def start_up(starts: int) -> Race:
    """Prepare the two programs."""
    return Race(
        ours=lambda: started(OURS, starts),
        peer=lambda: started(PEER, starts),
        difference=lambda ours, peer: float(max(abs(a - b) for a, b in zip(ours, peer, strict=True))),
    )
