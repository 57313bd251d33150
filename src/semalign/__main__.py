"""``python -m semalign`` is the command ``semalign``."""

import sys

from semalign.cli import entry_point

if __name__ == "__main__":
    sys.argv[0] = "semalign"  # what run records name
    entry_point()
