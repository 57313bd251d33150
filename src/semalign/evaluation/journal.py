"""A journal of the answers of a model: with it, an evaluation that was killed continues where it stopped.

lm-eval's own response cache pickles, does not keep sampled answers, and stores partial ones of vLLM under other keys.
"""

import gzip
import json
import logging
import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from semalign.disk import write_errors
from semalign.files import atomic_path, json_fingerprint
from semalign.results.records import companion_path

logger = logging.getLogger(__name__)
Key = tuple[str, ...]


class Journal:
    """A compressed JSONL file: first what the answers depend on, then one line for each answer, each with a checksum.

    It is lm-eval's hook for caches. An answer is on disk before the next batch begins. A file that was cut short or
    damaged is read up to there.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Open the journal; the answers in it are kept if they were given under the same ``identity``."""
        self.path, self._identity = path, identity
        self.kept: dict[Key, list[Any]] = defaultdict(list)
        first, *lines = (_whole_lines(path) if path.is_file() else []) or [identity]
        if json_fingerprint(first) == json_fingerprint(identity):
            for line in lines:
                self.kept[tuple(line["request"])].append(line["answer"])
        else:
            logger.warning("%s is of another model, task, setting or version of a library: starting anew", path)
        self._open()

    def _open(self) -> None:
        """Write the answers that are kept, without a damaged end, and open the file for more."""
        rows = ({"request": key, "answer": answer} for key, answers in self.kept.items() for answer in answers)
        write_lines(self.path, map(_checked, [self._identity, *rows]))
        self._file = gzip.open(self.path, "at", encoding="utf-8")

    def add_partial(self, kind: str, arguments: Sequence[Any], answer: Any) -> None:
        """Keep one answer; lm-eval's models call this."""
        key = _key(arguments)
        self.kept[key].append(answer)
        self._file.write(json.dumps(_checked({"request": key, "answer": answer}), ensure_ascii=False) + "\n")
        self._file.flush()

    def known(self, wanted: Mapping[Key, int]) -> dict[Key, deque[Any]]:
        """Return the answers to those requests that have as many as are wanted, and forget the answers to others.

        If a request has only some of its samples, none of them is used: the others would be drawn with the same random
        numbers, and would repeat them.
        """
        found = {key: deque(self.kept[key][:n]) for key, n in wanted.items() if len(self.kept.get(key, [])) >= n}
        if short := [key for key in wanted if key not in found and key in self.kept]:
            for key in short:
                del self.kept[key]
            self.close()
            self._open()
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _key(arguments: Sequence[Any]) -> Key:
    """Return a request's texts: prompt, and continuation if there is one. The journal's identity has the decoding."""
    return tuple(argument for argument in arguments if isinstance(argument, str))


def _checked(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": content, "checksum": json_fingerprint(content)}


def _whole_lines(path: Path) -> list[Any]:
    """Return the content of the lines of a journal up to the first whose checksum is wrong."""
    found: list[Any] = []
    for line in read_lines(path):
        if not isinstance(line, dict) or line.get("checksum") != json_fingerprint(line.get("content")):
            logger.warning("%s is damaged: what follows answer %d is asked again", path, max(len(found) - 1, 0))
            break
        found.append(line["content"])
    return found


def read_lines(path: Path) -> Iterator[Any]:
    """Yield the content of each line of a compressed JSONL file, up to its end or to where it was cut or damaged.

    A process that was killed leaves a file that is cut; any other damage gives a warning.
    """
    with gzip.open(path, "rb") as lines:
        try:
            for line in lines:
                yield json.loads(line)
        except EOFError:
            return
        except (OSError, zlib.error, ValueError) as error:
            logger.warning("%s is damaged and was read up to there (%s)", path, error)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a compressed JSONL file, whole or not at all; equal content gives equal bytes."""
    with atomic_path(path) as temporary, open(temporary, "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
            for row in rows:
                file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


class Resumed:
    """A model of lm-eval that answers from its journal what that holds; in all else it is the model."""

    def __init__(self, engine: LM, journal: Journal) -> None:
        self._engine, self._journal = engine, journal
        engine.set_cache_hook(journal)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Return the text for each request."""
        return self._answers("generate_until", requests)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Return for each request the log-likelihood, and whether greedy decoding would give the text."""
        return [(value, greedy) for value, greedy in self._answers("loglikelihood", requests)]

    def _answers(self, kind: str, requests: list[Instance]) -> list[Any]:
        keys = [_key(request.args) for request in requests]
        known = self._journal.known(Counter(keys))
        missing = [request for request, key in zip(requests, keys, strict=True) if key not in known]
        fresh = iter(getattr(self._engine, kind)(missing) if missing else ())
        return [known[key].popleft() if key in known else next(fresh) for key in keys]


@contextmanager
def resumed(engine: LM, record_path: Path | None, identity: Callable[[], dict[str, Any]]) -> Iterator[Any]:
    """Yield the model, with answers from the journal of an evaluation that was killed where there are some.

    Args:
        engine: the model.
        record_path: where the record of the evaluation will be; None: no journal is kept. The journal stays until
            :func:`semalign.results.records.write_record` has written the record.
        identity: what the answers depend on; answers under another identity are not used.
    """
    if record_path is None:
        yield engine
        return
    journal = Journal(companion_path(record_path, "answers"), identity())
    with write_errors(journal.path):
        try:
            yield Resumed(engine, journal)
        finally:
            journal.close()
