"""Reports as Markdown and as HTML, by the built-in templates and by a user's."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers.saved_runs import make_run, write_predictions
from markdown_it import MarkdownIt

from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.analysis.confusion import ConfusedPair
from mnist_tui.analysis.mistakes import ImagePrediction
from mnist_tui.datasets.test_images import SHA256
from mnist_tui.errors import FileError, ReportError
from mnist_tui.report import model
from mnist_tui.report import render as rendering
from mnist_tui.report.gather import make_report
from mnist_tui.report.model import Format, Report
from mnist_tui.report.render import SECTIONS, render
from mnist_tui.runs.annotations import Notes, write_notes
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets

TEMPLATES = Path(rendering.__file__).parent / "templates"
GUIDE = (TEMPLATES / "README.md").read_text(encoding="utf-8")
DIGITS = {"name": "digits", "sha256": SHA256["digits"], "train_images": 1437, "test_images": 360, "val_images": 0}
VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})
"""Elements of HTML without an end tag."""
TITLE = "Session 7 | <MNIST> *a*"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def saved_runs() -> Iterator[Run]:
    """A run of step2 and two seeds of step4 with notes, on the small digits."""
    for index, (name, seed) in enumerate((("step2", 0), ("step4", 0), ("step4", 1))):
        folder = make_run(Path("runs"), presets.load(name), seed, 0.98 + index / 500, index, dataset=DIGITS)
        write_predictions(folder, [3, 14 + index], 360)
        if index == 1:
            write_notes(folder, Notes("a target", "a result", "Because **it** is so."))
        yield read_run(folder)


@pytest.fixture
def report() -> Report:
    """Two steps, the second with two seeds."""
    return make_report(list(saved_runs()), title=TITLE)


class Page(HTMLParser):
    """Checks that every element of a page is closed, and collects what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "xlink:href"):
                self.loaded.append(value or "")
            elif name == "href":
                self.targets.append(value or "")
            elif name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# --- Markdown ---


def test_markdown_has_every_section_and_its_tables_are_tables(report: Report) -> None:
    """As a Markdown parser reads it: 11 columns in the first table, headings in order, no text that is lost."""
    text = render(report, "md", "report_files").text
    html = MarkdownIt("commonmark").enable("table").render(text)
    table = html[html.index("<table>") : html.index("</table>")]

    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Evolution",
        "## 1. step2: Step 2: the skeleton, 18k parameters",
        "## 2. step4: Step 4: 99.4 % with 7k parameters",
        "## What was measured on what",
        "## To train it again",
    ]
    assert table.count("<th>") + table.count("<th ") == 11
    assert table.count("<tr>") == 3
    assert table.count("<td") == 22
    assert f"<h1>{TITLE.replace('<', '&lt;').replace('>', '&gt;')}</h1>" in html
    assert "<strong>it</strong> is so" in html
    assert text.count("**To be written** in `runs/") == 1
    assert "Epoch  1/20  Train: loss" in text
    assert "mnist-tui --batch step4 --set epochs=20 --seed 0 --seeds 2 --dataset digits" in text


def test_a_name_cannot_break_out_of_its_place(report: Report) -> None:
    """Bars would make cells of a table, signs of Markdown would make links and HTML."""
    name = "a|b [c](d) <script>x</script> `e`"
    steps = tuple(replace(step, name=name, summary=(name,), remarks=(name,)) for step in report.steps)
    html = MarkdownIt("commonmark").enable("table").render(render(replace(report, steps=steps), "md", "f").text)
    page = render(replace(report, steps=steps), "html", "f").text

    assert html[: html.index("</table>")].count("<td") == 22
    assert "<script" not in html
    assert 'href="d"' not in html
    assert "<script" not in page


def test_figures_are_linked_from_the_folder_beside_the_report(report: Report) -> None:
    """Every link has its file, and every file its link; a blank in the folder's name is escaped."""
    rendered = render(report, "md", "my report_files")
    links = re.findall(r"\]\(([^)]*\.(?:svg|png))\)", rendered.text)

    assert links == [f"my%20report_files/{name}" for name in rendered.files]
    assert list(rendered.files) == [
        "accuracy.svg",
        *(f"{step}-{figure}" for step in ("1-step2", "2-step4") for figure in FIGURES),
    ]
    assert all(content.startswith((b"<svg", b"\x89PNG")) for content in rendered.files.values())


FIGURES = ("accuracy.svg", "loss.svg", "confusion.svg", "mistakes.png")


# --- HTML ---


def test_html_is_one_file_that_loads_nothing(report: Report) -> None:
    """Every element is closed; pictures are inside; there is no script and no style from elsewhere."""
    rendered = render(report, "html", "report_files")
    page = Page(rendered.text)

    assert rendered.files == {}
    assert rendered.text.startswith("<!doctype html>")
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "object", "embed"}
    assert [url[:22] for url in page.loaded] == ["data:image/png;base64,"] * 2
    assert not re.search(r"@import|url\(", rendered.text)
    assert rendered.text.count('class="f-figure"') == 7
    assert "prefers-color-scheme: dark" in rendered.text


def test_links_of_a_page_have_their_targets(report: Report) -> None:
    """From the table to the steps; no name is given twice, and none of a figure inside the page is."""
    page = Page(render(report, "html", "f").text)

    assert {target for target in page.targets if target.startswith("#")} == {"#step-1", "#step-2"}
    assert {"step-1", "step-2"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("form", ["md", "html"])
def test_the_same_runs_give_the_same_report(report: Report, form: Format) -> None:
    """No time of day, no order by chance: a report that is made again is the same to the byte."""
    again = make_report([read_run(folder) for folder in sorted(Path("runs").iterdir())], title=TITLE)

    assert render(report, form, "f") == render(again, form, "f")


@pytest.mark.parametrize("form", ["md", "html"])
def test_torchsummary(report: Report, form: Format) -> None:
    """Its form of the layer table on request, else ours; the receptive field is there once either way."""
    ours = render(report, form, "f").text
    other = render(make_report(list(saved_runs()), is_torchsummary=True), form, "f").text

    assert "Layer (type)" in other
    assert "Layer (type)" not in ours
    assert ours.count("24x24 of 28 px") == other.count("24x24 of 28 px") == 1


# --- templates of a user ---


def template(text: str) -> Path:
    path = Path("mine.j2")
    path.write_text(text)
    return path


def test_a_template_of_a_user_extends_the_built_in_one(report: Report) -> None:
    """A block is replaced; only the figures that it links to are written."""
    mine = template(
        '{% extends "report.md.j2" %}{% block body %}{% for step in report.steps %}'
        "{{ step.name }} {{ step.best.text }} {{ step.loss_curves | link }}\n{% endfor %}{% endblock %}"
    )
    rendered = render(report, "md", "f", mine)

    assert f"step2 {report.steps[0].best.text} f/1-step2-loss.svg" in rendered.text
    assert set(rendered.files) == {"1-step2-loss.svg", "2-step4-loss.svg"}
    assert "Made by mnist-tui" in rendered.text


def test_the_text_of_a_html_template_is_escaped(report: Report) -> None:
    """As in the built-in one."""
    assert render(report, "html", "f", template("{{ report.title }}")).text == "Session 7 | &lt;MNIST&gt; *a*\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a\n{% if %}", 2, "Expected an expression"),
        ("a\n\n{{ report.stepz }}", 3, "there is no 'stepz'; did you mean 'steps'?"),
        ("{{ reprot }}", 1, "there is no 'reprot'; did you mean 'report'?"),
        ("\n{% for step in report.steps %}\n{{ step.best.txt }}{% endfor %}", 3, "did you mean 'text'?"),
        ("{{ report.title | upperr }}", 1, "No filter named 'upperr'"),
        ("\n{% include 'nowhere' %}", 2, "there is no template 'nowhere'"),
        ("\n{{ 1 / 0 }}", 2, "division by zero"),
        ("{{ report.__class__.__mro__ }}", 1, "unsafe"),
        ("\n{{ report.overview.draw.__globals__ }}", 2, "unsafe"),
        ("{% for n in range(1000000) %}{% endfor %}", 1, "Range too big"),
        ("{% macro f() %}{{ f() }}{% endmacro %}\n{{ f() }}", None, "recursion"),
        ("{{ report.title | link }}", 1, "'str' object has no attribute 'name'"),
    ],
)
def test_a_mistake_in_a_template_has_its_file_and_line(report: Report, text: str, line: int | None, words: str) -> None:
    """One sentence; what reaches for Python is refused."""
    with pytest.raises(ReportError) as raised:
        render(report, "md", "f", template(text))

    message = str(raised.value)
    assert message.startswith(f"mine.j2, line {line}: " if line else "mine.j2, line ")
    assert words in message
    assert "\n" not in message


def test_a_mistake_below_an_include_has_the_line_of_the_users_file(report: Report) -> None:
    """Not that of the built-in template, which is right."""
    with pytest.raises(ReportError, match=r"^mine\.j2, line 2: "):
        render(report, "md", "f", template("{% set step = 1 %}\n{% include 'step.md.j2' %}"))


def test_a_template_that_cannot_be_read(report: Report) -> None:
    """It is missing, or no text."""
    with pytest.raises(FileError, match=r"nowhere\.j2: No such file"):
        render(report, "md", "f", Path("nowhere.j2"))
    Path("binary.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="is not UTF-8 text"):
        render(report, "md", "f", Path("binary.j2"))


# --- the guide ---


def test_the_guide_names_every_variable() -> None:
    """Every field and property that a template can use, in backticks."""
    named = set(re.findall(r"`([a-z_0-9]+)`", GUIDE))
    classes = [each for each in vars(model).values() if is_dataclass(each) and each is not model.Rendered]
    for each in (*classes, Advice, ConfusedPair, ImagePrediction):
        assert isinstance(each, type)
        known = {one.name for one in fields(each)} | {
            key for key, value in vars(each).items() if type(value) is property
        }
        assert known - named - {"draw"} == set(), each


def test_the_guide_names_every_filter_and_section() -> None:
    """And its example works."""
    named = set(re.findall(r"`([a-z_]+)`", GUIDE))

    assert {name for filters in rendering._FILTERS.values() for name in filters} | {"link", "inline"} <= named
    assert set(SECTIONS) <= named
    assert all((TEMPLATES / f"{name}.{form}.j2").is_file() for name in SECTIONS for form in ("md", "html"))


def test_the_example_of_the_guide_works(report: Report) -> None:
    """As it stands."""
    (example,) = re.findall(r"```jinja\n(.*?)```", GUIDE, flags=re.DOTALL)
    text = render(report, "md", "f", template(example)).text

    assert "Group 7: A. Author, B. Author" in text
    assert f"## step2: {report.steps[0].best.text} with 18,258 parameters" in text
