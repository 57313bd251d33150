"""Kernels of notebooks: each is a process of its own, and begins with the imports that all notebooks need.

These imports take ten seconds, most of them PyTorch's and transformers'. So one process does them, and each kernel is a
fork of it. Where Python has no server of forks (on Windows), a kernel is a new interpreter.
"""

import multiprocessing
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from multiprocessing import forkserver, process
from pathlib import Path
from threading import Thread
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.localinterfaces import localhost
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import default

# Not matplotlib, which asks at its import for the backend; ipykernel last, since with it tqdm looks for a notebook.
IMPORTED = ["pandas", "semalign.experiments.runs", "ipykernel.kernelapp"]
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
if FORKS:  # a fork of this process cannot ask this process's server, and starts its own
    os.register_at_fork(after_in_child=partial(forkserver.ForkServer.__init__, forkserver._forkserver))


class InterpreterKernel(AsyncKernelManager):
    """A kernel of the running interpreter, independent of the kernel specifications registered on this machine."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if FORKS:
            self.provisioner = ForkedProvisioner(kernel_spec=self.kernel_spec, parent=self)

    @default("transport")
    def _transport_default(self) -> str:
        return "ipc" if os.name == "posix" else "tcp"  # no port that others on the machine could reach

    @default("ip")
    def _ip_default(self) -> str:  # for ipc the beginning of its sockets' paths, which kernels would else share
        name = f"semalign-{os.getpid()}-{secrets.token_hex(4)}"
        return os.path.join(tempfile.gettempdir(), name) if self.transport == "ipc" else localhost()

    @property
    def kernel_spec(self) -> KernelSpec:
        """The specification that starts ``ipykernel`` with the running interpreter."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="semalign", language="python")


class ForkedProvisioner(LocalProvisioner):
    """Starts a kernel as a :class:`ForkedKernel`."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel; of the command only what stands behind the module matters."""
        forkserver.set_forkserver_preload(IMPORTED)
        kernel = ForkedKernel(cmd[cmd.index("-f") :], kwargs["env"], Path(kwargs.get("cwd") or "."))
        kernel.start()
        self.process, self.pid, self.pgid, self.cwd = kernel, kernel.pid, kernel.pid, kernel.cwd
        return self.connection_info


class ForkedKernel(multiprocessing.get_context("forkserver" if FORKS else None).Process):  # type: ignore[misc]
    """A kernel forked from the process that has done the imports, with the methods of ``subprocess.Popen``.

    Args:
        arguments: arguments of ``ipykernel``.
        environment: its environment variables.
        cwd: its working directory.
    """

    stdin = stdout = stderr = None

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], cwd: Path) -> None:
        super().__init__(daemon=False)
        self.arguments, self.environment, self.cwd = list(arguments), dict(environment), cwd.resolve()

    def run(self) -> None:
        """Be the kernel until it is told to shut down, or until the process that asked for it is gone."""
        from ipykernel.kernelapp import IPKernelApp

        os.setsid()  # signals to the kernel reach what it has started, and nothing else
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.cwd)
        Thread(target=_end_with_parent, daemon=True).start()
        IPKernelApp.launch_instance(argv=[*self.arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self.exitcode

    def wait(self) -> int | None:
        """Return the exit status once it has ended."""
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


def _end_with_parent() -> None:
    parent = process.parent_process()
    if parent is not None:
        parent.join()
    os.killpg(0, signal.SIGKILL)
