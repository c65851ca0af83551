"""How tests speak of the stage on a page: its view, its cells, what is marked, and what cannot be seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from browser.waiting import expect

_OF_VIEW = """(root, given) => {
  const view = root.liveView?.view ?? root.getRootNode().host.view;
  return (%s)(view, given);
}"""

PLACE = """({ level }, [stage, row, col, channel]) => {
  const box = level.placeOf({ stage, row, col, channel });
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""
MARKS = """(view) => view.marksOf(view.active).map(({ stage, channels, box, style }) => ({
  layer: view.scene.stages[stage].layer, stage, style, box,
  channels: channels ? [...channels].reduce((a, b) => a + b, 0) : null }))"""
INKED = """({ root }, selector) => {
  const canvas = root.querySelector(selector);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let n = 3; n < pixels.length; n += 4) inked += pixels[n] > 0;
  return inked;
}"""
UNSEEN = """({ root, level, zoom, scene, panelOwner, network }) => {
  const said = [];
  const name = ({ className, textContent }) => `${className} ${textContent.trim().slice(0, 40)}`;
  const meet = (a, b) => a.map((edge, i) => (i < 2 ? Math.max : Math.min)(edge, b[i]));
  const edges = ({ left, top, right, bottom }) => [left, top, right, bottom];
  // Where an element can be seen: in the window, and in all around it that hides what sticks out or has
  // something else beside it.
  const frames = new Map([[root, edges(root.getBoundingClientRect())]]);
  const within = (element) => {
    if (!frames.has(element)) {
      const hides = element.matches(".cv-room") || getComputedStyle(element).overflow !== "visible";
      const around = within(element.parentElement);
      frames.set(element, hides ? meet(around, edges(element.getBoundingClientRect())) : around);
    }
    return frames.get(element);
  };
  const frame = (element) => meet([0, 0, innerWidth, innerHeight], within(element.parentElement));
  const outside = (box, seen) =>
    box[0] < seen[0] - 1 || box[1] < seen[1] - 1 || box[2] > seen[2] + 1 || box[3] > seen[3] + 1;
  for (const element of root.querySelectorAll("*")) {
    if (element.closest(".cv-unseen, .cv-tip, svg, option") || !element.checkVisibility()) continue;
    const written = [...element.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim());
    if (!written && !element.matches("canvas, select, input, button")) continue;
    const box = edges(element.getBoundingClientRect());
    if (box[2] - box[0] < 0.5 && !written) continue;
    if (outside(box, frame(element))) said.push(`${name(element)} sticks out: ${box.map(Math.round)}`);
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (written && size < 10.999) said.push(`${name(element)} has letters of ${size} px`);
  }
  const surface = panelOwner ? null : level.maps;
  const box = surface?.base.getBoundingClientRect();
  for (const { stage, channel, x, y, width, height, cols, rows, thumbnail } of surface?.rects ?? []) {
    const map = [box.left + x, box.top + y, box.left + x + width, box.top + y + height];
    const { name } = scene.stages[stage];
    if (outside(map, frame(surface.base))) said.push(`map ${channel} of ${name} sticks out: ${map}`);
    const cell = Math.min(width / cols, height / rows);
    if (cell < 1.499 && !thumbnail) said.push(`cells of ${name} are ${cell} px`);
  }
  if (zoom === "network" && !panelOwner && !scene.blocks.length) {
    const short = network.columns.filter(({ left }) => left);
    for (const { shown, left } of short) said.push(`${left} maps of ${scene.stages[shown].name} are missing`);
  }
  const { scrollHeight, scrollWidth } = document.documentElement;
  if (scrollHeight > innerHeight) said.push(`the page is ${scrollHeight} px high`);
  if (scrollWidth > innerWidth) said.push(`the page is ${scrollWidth} px wide`);
  return said;
}"""
"""What of the stage cannot be seen in the window, or is smaller than anybody can read."""
_UNSEEN_IN = f"""(view, states) => {{
  const unseen = {UNSEEN};
  return states.flatMap((state) => {{
    view.restore(state);
    view.show();
    return unseen(view).map((words) => `${{words}} in ${{JSON.stringify(state)}}`);
  }});
}}"""


def of_view(page, function: str, given: Any = None) -> Any:
    """What a function of the stage's view comes to; it is the page's only one."""
    return page.locator(".cv").evaluate(_OF_VIEW % function, given)


def until(page, function: str, given: Any = None) -> None:
    """A function of the view says yes."""
    page.wait_for_function(
        f"([root, given]) => ({_OF_VIEW % function})(root, given)",
        arg=[page.locator(".cv").element_handle(), given],
    )


def saved_files(page, folder: Path) -> set[str]:
    """What *Save* puts into a folder, a picture and a state: their names."""
    files: list[Any] = []
    page.on("download", lambda file: files.append(file))
    page.get_by_role("button", name="Save").click()
    while len(files) < 2:
        page.wait_for_timeout(50)
    for file in files:
        file.save_as(folder / file.suggested_filename)
    return {file.suggested_filename for file in files}


def place(page, *cell: int) -> tuple[float, float]:
    """Where the middle of a cell is in the window."""
    x, y = of_view(page, PLACE, list(cell))
    return x, y


def hover(page, *cell: int) -> None:
    page.mouse.move(*place(page, *cell))


def click(page, *cell: int) -> None:
    page.mouse.click(*place(page, *cell))


def marks(page) -> list[dict[str, Any]]:
    """The outlines that are there."""
    return of_view(page, MARKS)


def until_marked(page, selector: str, more_than: int) -> None:
    """More dots than that of a canvas are inked."""
    until(page, f"(view, [selector, count]) => ({INKED})(view, selector) > count", [selector, more_than])


def until_unmarked(page, selector: str) -> None:
    until(page, f"(view, selector) => ({INKED})(view, selector) === 0", selector)


def show(page, state: dict[str, Any]) -> None:
    """Bring the stage into a state, without a transition."""
    of_view(page, "(view, state) => { view.restore(state); view.show(); }", state)


def unseen(page, states: list[dict[str, Any]] | None = None) -> list[str]:
    """What of the stage cannot be seen or read, as it stands or in each of some states."""
    return of_view(page, UNSEEN) if states is None else of_view(page, _UNSEEN_IN, states)


def link(page) -> str:
    """The address of what is shown."""
    return of_view(page, "(view) => view.host.link(view.state())")


def expect_zoom(page, level: str) -> None:
    """So near, no other level is to be seen, and nothing moves any more."""
    expect(page.locator(".cv-level:not([hidden])")).to_have_attribute("data-level", level)
    until(page, "({ root }) => !root.getAnimations({ subtree: true }).length")


def expect_crumbs(page, *names: str | re.Pattern) -> None:
    """The way down to the receipt that is open."""
    expect(page.locator(".cv-crumbs li")).to_have_text(list(names))


def numbers_of(text: str) -> list[float]:
    """The numbers that a text says."""
    plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "")
    return [float(word) for word in re.findall(r"[-+]?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]
