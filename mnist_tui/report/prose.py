"""What people wrote into notes, as a part of a report: Markdown below the report's own headings, or HTML."""

import re
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

LEVEL = 3
"""The level of the headings that notes stand under; theirs begin below it."""
DEEPEST = 6
_OPENED = re.compile("<!--(?!.*?-->)", re.DOTALL)


def as_markdown(text: str) -> str:
    """The text with its headings moved below the report's; what is left open in it ends with it."""
    lines = text.splitlines()
    tokens = _parser(with_html=True).parse(text)
    for token in tokens:
        if token.type == "heading_open" and token.map and token.markup.startswith("#"):
            lines[token.map[0]] = re.sub("#+", "#" * _moved(token), lines[token.map[0]], count=1)
    closed = "\n".join([*lines, *_fence_end(tokens, lines)])
    return _OPENED.sub("&lt;!--", closed)


def as_html(text: str) -> Markup:
    """The text as HTML: its own HTML is shown as text, and pictures as links, so that nothing is loaded or run."""
    parser = _parser(with_html=False)
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{_moved(token)}"
    return Markup(parser.renderer.render(tokens, parser.options, {}))


@cache
def _parser(with_html: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": with_html}).enable(["table", "strikethrough"])
    return parser if with_html else parser.disable(["image", "html_block", "html_inline"])


def _moved(token: Token) -> int:
    """The level of a heading below the report's."""
    return min(DEEPEST, int(token.tag[1:]) + LEVEL)


def _fence_end(tokens: list[Token], lines: list[str]) -> list[str]:
    """The line that closes a block of code which the text leaves open; [] where there is none."""
    last = tokens[-1] if tokens else None
    if last is None or last.type != "fence" or last.map is None:
        return []
    is_closed = last.map[1] - last.map[0] > 1 and lines[last.map[1] - 1].strip() == last.markup
    return [] if is_closed else [last.markup]
