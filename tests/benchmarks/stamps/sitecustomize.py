"""Python imports this at its start where this folder is in PYTHONPATH: passes of networks, timed.

So neither program needs a change: in every process that runs a network, PID.txt in the folder
BENCHMARK_STAMPS gets the times (time.monotonic, one clock for all processes) at which passes
through a whole network began (B) and ended (E). Processes without PyTorch lose nothing.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import threading
import time

MODULE = "torch.nn.modules.module"


class Stamps(importlib.abc.MetaPathFinder):
    """Waits for PyTorch to be imported and hooks into its modules then."""

    def find_spec(self, name, path=None, target=None):
        """Return the usual spec, its loader followed by `hook`, of the one module wanted."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


def hook(module):
    """Let each pass through a network leave stamps.

    The first module that is called is the network; from then on hooks are on it alone, as hooks on
    every module would cost each small layer some microseconds.
    """
    lock, waiting, files = threading.Lock(), [], []

    def stamp(kind):
        os.write(files[0], f"{kind} {time.monotonic()}\n".encode())

    def begin(*_):
        stamp("B")

    def end(*_):
        stamp("E")

    def first(network, _):
        with lock:
            if not waiting:
                return
            path = os.path.join(os.environ["BENCHMARK_STAMPS"], f"{os.getpid()}.txt")
            files.append(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
            begin()  # the hook below is too late for this pass
            network.register_forward_pre_hook(begin)
            network.register_forward_hook(end)
            # last, so that at no time a pass of another thread finds no hook at all
            waiting.pop().remove()

    waiting.append(module.register_module_forward_pre_hook(first))


if "BENCHMARK_STAMPS" in os.environ:
    sys.meta_path.insert(0, Stamps())
