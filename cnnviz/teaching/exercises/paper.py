"""Worksheets as HTML that prints on A4. Everything here is made from tasks, which hold no answers."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz.colours import ink_png
from cnnviz.teaching.exercises.exercise import Given, Task, written
from cnnviz.teaching.lessons import Lesson

_STYLE = """
@page { size: A4; margin: 16mm 18mm 14mm; }
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 174mm; padding: 8mm; color: #111; background: #fff;
  font: 11pt/1.45 "Source Serif 4", Georgia, "Times New Roman", serif; }
@media print { body { padding: 0; max-width: none; } }
.sheet + .sheet { break-before: page; margin-top: 16mm; }
@media print { .sheet + .sheet { margin-top: 0; } }
header { display: flex; gap: 6mm; align-items: flex-start; padding-bottom: 4mm;
  border-bottom: 0.4pt solid #111; }
header img { width: 28mm; height: 28mm; border: 0.4pt solid #888; image-rendering: pixelated; flex: none; }
h1 { font-size: 17pt; margin: 0 0 1mm; line-height: 1.2; }
header p { margin: 0; }
.line { display: flex; gap: 2mm; margin-top: 5mm; }
.line span { flex: 1; border-bottom: 0.4pt solid #111; }
.task { break-inside: avoid; margin-top: 6mm; }
h2 { font-size: 12.5pt; margin: 0 0 1mm; }
.task > p { margin: 0 0 3mm; }
.given { display: flex; flex-wrap: wrap; gap: 4mm 9mm; align-items: flex-start; margin: 0 0 3mm; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: 9.5pt; padding-bottom: 1mm; max-width: 60mm; }
td, thead th { border: 0.4pt solid #777; padding: 1.2mm 2.2mm; text-align: right; min-width: 11mm; }
thead th { font: inherit; font-size: 8.5pt; text-align: center; background: #f1f1f1; max-width: 24mm;
  overflow-wrap: anywhere; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.single { display: flex; flex-wrap: wrap; gap: 1mm 8mm; margin: 0 0 2mm; }
.given:empty, .single:empty { display: none; }
ol { margin: 0; padding: 0; list-style: none; }
li { display: flex; flex-wrap: wrap; align-items: baseline; gap: 1mm 3mm; margin: 3.5mm 0 0;
  break-inside: avoid; }
li .answer { flex: 1 0 36mm; max-width: 60mm; margin-left: auto;
  height: 6mm; border-bottom: 0.4pt solid #111; }
li small { font-size: 9pt; color: #444; }
footer { margin-top: 6mm; font-size: 9pt; color: #444; }
"""


def paper(sheets: Sequence[tuple[Lesson, int, str, int, np.ndarray, Sequence[Task]]]) -> str:
    """Sheets as one HTML document, each on pages of its own: (lesson, number, model, digit, image, tasks)."""
    lesson, number = sheets[0][:2]
    title = f"{lesson.title}: sheet {number}" if len(sheets) == 1 else f"{lesson.title}: {len(sheets)} sheets"
    bodies = "\n".join(_sheet(*sheet) for sheet in sheets)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{bodies}\n</body>\n</html>\n"
    )


def _sheet(
    lesson: Lesson, number: int, model: str, digit: int, image: np.ndarray, tasks: Sequence[Task]
) -> str:
    picture = base64.b64encode(ink_png(image)).decode()
    body = "\n".join(_task(place, task) for place, task in enumerate(tasks, 1))
    return f"""<main class="sheet">
<header>
<img alt="Test digit {digit}" src="data:image/png;base64,{picture}">
<div style="flex:1">
<h1>{html.escape(lesson.title)}</h1>
<p>Sheet {number}. The network is {html.escape(model)}, the digit is test digit {digit:,};
0 is paper, 1 is ink.</p>
<p>Numbers are rounded: compute with them as they stand here.</p>
<p class="line">Name <span></span> Date <span style="flex:0 0 30mm"></span></p>
</div>
</header>
{body}
</main>"""


def _task(place: int, task: Task) -> str:
    tables = "".join(_table(each) for each in task.given if isinstance(each.value, tuple))
    single = "".join(_single(each) for each in task.given if not isinstance(each.value, tuple))
    asked = "".join(
        f"<li><span>{letter}) {html.escape(each.words)}</span> <small>{_how(each.decimals)}</small>"
        f'<span class="answer"></span></li>'
        for letter, each in zip("abcdefgh", task.asked, strict=False)
    )
    return (
        f'<section class="task" data-kind="{html.escape(task.kind)}">\n'
        f"<h2>{place}. {html.escape(task.title)}</h2>\n"
        f'<p>{html.escape(task.text)}</p>\n<div class="given">{tables}</div>\n'
        f'<p class="single">{single}</p>\n<ol>{asked}</ol>\n</section>'
    )


def _how(decimals: int) -> str:
    return {0: "(a whole number)", 1: "(1 decimal)"}.get(decimals, f"({decimals} decimals)")


def _single(given: Given) -> str:
    """One number with its words."""
    value: Any = given.value
    value = value if isinstance(value, str) else written(value, given.decimals)
    name = html.escape(given.name)
    return f'<span>{html.escape(given.words)}: <b data-given="{name}">{html.escape(value)}</b></span> '


def _table(given: Given) -> str:
    """A row of numbers, or rows of them."""
    value: Any = given.value
    rows = value if isinstance(value[0], tuple) else (value,)
    heads = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in given.heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{written(cell, given.decimals)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<table data-given="{html.escape(given.name)}"><caption>{html.escape(given.words)}</caption>'
        + (f"<thead><tr>{heads}</tr></thead>" if heads else "")
        + f"<tbody>{body}</tbody></table>"
    )
