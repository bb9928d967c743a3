"""SECURITY.md: every line names tests that exist; and what it says of the source as a whole."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ITEMS = [" ".join(item.split()) for item in re.findall(r"^- (.*?)(?=^- |^\n|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
SOURCES = sorted((ROOT / "mnist_tui").rglob("*.py"))


def functions(path: Path) -> set[str]:
    """The names of the functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(named: list[tuple[str, str]]) -> list[str]:
    """Of tests by file and name those that are not there."""
    paths = {file: ROOT / file for file, _ in named}
    there = {file: functions(path) if path.is_file() else set() for file, path in paths.items()}
    return [f"{file}::{name}" for file, name in named if not name.startswith("test_") or name not in there[file]]


def test_every_named_test_exists() -> None:
    """A test that is renamed takes its name on the page with it."""
    assert len(NAMED) > 40
    assert missing(NAMED) == []


def test_a_name_of_no_test_is_seen() -> None:
    """The control: another name, a function that is no test, and a file that is not there."""
    file = "tests/test_security_page.py"
    named = [(file, "test_of_nothing"), (file, "missing"), ("tests/nothing.py", "test_every_named_test_exists")]

    assert missing(named) == [f"{file}::{name}" for file, name in named]


@pytest.mark.parametrize("item", ITEMS)
def test_every_line_names_a_test(item: str) -> None:
    """At its end; what no test holds stands in the paragraphs that begin with "Not held"."""
    assert re.search(r": `tests/[\w/]+\.py::\w+`(, `tests/[\w/]+\.py::\w+`)*\.$", item)


def test_the_readme_links_it() -> None:
    """Where somebody looks for it."""
    assert "](SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def calls(path: Path) -> set[str]:
    """The functions that a file calls, as they are written."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def files_that_call(pattern: str) -> set[str]:
    """Files of the package with a call of such a name."""
    return {
        str(path.relative_to(ROOT / "mnist_tui"))
        for path in SOURCES
        if any(re.fullmatch(pattern, name) for name in calls(path))
    }


def test_programs_are_started_in_few_places() -> None:
    """The editor, git, `show FILE.py:CLASS`, and a visitor's own laboratory."""
    started = files_that_call(
        r"subprocess\.\w+|os\.(exec|spawn|posix_spawn)\w*|pty\.(fork|spawn)|.*create_subprocess.*"
    )

    assert started == {"editor.py", "training/environment.py", "cli/own_module.py", "serve/pseudo_terminal.py"}


def test_no_archive_is_unpacked() -> None:
    """So no name in an archive can lead out of a folder."""
    assert files_that_call(r".*\b(extract|extractall|unpack_archive)") == set()


def test_one_file_opens_a_port() -> None:
    """That of `--serve`."""
    assert files_that_call(r".*\b(create_server|start_server|listen|TCPSite|TCPServer|HTTPServer)") == {"cli/serve.py"}
