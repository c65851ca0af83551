"""The course as static files: a page for each lesson whose guided walk plays without Python, and an index.

Script, style sheet and the network's numbers lie beside the pages and are read by all of them, as scripts,
which a browser takes from a disk too. Nothing else is fetched.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from cnnviz.colours import THEMES, Theme
from cnnviz.network import Network, Run
from cnnviz.numbers import brief
from cnnviz.resources import BUNDLED, asset
from cnnviz.stage.bundle import script, style
from cnnviz.stage.export import mnist_digits, scene_of_images
from cnnviz.stage.guided_walk import Walk, told
from cnnviz.stage.live_view import document
from cnnviz.stage.recorded_runs import player, recorded
from cnnviz.stage.scene import Scene
from cnnviz.teaching.lessons import LESSONS, Lesson
from cnnviz.teaching.opening_digits import opening_digit
from cnnviz.teaching.walks import WALKS
from cnnviz.teaching.walks.epochs import epoch_steps, recorded_runs, run_titles

NAMED = {"overview": "from-pixel-to-answer"}
"""Walks that are not called like their lesson."""

DIGITS = (247, 0, 18, 1232, 4224, 9009, 33, 115, 321, 582)
"""Test digits to choose from: the first is one that a network is in doubt about, so that changes show."""

STAGE = "stage.js"

_NO_SCRIPT = "This page needs JavaScript."


def walk_of(lesson: Lesson) -> Walk | None:
    """The guided walk of a lesson; None if it has none.

    >>> walk_of(LESSONS["one_by_one"])["title"]
    '1 × 1'
    """
    return WALKS.get(NAMED.get(lesson.name, lesson.name.replace("_", "-")))


def course(net: Network, digits: Sequence[int] = DIGITS) -> dict[str, str]:
    """The files of the course, by their names: index.html, a page for each lesson, and what they share.

    Parameters
    ----------
    net
        A network that takes digits of 28 x 28 pixels.
    digits
        Numbers of MNIST test digits, of which the pages open with the first.

    Returns
    -------
    dict
        Names and texts. A lesson whose walk does not suit the network stands in the index without a link.

    Raises
    ------
    ValueError
        for no digits, or one that is not there; if no walk suits the network.

    Examples
    --------
    >>> import cnnviz
    >>> sorted(course(cnnviz.load_model("mnist_14k"), [0]))[:3]
    ['activation_functions.html', 'batch_norm_and_dropout.html', 'convolution.html']
    """
    if not digits:
        raise ValueError("digits must be at least one number of a test digit, got none")
    scene, run = scene_of_images(net, mnist_digits(digits))
    all_walks = {name: walk_of(lesson) for name, lesson in LESSONS.items()}
    walks = {name: walk for name, walk in all_walks.items() if walk is not None and _suits(walk, run)}
    if not walks:
        raise ValueError(f"no lesson's walk suits {brief(net.name)}: see --model")
    scene.host["walks"] = list(walks.values())
    bodies = {name: _on_the_stage(walk) for name, walk in walks.items()}
    begins = {name: walk["steps"][0]["title"] for name, walk in walks.items()}
    if _is_recorded(net):
        bodies["epochs"], begins["epochs"] = _epochs(net, digits[0])
    order = [name for name in LESSONS if name in bodies]
    pages = {f"{name}.html": _page(LESSONS[name], bodies[name], order) for name in order}
    return {"index.html": _index(net, begins), STAGE: _stage(scene), **pages}


def _suits(walk: Walk, run: Run) -> bool:
    try:
        told(walk, run)
    except ValueError:
        return False
    return True


def _stage(scene: Scene) -> str:
    """What all pages share: the script, the style sheet, the network and its images."""
    held = {"style": style(), "scene": base64.b64encode(bytes(scene)).decode()}
    return (
        f'(() => {{\n"use strict";\n{script("standalone")}\nglobalThis.cnnvizCourse = '
        f"{{ ...{json.dumps(held)}, show: standalone_module.showLesson }};\n}})();\n"
    )


def _is_recorded(net: Network) -> bool:
    """Whether it is a bundled network, whose training was recorded."""
    return net.name in BUNDLED and net.source == asset(f"{net.name}.keras").resolve()


def _on_the_stage(walk: Walk) -> str:
    """The stage with a lesson's walk."""
    return f"""<main><div id="stage" data-walk="{walk["name"]}"><noscript>{_NO_SCRIPT}</noscript></div></main>
<script src="{STAGE}"></script>
<script>cnnvizCourse.show(document.getElementById("stage"), cnnvizCourse);</script>"""


def _epochs(net: Network, other: int) -> tuple[str, str]:
    """The recorded runs with their walk, and the title of its first step.

    They follow the digit that the explorer's page opens on, or the `other`.
    """
    digit = opening_digit(LESSONS["epochs"].opens_on, net)
    ((image, said),) = mnist_digits([other if digit is None else digit])
    about = {"title": said["title"], "label": said["label"]}
    runs = recorded_runs(net.name)
    shown = [recorded(run_titles()[run], names, image, **about) for run, names in runs.items()]
    steps = [asdict(step) | {"run": list(runs).index(step.run)} for step in epoch_steps(net.name)]
    played = f'<main class="runs">{player(shown, steps)}<noscript>{_NO_SCRIPT}</noscript></main>'
    return played, steps[0]["title"]


def _page(lesson: Lesson, body: str, order: Sequence[str]) -> str:
    """One lesson, with the ways to the others."""
    place = order.index(lesson.name)
    links = [
        _link(order, place - 1, "prev", "←"),
        '<a href="index.html">All lessons</a>',
        _link(order, place + 1, "next", "→"),
    ]
    return document(
        f"{lesson.title} - cnnviz",
        _css(),
        f"""<header>
<h1>{html.escape(lesson.title)}</h1>
<nav aria-label="Lessons">{" ".join(links)}</nav>
</header>
{body}""",
    )


def _link(order: Sequence[str], place: int, rel: str, arrow: str) -> str:
    if not 0 <= place < len(order):
        return ""
    lesson = LESSONS[order[place]]
    words = html.escape(lesson.title)
    words = f"{arrow} {words}" if rel == "prev" else f"{words} {arrow}"
    return f'<a rel="{rel}" href="{lesson.name}.html">{words}</a>'


def _index(net: Network, begins: Mapping[str, str]) -> str:
    parts: dict[str, list[str]] = {}
    for lesson in LESSONS.values():
        title = html.escape(lesson.title)
        if lesson.name not in begins:
            why = (
                "needs Python: <code>cnnviz explore</code>"
                if walk_of(lesson) is None
                else "not in this network"
            )
            line = f"<li><span>{title}</span> <small>{why}</small></li>"
        else:
            first = html.escape(begins[lesson.name])
            line = f'<li><a href="{lesson.name}.html">{title}</a> <small>{first}</small></li>'
        parts.setdefault(lesson.part, []).append(line)
    lists = "".join(
        f"<h2>{html.escape(part)}</h2>\n<ol>{''.join(lines)}</ol>\n" for part, lines in parts.items()
    )
    instead = "; Epochs plays recorded runs of its training instead" if "epochs" in begins else ""
    return document(
        "cnnviz: the course",
        _css(),
        f"""<main class="index"><h1>Inside a convolutional network</h1>
<p>Each page holds the same living network, {html.escape(net.name)}, and a few steps that show one idea in
it{instead}.
The right arrow key goes on; touch anything in between. Any number gives its receipt when it is clicked.
The key S shows the network alone on the screen, for a projector.
What you change is computed in your browser, and nothing is sent anywhere.</p>
{lists}<p>Made with cnnviz: <code>cnnviz export --course -o DIR</code>.</p>
</main>""",
    )


def _css() -> str:
    return f"""html {{ {_colours(THEMES["light"])} }}
@media (prefers-color-scheme: dark) {{ html {{ {_colours(THEMES["dark"])} }} }}
html {{ background: var(--paper); color: var(--ink); }}
body {{ margin: 0; font: 16px/1.45 system-ui, sans-serif; }}
a {{ color: var(--accent); }}
header {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 20px; padding: 8px 14px 0; }}
header h1 {{ margin: 0; font-size: 20px; }}
nav {{ display: flex; flex-wrap: wrap; gap: 0 20px; font-size: 14px; }}
nav a {{ padding: 4px 0; }}
main {{ padding: 6px 14px 0; }}
.index {{ max-width: 42em; margin: 0 auto; padding: 24px 20px 40px; }}
.index h2 {{ margin: 1.4em 0 0.3em; font-size: 18px; }}
.index ol {{ margin: 0; padding: 0; list-style: none; }}
.index li a, .index li span {{ display: inline-block; min-width: 14em; padding: 5px 0; }}
.runs {{ max-width: 60rem; margin: 0 auto; padding-bottom: 24px; }}
.runs select {{ font: inherit; min-height: 40px; max-width: 100%; }}
small {{ opacity: 0.8; }}
@media (max-width: 560px) {{ header {{ padding: 6px 8px 0; }} main {{ padding: 4px 8px 0; }}
  .index small {{ display: block; margin: -5px 0 5px; }} }}"""


def _colours(theme: Theme) -> str:
    return f"--paper: {theme.background}; --ink: {theme.ink}; --accent: {theme.accent};"
