"""What each module loads, in a fresh process, where a late import cannot hide; and how soon the first answer is."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent

FIRST = (
    "files",
    "table",
    "text",
    "editor",
    "spec",
    "runs",
    "analysis",
    "images",
    "settings",
    "report",
    "import_logs",
    "cli.import_logs",
    "cli.own_module",
    "cli.main",
    "cli.runs",
    "cli.report",
    "cli.analyse",
    "cli.classify",
    "cli.export",
    "cli.explain",
    "cli.lr_find",
    "cli.notes",
    "cli.repro",
    "cli.specs",
    "cli.config",
    "cli.briefs",
)
"""Modules and packages whose answer does not wait for torch."""

HEAVY = {"torch", "torchvision", "numpy", "PIL", "sklearn", "textual", "rich", "plotext"}

ASKED_FOR = """
import json, sys
asked = set()
class Watch:
    def find_spec(self, name, path=None, target=None):
        asked.add(name.partition(".")[0])
sys.meta_path.insert(0, Watch())
"""
"""Notes the top name of everything that is imported, found or not: `sys.modules` would miss a failed attempt."""


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


def _modules(name: str) -> list[str]:
    """A module, or every module of a package, by its name in mnist_tui."""
    folder = ROOT / "mnist_tui" / name.replace(".", "/")
    paths = [path.relative_to(folder).with_suffix("") for path in sorted(folder.rglob("*.py"))]
    return [".".join((name, *path.parts)) for path in paths] if folder.is_dir() else [name]


def _imported_by(*modules: str) -> set[str]:
    lines = "\n".join(f"import mnist_tui.{name}" for name in modules)
    return set(json.loads(_python(f"{ASKED_FOR}{lines}\nprint(json.dumps(sorted(asked | set(sys.modules))))")))


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


@pytest.mark.parametrize("name", FIRST)
def test_what_answers_first_loads_nothing_heavy(name: str) -> None:
    """No torch, no numpy, no screen."""
    modules = [module for module in _modules(name) if not module.endswith("__")]
    imported = _imported_by(*modules)

    assert {f"mnist_tui.{module}" for module in modules} <= imported
    assert imported & HEAVY == set()


def test_the_library_loads_nothing_before_it_is_called() -> None:
    """`import mnist_tui` has the public functions, and loads neither torch nor pydantic."""
    imported = _imported_by("api")

    assert "mnist_tui.api" in imported
    assert imported & (HEAVY | {"pydantic"}) == set()


@pytest.mark.slow
def test_only_the_data_and_the_network_load_torch() -> None:
    """The control: what trains is seen to load it."""
    assert "torch" in _imported_by("cli.batch")


@pytest.mark.slow
def test_no_module_loads_the_dashboard() -> None:
    """Not even tries to: whoever trains on a server without a screen has none of it in memory."""
    paths = [path.relative_to(ROOT / "mnist_tui").with_suffix("") for path in (ROOT / "mnist_tui").rglob("[!_]*.py")]
    modules = [".".join(path.parts) for path in paths if path.parts[0] != "tui"]

    imported = _imported_by(*modules)

    assert {f"mnist_tui.{name}" for name in modules} <= imported
    assert imported & {"textual", "rich", "plotext"} == set()


@pytest.mark.slow
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
print(json.dumps(sorted(asked | set(sys.modules))))
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


@pytest.mark.slow
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
