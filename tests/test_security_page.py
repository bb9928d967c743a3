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


# --- what the source calls ---

PROGRAMS = r"subprocess\.\w+|os\.(exec|spawn|posix_spawn|fork|system|popen)\w*|pty\.(fork|spawn)|.*create_subprocess.*"
UNPACKERS = r".*\b(extract|extractall|unpack_archive)"
SERVERS = r".*\b(create_server|start_server|listen|TCPSite|TCPServer|HTTPServer)"


def calls(source: str) -> set[str]:
    """The functions that a source calls, by their full names where they, or their modules, are imported."""
    nodes = list(ast.walk(ast.parse(source)))
    full = {}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            place = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            full.update({each.asname: place + each.name for each in node.names if each.asname})
            full.update({each.name: place + each.name for each in node.names if place and not each.asname})
    names = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    return {re.sub(r"^\w+", lambda first: full.get(first[0], first[0]), name) for name in names}


def has_call(pattern: str, source: str) -> bool:
    """Whether a source calls a function of such a name."""
    return any(re.fullmatch(pattern, name) for name in calls(source))


def files_that_call(pattern: str) -> set[str]:
    """Files of the package with a call of such a name."""
    sources = {str(path.relative_to(ROOT / "mnist_tui")): path.read_text(encoding="utf-8") for path in SOURCES}
    return {name for name, source in sources.items() if has_call(pattern, source)}


def test_programs_are_started_in_few_places() -> None:
    """The editor, git, `show FILE.py:CLASS`, and a visitor's own laboratory; the supervisor forks the dashboard."""
    programs = {"editor.py", "training/environment.py", "cli/own_module.py", "serve/pseudo_terminal.py"}

    assert files_that_call(PROGRAMS) == programs | {"tui/supervisor.py"}


def test_no_archive_is_unpacked() -> None:
    """So no name in an archive can lead out of a folder."""
    assert files_that_call(UNPACKERS) == set()


def test_one_file_opens_a_port() -> None:
    """That of `--serve`."""
    assert files_that_call(SERVERS) == {"cli/serve.py"}


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        (PROGRAMS, "import subprocess\nsubprocess.run(['ls'])"),
        (PROGRAMS, "import subprocess as processes\nprocesses.Popen(['ls'])"),
        (PROGRAMS, "def list_files():\n    from subprocess import run\n    return run(['ls']).stdout"),
        (PROGRAMS, "from subprocess import run as start\nstart(['ls'])"),
        (PROGRAMS, "import os\nos.system('ls')"),
        (PROGRAMS, "import os\nprint(os.popen('ls').read())"),
        (PROGRAMS, "from os import execvp\nexecvp('ls', ['ls'])"),
        (PROGRAMS, "import os\nif os.fork() == 0: pass"),
        (PROGRAMS, "import pty\npty.spawn('sh')"),
        (PROGRAMS, "import asyncio\nasync def f(): await asyncio.create_subprocess_exec('ls')"),
        (UNPACKERS, "import zipfile\nzipfile.ZipFile('a.zip').extractall()"),
        (UNPACKERS, "from shutil import unpack_archive as unpack\nunpack('a.zip')"),
        (SERVERS, "import socket\nsocket.socket().listen()"),
        (SERVERS, "from aiohttp.web import TCPSite as Site\nSite(None)"),
    ],
)
def test_such_a_call_is_seen(pattern: str, source: str) -> None:
    """The control: in a made-up source, however the function is imported; another name is not taken for it."""
    assert has_call(pattern, source)
    assert not has_call(pattern, "from files import run, opened\nrun(opened('ls'))")
