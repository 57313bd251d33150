"""Each heavy step beside its peer, on the same work in the same run; ``make bench`` runs all of it.

:mod:`bench.race` says what a step is, and :mod:`bench.steps` has one file for each. ``test_races.py`` times them by
pytest-benchmark, ``python -m bench`` runs each in a process of its own, and :mod:`bench.report` makes records and a
table from the times.
"""
