"""Which notebooks run at the same time: as many as there are cores for, the longest first, in the order of results."""

import multiprocessing
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path, PurePosixPath
from typing import TypeVar

from semalign.book.inputs import declared_inputs
from semalign.sandbox.runs import cores

T = TypeVar("T")
COST = re.compile(r"\*\*Cost\*\*: about (\d+) (second|minute)s?\b")
RESULTS = "results"  # the one folder below data/ that notebooks write to


def at_once() -> int:
    """Return how many notebooks may run at the same time.

    It is the number of cores divided by ``OMP_NUM_THREADS``, the threads of each; without that variable a notebook
    takes all cores, so that there is one at a time.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, cores() // int(threads)) if threads.isdecimal() and int(threads) else 1


def stated_seconds(source: Path) -> int:
    """Return the cost that a notebook states in its first cell, ``**Cost**: about 5 minutes``; 0 if there is none."""
    found = COST.search(source.read_text(encoding="utf-8"))
    return int(found[1]) * (60 if found[2] == "minute" else 1) if found else 0


def before(sources: Sequence[Path]) -> dict[Path, set[Path]]:
    """Return for each notebook the earlier ones that read some of the same results, since these may make them too."""
    read = {source: [PurePosixPath(name) for name in declared_inputs(source)] for source in sources}
    return {
        source: {earlier for earlier in sources[:number] if _share_results(read[source], read[earlier])}
        for number, source in enumerate(sources)
    }


def _share_results(some: Collection[PurePosixPath], others: Collection[PurePosixPath]) -> bool:
    return any(
        RESULTS in (a.parts[0], b.parts[0]) and (a.is_relative_to(b) or b.is_relative_to(a))
        for a in some
        for b in others
    )


def run_all(
    sources: Sequence[Path], after: Mapping[Path, Collection[Path]], work: Callable[[Path], T], workers: int
) -> list[T]:
    """Return ``work(source)`` for every notebook, in order; with several workers, each call is in a process.

    Args:
        sources: notebooks, in the order of the book.
        after: for each notebook those that must be finished when it starts, if they are among ``sources``.
        work: function of a notebook.
        workers: number of processes; with one, the notebooks run in this process and in their order.

    Raises:
        Exception: the first that a call raises; the calls that are running then are ended.
    """
    if min(workers, len(sources)) <= 1:
        return [work(source) for source in sources]
    waiting = sorted(sources, key=stated_seconds, reverse=True)
    running: dict[Future[T], Path] = {}
    done: dict[Path, T] = {}
    with ProcessPoolExecutor(min(workers, len(sources))) as pool:
        try:
            while waiting or running:
                for source in _ready(waiting, {*waiting, *running.values()}, after, workers - len(running)):
                    waiting.remove(source)
                    running[pool.submit(work, source)] = source
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done[running.pop(future)] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
    return [done[source] for source in sources]


def _ready(
    waiting: Sequence[Path], unfinished: Collection[Path], after: Mapping[Path, Collection[Path]], free: int
) -> list[Path]:
    """Return the next notebooks to start: they wait for none that is unfinished, and there are workers for them."""
    return [source for source in waiting if not {*after[source]} & {*unfinished}][:free]
