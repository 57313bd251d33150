"""Several processes of one run: copies of this one, in a group over Gloo."""

import multiprocessing
import os
import pickle
import socket
import traceback
from collections.abc import Callable
from typing import Any

FORK = multiprocessing.get_context("fork")


def in_processes(n: int, work: Callable[[], Any]) -> list[Any]:
    """Return what ``work`` returns, or the error that it raises, in each of ``n`` processes; their numbers are 0..n-1.

    The processes have what launchers tell theirs. ``work`` starts the group by using it.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ends = [FORK.Pipe(duplex=False) for _ in range(n)]
    running = [FORK.Process(target=_run, args=(number, n, port, work, ends[number][1])) for number in range(n)]
    for process, (_, theirs) in zip(running, ends, strict=True):
        process.start()
        theirs.close()
    found = []
    for process, (ours, _) in zip(running, ends, strict=True):
        try:
            found.append(pickle.loads(ours.recv_bytes()))
        except EOFError:  # it was killed
            process.join()
            found.append(process.exitcode)
    for process in running:
        process.join()
    return found


def _run(number: int, n: int, port: int, work: Callable[[], Any], end: Any) -> None:
    own = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in own.items()} | {"MASTER_ADDR": "127.0.0.1"})
    try:
        result = work()
    except Exception as error:
        traceback.print_exc()
        result = error
    end.send_bytes(pickle.dumps(result))  # by value: shared tensors end with their process
    end.close()
    os._exit(0)  # without the cleaning up of pytest
