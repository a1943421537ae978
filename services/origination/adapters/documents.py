"""One text, three forms: Markdown as kept, HTML and PDF as shown; the same text, the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

FONTS = {"zh": "STSong-Light", "en": "Helvetica"}
LANGUAGES = {"zh": "zh-CN", "en": "en"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border: 1px solid #999; padding: .3rem .5rem; text-align: left; vertical-align: top }}
</style>
</head>
<body>
{body}<footer><p>SHA-256 {sha256}</p></footer>
</body>
</html>
"""


def to_html(text: str, lang: str, sha256: str) -> bytes:
    """
    Return a text as a web page.

    Args:
        text: Markdown with tables; HTML in it is shown as text.
        lang: "zh" or "en".
        sha256: The hash by which the document is referred to; stands at its foot.
    """
    title, body = escape(_title(text)), _MARKDOWN.render(text)
    page = _PAGE.format(lang=LANGUAGES[lang], title=title, body=body, sha256=sha256)
    return page.encode()


def to_pdf(text: str, lang: str, sha256: str) -> bytes:
    """
    Return a text as a PDF; the same text gives the same bytes.

    The Chinese font is one of the standard CID fonts, which readers bring along: no font file is
    needed here and none is embedded.
    """
    font = FONTS[lang]
    if lang == "zh":
        pdfmetrics.registerFont(UnicodeCIDFont(font))
    sink = io.BytesIO()
    margin = 18 * mm
    document = SimpleDocTemplate(
        sink,
        pagesize=A4,
        invariant=1,
        title=_title(text),
        lang=LANGUAGES[lang],
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
    )

    def foot(canvas: Any, page: Any) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.drawString(margin, 10 * mm, f"SHA-256 {sha256} · {page.page}")

    document.build(list(_flowables(text, lang)), onFirstPage=foot, onLaterPages=foot)
    return sink.getvalue()


def _title(text: str) -> str:
    return text.splitlines()[0].lstrip("# ") if text else ""


def _style(lang: str, size: int, space: int) -> ParagraphStyle:
    return ParagraphStyle(
        f"{lang}{size}",
        fontName=FONTS[lang],
        fontSize=size,
        leading=size * 1.35,
        spaceAfter=space,
        wordWrap="CJK" if lang == "zh" else None,
    )


def _flowables(text: str, lang: str) -> Iterator[Flowable]:
    """Yield what the tokens of a text look like on paper."""
    plain = _style(lang, 9, 4)
    heading = {"h1": _style(lang, 15, 8), "h2": _style(lang, 11, 5)}
    tokens = iter(_MARKDOWN.parse(text))
    bullet = ""
    style = plain
    for token in tokens:
        if token.type == "heading_open":
            style = heading.get(token.tag, plain)
        elif token.type == "list_item_open":
            bullet = "• "
        elif token.type == "table_open":
            yield _table(tokens, lang)
            yield Spacer(1, 6)
        elif token.type == "inline":
            yield Paragraph(bullet + _inline(token), style)
            style, bullet = plain, ""


def _inline(token: Token) -> str:
    """Return inline content as a paragraph's text; emphasis is left out."""
    parts: Sequence[Token] = token.children or ()
    return "".join(" " if part.type == "softbreak" else escape(part.content) for part in parts)


def _table(tokens: Iterator[Token], lang: str) -> Table:
    cell = _style(lang, 8, 0)
    rows: list[list[Paragraph]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(Paragraph(_inline(token), cell))
    grid = ("GRID", (0, 0), (-1, -1), 0.4, colors.grey)
    head = ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)
    tight = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    return Table(
        rows, repeatRows=1, hAlign="LEFT", style=TableStyle([grid, head, *tight]), spaceAfter=4
    )
