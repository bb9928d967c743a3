"""Renders a report by a template of Jinja2: the built-in ones in templates/, or a user's.

A template sees the report (model.py) as `report` and nothing else: no run, no path, no function of Python. Its filters
are in `Renderer`; templates/README.md describes both to users.
"""

import base64
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, FunctionLoader, PackageLoader, StrictUndefined, TemplateNotFound, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup

from mnist_tui.analysis import markdown
from mnist_tui.errors import ReportError
from mnist_tui.files import read_text
from mnist_tui.report import prose
from mnist_tui.report.model import Figure, Format, Rendered, Report
from mnist_tui.text import clean_line, did_you_mean

MAX_TEMPLATE = 2**20
SECTIONS = ("brief", "evolution", "steps", "front", "measurements", "reproduce")
"""The parts of a report, in order. Each is a template in templates/md/ and one in templates/html/ of this name: a new
section is its data in `Report`, two templates, and its name here."""


def render(report: Report, form: Format, folder: str, template: Path | None = None) -> Rendered:
    """The report in a format, with figures in `folder` beside it where the template links to them.

    Raises `ReportError` for a user's template that cannot be used, with its file and line, and `FileError` where it
    cannot be read.
    """
    source = None if template is None else read_text(template, MAX_TEMPLATE)
    renderer = Renderer(form, folder, template, source)
    text = renderer.render(report)
    return Rendered(f"{text.strip()}\n", renderer.files)


class Renderer:
    """A Jinja2 environment for one report, and the figures that its template has linked to."""

    def __init__(self, form: Format, folder: str, template: Path | None, source: str | None) -> None:
        self.files: dict[str, bytes] = {}
        self._form, self._folder, self._template = form, folder, template
        self._name = f"report.{form}.j2" if template is None else str(template)
        builtin = PackageLoader("mnist_tui.report", "templates")
        users = FunctionLoader(lambda name: (source, name, None) if source is not None and name == self._name else None)
        self._environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([users, builtin]),
            autoescape=form == "html",
            undefined=_Undefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {"link": self._link, "inline": self._inline, **_FILTERS[form]}

    def render(self, report: Report) -> str:
        """The text; raises `ReportError` for a mistake in the user's template."""
        try:
            template = self._environment.get_template(self._name)
            return template.render(report=report, sections=SECTIONS)
        except Exception as error:
            if self._template is None:
                raise
            raise ReportError(f"{self._place(error)}: {clean_line(_what(error), 300)}") from None

    def _link(self, figure: Figure) -> str:
        """The path of a figure, relative to the report; it will be written there."""
        if figure.name not in self.files:
            self.files[figure.name] = figure.draw()
        return quote(f"{self._folder}/{figure.name}")

    def _inline(self, figure: Figure) -> Markup:
        """A figure as HTML: the SVG itself, or an image with a data URL."""
        content = figure.draw()
        if figure.name.endswith(".svg"):
            return Markup(content.decode())
        url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        return Markup('<img alt="{}" src="{}">').format(figure.alt, url)

    def _place(self, error: Exception) -> str:
        """The user's file, and the line where the error is known to be."""
        line = getattr(error, "lineno", None)
        if line is None:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self._name]
            line = frames[-1].lineno if frames else None
        return f"{self._template}" + (f", line {line}" if line else "")


def _what(error: Exception) -> str:
    return f"there is no template {error.name!r}" if isinstance(error, TemplateNotFound) else str(error)


class _Undefined(StrictUndefined):
    """A name that a template uses and that is not there; the error names the nearest one that is."""

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = UndefinedError
    ) -> None:
        known = ["report", "sections"] if obj is missing else [each for each in dir(obj) if not each.startswith("_")]
        near = did_you_mean(name, known) if isinstance(name, str) else ""
        super().__init__(hint or (f"there is no {name!r}{near}" if near else None), obj, name, exc)


# --- filters ---


def _plain(text: str) -> str:
    """A text escaped for Markdown, also inside the brackets of a link."""
    return markdown.plain(text).replace("]", "\\]")


def _cell(text: str) -> str:
    """`_plain`, for a cell of a Markdown table."""
    return _plain(text).replace("|", "\\|")


_FILTERS: dict[Format, dict[str, Any]] = {
    "md": {"plain": _plain, "cell": _cell, "code": markdown.code, "prose": prose.as_markdown},
    "html": {"prose": prose.as_html},
}
"""Beside `link` and `inline`; what HTML needs escaped, Jinja2 escapes itself."""
