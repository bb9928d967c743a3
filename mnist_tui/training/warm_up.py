"""Loading ahead of the first run: torch, and what it does at the first optimizer."""

import atexit
import gc

import torch

from mnist_tui.training import eager, environment


def warm_up() -> None:
    """Loads what the first run would wait for, and takes it out of the garbage collector's sight."""
    torch.set_num_threads(environment.default_threads())
    eager.skip_compiler()
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight], fused=True).step()
    # A full collection over torch's 200,000 objects stops the screen for 0.2 s; frozen objects are skipped.
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # Else torch's compiler complains on stderr about leaks at exit.
