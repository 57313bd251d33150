"""Make ``python -m semalign`` run the command ``semalign``."""

import sys

from semalign.cli import entry_point

if __name__ == "__main__":
    sys.argv[0] = "semalign"  # the program name in run records
    entry_point()
