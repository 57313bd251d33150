"""One file for each step; see :func:`bench.race.step`."""
