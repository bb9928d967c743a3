"""Optimizers do not import PyTorch's compiler, and take the steps that PyTorch's own take."""

import subprocess
import sys
from pathlib import Path

import pytest

STEPS = """
import sys, torch
from mnist_tui.spec import catalog
from mnist_tui.training import eager
if sys.argv[1] == "eager":
    eager.skip_compiler()
    eager.skip_compiler()
for name in catalog.OPTIMIZERS:
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 5))
    optimizer = getattr(torch.optim, name)([{"params": [weight]}], lr=0.01)
    for _ in range(3):
        weight.grad = 2 * weight.detach()
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.zero_grad()
    print(name, weight.tolist())
weight = torch.nn.Parameter(torch.ones(1))
weight.grad = torch.ones(1)
try:
    torch.optim.SGD([weight], lr=0.1, differentiable=True).step()
except RuntimeError as error:
    print(error)  # With gradients a weight cannot be changed in place.
print("torch._dynamo" in sys.modules)
"""


def test_every_optimizer_takes_the_same_steps() -> None:
    """With the compiler left out, or imported as PyTorch does by itself."""
    eager, own = (_printed(STEPS, how) for how in ("eager", "own"))

    assert eager[:-1] == own[:-1]
    assert "in-place operation" in eager[-2]
    assert (eager[-1], own[-1]) == ("False", "True")


TRAINS = """
import sys
from pathlib import Path
from mnist_tui.runs.control import Control
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.training import eager, session, warm_up
if sys.argv[1] == "own":
    eager.skip_compiler = lambda: None
warm_up.warm_up()
spec = presets.load("iter5").with_settings({"epochs": "1"})
*_, last = session.run(spec, Options(runs_dir=Path("runs"), dataset="digits", threads=1), Control())
print(last.outcome, last.last.train_loss)
print([name for name in ("torch._dynamo", "sympy", "torchvision") if name in sys.modules])
"""


@pytest.mark.slow
def test_a_run_imports_neither_the_compiler_nor_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers are those of a run that does."""
    monkeypatch.chdir(tmp_path)
    eager, own = (_printed(TRAINS, how) for how in ("eager", "own"))

    assert eager == [own[0], "[]"]
    assert own[1] == "['torch._dynamo', 'sympy']"


def _printed(program: str, how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.splitlines()
