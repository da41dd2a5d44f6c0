"""A table of numbers as a picture: the darker a cell, the larger its number."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

CELL = (84, 40)
MARGIN = 20
_LIGHT, _DARK = np.array([238, 244, 252]), np.array([8, 69, 148])


def heatmap(
    rows: Sequence[Sequence[float | None]],
    *,
    title: str,
    subtitle: str,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    top: float,
) -> UInt8[np.ndarray, "h w 3"]:
    """Draws numbers from 0 (light) to `top` (dark) in a grid; None leaves a cell empty."""
    font, small = (ImageFont.load_default(size=size) for size in (16, 14))
    left = MARGIN + max(int(small.getlength(label)) for label in row_labels) + 16
    above = MARGIN + 76
    grid = left + len(column_labels) * CELL[0], above + len(rows) * CELL[1]
    width = max(grid[0], *(int(f.getlength(text)) + MARGIN for f, text in ((font, title), (small, subtitle))))
    canvas = Image.new("RGB", (width + MARGIN, grid[1] + MARGIN), "white")
    draw: Any = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN), title, "black", font)
    draw.text((MARGIN, MARGIN + 24), subtitle, (90, 90, 90), small)
    for j, label in enumerate(column_labels):
        draw.text((left + (j + 0.5) * CELL[0], above - 8), label, (60, 60, 60), small, anchor="md")
    for i, (label, numbers) in enumerate(zip(row_labels, rows, strict=True)):
        draw.text((left - 12, above + (i + 0.5) * CELL[1]), label, (60, 60, 60), small, anchor="rm")
        for j, number in enumerate(numbers):
            _cell(draw, (left + j * CELL[0], above + i * CELL[1]), number, top, small)
    return np.asarray(canvas)


def _cell(draw: Any, corner: tuple[int, int], number: float | None, top: float, font: Any) -> None:
    x, y = corner
    box = (x + 1, y + 1, x + CELL[0] - 2, y + CELL[1] - 2)
    if number is None:
        draw.rectangle(box, outline=(236, 236, 236))
        return
    share = min(max(number / top, 0.0), 1.0) if np.isfinite(number) else 1.0
    draw.rectangle(box, fill=tuple(int(c) for c in _LIGHT + share * (_DARK - _LIGHT)))
    draw.text(
        (x + CELL[0] / 2, y + CELL[1] / 2), f"{number:.2f}", "white" if share > 0.5 else "black", font, anchor="mm"
    )
