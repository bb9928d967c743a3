"""What is built and installed: a wheel with presets and briefs inside the package, a source archive that makes one."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mnist_tui.spec import briefs, presets

ROOT = Path(__file__).parents[2]
SOURCES = ("mnist_tui", "models", "briefs", "runs/reference", "tests", "benchmarks", "scripts")

BUILD = "import sys, hatchling.build as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"
"""The build backend's own hooks (PEP 517), as pip calls them: needs no network and no environment of its own."""


def _build(hook: str, project: Path, target: Path) -> Path:
    """The archive that a hook makes of a project."""
    target.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, hook, str(target)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files, so that a build leaves nothing in it."""
    copy = tmp_path_factory.mktemp("project") / "copy"
    copy.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built."""
    return _build("build_wheel", project, tmp_path_factory.mktemp("wheel") / "dist")


@pytest.fixture(scope="module")
def sdist(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, built."""
    return _build("build_sdist", project, tmp_path_factory.mktemp("sdist") / "dist")


def _list(unpacked: Path, folder: Path, *arguments: str) -> list[str]:
    """The first word of each line of `mnist-tui --list` with only `unpacked` on the path, run in another folder."""
    done = subprocess.run(
        [sys.executable, "-m", "mnist_tui", *(arguments or ("--list",))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.split()[0] for line in done.stdout.splitlines() if line]


def _unzip(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_holds_the_package_and_its_presets(wheel: Path) -> None:
    """Every module, preset and brief, and nothing beside the package: `models` is a name that others use too."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names}
    assert {f"mnist_tui/{path.relative_to(ROOT)}" for path in presets.find().values()} <= set(names)
    assert {f"mnist_tui/briefs/{name}.toml" for name in briefs.builtin_names()} <= set(names)
    shipped = [path for path in (ROOT / "runs" / "reference").rglob("*") if path.is_file()]
    assert {f"mnist_tui/{path.relative_to(ROOT / 'runs')}" for path in shipped} <= set(names)
    assert {"mnist_tui/data/digits.gz", "mnist_tui/data/README.md"} <= set(names)
    sources = [
        path for kind in ("py", "tcss", "jinja", "j2", "css") for path in (ROOT / "mnist_tui").rglob(f"*.{kind}")
    ]
    assert {str(path.relative_to(ROOT)) for path in sources} <= set(names)
    assert sorted(top for top in tops if not top.endswith(".dist-info")) == ["mnist_tui"]


def test_the_wheel_alone_shows_the_presets(wheel: Path, tmp_path: Path) -> None:
    """Unpacked anywhere, run from another folder."""
    unpacked = _unzip(wheel, tmp_path / "unpacked")
    (tmp_path / "elsewhere").mkdir()

    shown = _list(unpacked, tmp_path / "elsewhere")

    assert set(presets.builtin_names()) <= set(shown)


def test_control_a_wheel_without_presets_shows_none(wheel: Path, tmp_path: Path) -> None:
    """The test above does not read the checkout's."""
    unpacked = _unzip(wheel, tmp_path / "unpacked")
    shutil.rmtree(unpacked / "mnist_tui" / "models")

    with pytest.raises(subprocess.CalledProcessError):
        _list(unpacked, tmp_path)


def test_the_wheel_alone_shows_the_reference_runs(wheel: Path, tmp_path: Path) -> None:
    """Unpacked anywhere, by name as well; without their folder there are none, so the checkout's are not read."""
    unpacked = _unzip(wheel, tmp_path / "unpacked")
    folders = sorted(path.name for path in (ROOT / "runs" / "reference").iterdir())

    assert len(_list(unpacked, tmp_path, "runs", "--reference")) == 1 + len(folders)
    assert _list(unpacked, tmp_path, "open", f"reference/{folders[0]}", "--format", "csv")[0].startswith("run,epoch")
    shutil.rmtree(unpacked / "mnist_tui" / "reference")
    assert _list(unpacked, tmp_path, "runs", "--reference")[0] == "no"


def test_the_wheel_alone_shows_the_briefs(wheel: Path, tmp_path: Path) -> None:
    """Unpacked anywhere; without their folder there are none, so the checkout's are not read."""
    unpacked = _unzip(wheel, tmp_path / "unpacked")

    assert set(briefs.builtin_names()) <= set(_list(unpacked, tmp_path, "brief"))
    shutil.rmtree(unpacked / "mnist_tui" / "briefs")
    with pytest.raises(subprocess.CalledProcessError):
        _list(unpacked, tmp_path, "brief")


def test_the_wheel_alone_has_the_digits(wheel: Path, tmp_path: Path) -> None:
    """They are read from inside it, by a Python that has no scikit-learn."""
    unpacked = _unzip(wheel, tmp_path / "unpacked")
    code = """
import sys
sys.modules["sklearn"] = None
from mnist_tui.datasets import small_digits
from mnist_tui.training import data
print(small_digits.DIGITS_FILE, len(data.load_digits().train))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.split() == [str(unpacked / "mnist_tui" / "data" / "digits.gz"), "1437"]


def test_a_wheel_names_its_command_and_version(wheel: Path) -> None:
    """`mnist-tui` runs `mnist_tui.cli.main:main`, on Python 3.11 and newer."""
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name}

    assert "mnist-tui = mnist_tui.cli.main:main" in texts["entry_points.txt"]
    assert "Requires-Python: >=3.11" in texts["METADATA"]
    assert "Name: mnist-tui\n" in texts["METADATA"]


def test_a_source_archive_makes_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    """It holds all that a wheel needs, and the tests; the wheel built from it shows the presets."""
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 has it first.
        archive.extractall(tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()
    again = _build("build_wheel", source, tmp_path / "dist")

    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        names = (sorted(first.namelist()), sorted(second.namelist()))

    assert names[0] == names[1]
    assert (source / "tests/system/test_packaging.py").exists()
    assert set(presets.builtin_names()) <= set(_list(_unzip(again, tmp_path / "unpacked"), tmp_path))
