"""What each module loads, in a fresh process, where a late import cannot hide; and how soon the first answer is."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent

LOADS_TORCH = (
    "training",
    "cli.batch",
    "sweep.preload",
    "export.onnx_model",
    "export.script",
    "export.torch_program",
    "export.weights",
)
"""A package and modules that load torch when they are imported; beside them only the dashboard loads anything heavy."""

HEAVY = {"torch", "torchvision", "numpy", "PIL", "sklearn", "textual", "rich", "plotext"}

ASKED_FOR = """
import json, sys
asked = {}
class Watch:
    def find_spec(self, name, path=None, target=None):
        asked[name.partition(".")[0]] = True
sys.meta_path.insert(0, Watch())
"""
"""Notes the top name of everything that is imported, found or not, in order; `sys.modules` lacks a failed attempt."""


def _python(code: str, *arguments: str) -> str:
    """What a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def _modules(*without: str) -> list[str]:
    """All modules of the package, but for some and those of some packages."""
    paths = [path.relative_to(ROOT / "mnist_tui").with_suffix("") for path in (ROOT / "mnist_tui").rglob("[!_]*.py")]
    names = sorted(".".join(path.parts) for path in paths)
    return [name for name in names if not f"{name}.".startswith(tuple(f"{each}." for each in without))]


def _imported_by(*modules: str) -> set[str]:
    lines = "\n".join(f"import mnist_tui.{name}" for name in modules)
    return set(json.loads(_python(f"{ASKED_FOR}{lines}\nprint(json.dumps(sorted(asked.keys() | set(sys.modules))))")))


def _asked_by_each(modules: Sequence[str]) -> list[list[str]]:
    """What each module, imported after those before it, asks for of what is heavy; of several the first."""
    code = f"""{ASKED_FOR}
import importlib
heavy, each = set(json.loads(sys.argv[1])), []
for name in json.loads(sys.argv[2]):
    before = set(asked)
    importlib.import_module("mnist_tui." + name)
    each.append([top for top in asked if top in heavy and top not in before][:1])
print(json.dumps(each))
"""
    asked: list[list[str]] = json.loads(_python(code, json.dumps(sorted(HEAVY)), json.dumps(modules)))
    return asked


def test_the_dashboard_draws_before_torch_is_loaded() -> None:
    """The screen and everything on it, without torch or numpy."""
    imported = _imported_by("tui.app")

    assert "textual" in imported
    assert imported & (HEAVY - {"textual", "rich"}) == set()


def test_the_first_frame_does_not_wait_for_course_briefs() -> None:
    """Neither their format nor what reads the runs for them is loaded with the dashboard and the command line."""
    imported = _imported_by("tui.app", "cli.main")
    names = {"mnist_tui.spec.briefs", "mnist_tui.analysis.brief_progress", "mnist_tui.tui.lab.brief_reader"}

    assert "mnist_tui.tui.lab.followed_brief" in imported
    assert imported & names == set()
    assert _imported_by("tui.lab.brief_reader") >= names  # The control.


def test_only_what_trains_or_draws_loads_anything_heavy() -> None:
    """No other module asks for torch, numpy or a screen while it is imported."""
    modules = _modules("tui", *LOADS_TORCH)
    asked = dict(zip(modules, _asked_by_each(modules), strict=True))

    assert {name: heavy for name, heavy in asked.items() if heavy} == {}


def test_what_trains_loads_torch() -> None:
    """The control."""
    assert _asked_by_each(["cli.batch"]) == [["torch"]]


def test_the_library_loads_nothing_before_it_is_called() -> None:
    """`import mnist_tui` has the public functions, and loads neither torch nor pydantic."""
    imported = _imported_by("api")

    assert "mnist_tui.api" in imported
    assert imported & (HEAVY | {"pydantic"}) == set()


def test_no_module_loads_the_dashboard() -> None:
    """Not even tries to: whoever trains on a server without a screen has none of it in memory."""
    modules = _modules("tui")
    imported = _imported_by(*modules)

    assert {f"mnist_tui.{name}" for name in modules} <= imported
    assert imported & {"textual", "rich", "plotext"} == set()


def test_training_does_not_wait_for_torchvision_or_scikit_learn() -> None:
    """One takes two seconds, the other is not installed with the package."""
    assert _imported_by("cli.headless", "training.data") & {"sklearn", "torchvision"} == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["--list"],
        ["--list", "--json"],
        ["--list", "--format", "csv"],
        ["--list", "--format", "markdown"],
        ["show", "iter5"],
        ["layers"],
        ["brief"],
        ["brief", "steps"],
        ["--batch", "itr5"],
        ["--batch", "iter5", "--set", "epochs=-1"],
        ["resume", "--help"],
        ["repro", "nosuch"],
        ["lr-find", "nosuch"],
    ],
    ids=" ".join,
)
def test_what_needs_no_torch_does_not_load_it(arguments: list[str]) -> None:
    """Answers about presets, help, and every refusal that can be made without it."""
    code = f"""{ASKED_FOR}
import contextlib, io
from mnist_tui.cli.main import main
sys.argv[0] = "mnist-tui"
shown = io.StringIO()
with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted(asked.keys() | set(sys.modules))))
"""
    imported = set(json.loads(_python(code, *arguments)))

    assert "mnist_tui.cli.main" in imported
    assert imported & HEAVY == set()


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    return time.perf_counter() - started


def test_help_and_list_answer_at_once(record_property: Callable[[str, object], None]) -> None:
    """In under 0.4 s; on a busy or slow machine, in ten times what importing pydantic alone takes there and then."""
    commands = {
        "pydantic": ("-c", "import pydantic"),
        "--help": ("-m", "mnist_tui", "--help"),
        "--list": ("-m", "mnist_tui", "--list"),
    }
    measured: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(5):
        for name, command in commands.items():
            measured[name].append(_seconds(*command))
    medians = {name: statistics.median(seconds) for name, seconds in measured.items()}
    for name, median in medians.items():
        record_property(name, median)
        print(f"{name:<8} {median:.3f} s")

    limit = max(0.4, 10 * medians["pydantic"])
    assert medians["--help"] < limit
    assert medians["--list"] < limit
