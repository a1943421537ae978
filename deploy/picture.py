"""Draw a disclosure as a picture: the Chinese page and the English one, as a borrower sees them."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

SCALE = 1.15
"""Pixels per point of paper."""

FOOT_FROM = 0.95
"""Share of the height at which the foot begins."""


def with_fonts(folder: Path) -> None:
    """Have the renderer look for Chinese type in a folder: the PDF names a font, and holds none."""
    text = ctypes.POINTER(ctypes.c_char)
    named = ctypes.create_string_buffer(str(folder).encode())
    paths = (text * 2)(ctypes.cast(named, text), None)
    config = pdfium.FPDF_LIBRARY_CONFIG(version=2)
    config.m_pUserFontPaths = ctypes.cast(paths, ctypes.POINTER(text))
    pdfium.FPDF_DestroyLibrary()
    pdfium.FPDF_InitLibraryWithConfig(config)


def page(file: Path) -> Image.Image:
    """Return the first page of a PDF."""
    rendered: Image.Image = pypdfium2.PdfDocument(file)[0].render(scale=SCALE).to_pil()
    return rendered


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Return two pages side by side, down to the last line, without their feet."""
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    above = both.crop((0, 0, both.width, int(both.height * FOOT_FROM)))
    ink = above.convert("L").point(lambda grey: 255 if grey < 200 else 0).getbbox()
    return above.crop((0, 0, above.width, ink[3] + 20 if ink else above.height))


if __name__ == "__main__":
    documents, fonts, picture = (Path(given) for given in sys.argv[1:4])
    with_fonts(fonts)
    pages = [page(documents / f"disclosure-{language}.pdf") for language in ("zh", "en")]
    beside(*pages).save(picture, optimize=True)
