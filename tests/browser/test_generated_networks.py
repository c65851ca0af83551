"""Generated networks in a file from disk: numbers and receipts are shown, nothing is clipped, no error."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from browser.stage_page import of_view
from cnnviz import Network
from cnnviz.stage.live_view import LiveView
from cnnviz.stage.scene import build_scene
from cnnviz.stage.stages import values_of
from harness.generated_networks import KINDS, pairs_of
from harness.networks import image, layer, normal

PINNED = """(view, cells) => cells.map(([stage, ...place]) => {
  const { root } = view;
  view.restore({ path: [[view.scene.stages[stage].name, ...place]], zoom: "cell" });
  view.show();
  const written = [...root.querySelectorAll(".cv-cell, .cv-sum")];
  const clipped = written.filter((cell) => cell.scrollWidth > cell.clientWidth);
  const texts = [".cv-receipt", '[data-level="cell"]'].map((part) => root.querySelector(part).textContent);
  return {
    value: root.querySelector(".cv-rvalue").textContent,
    words: texts.join(" "),
    clipped: clipped.map((cell) => cell.textContent),
    wide: document.documentElement.scrollWidth > innerWidth,
  };
})"""

DECIMALS = """({ root }) => {
  const decimals = ({ textContent }) => textContent.split(".")[1]?.length ?? 0;
  const numbers = (grid) => [...grid.querySelectorAll(".cv-cell:not(.cv-pad0)")];
  const grids = (card) => [...card.querySelectorAll(".cv-grid")];
  const cards = [...root.querySelectorAll(".cv-card")];
  return cards.map((card) => grids(card).map((grid) => numbers(grid).map(decimals)));
}"""


@pytest.mark.parametrize("kind", KINDS[:: max(1, len(KINDS) // 12)][:12])
def test_every_stage_shows_its_number_and_its_receipt(open_page, tmp_path, kind):
    net, _ = pairs_of(kind, seed=1)
    rng = np.random.default_rng(2)
    run = net.run(normal(1, *net.input_shape).astype(np.float32))
    scene = build_scene(run, 0)
    stages = scene.plan.taken.stages
    cells = []
    for number in rng.permutation(len(stages))[:40].tolist():
        cells.append([number, *(int(rng.integers(n)) for n in stages[number].shape)])
    page = open_page(LiveView(scene).save(tmp_path / "network.html").as_uri())
    page.wait_for_selector(".cv-invite")
    for (number, *place), shown in zip(cells, of_view(page, PINNED, cells), strict=True):
        value = float(values_of(stages[number], run, 0)[tuple(place)])
        text = shown["value"].replace("\N{MINUS SIGN}", "-").replace(",", "")
        assert float(text) == pytest.approx(value, rel=5.1e-3, nan_ok=True), stages[number].name
        assert not re.search("undefined|null", shown["words"]), shown["words"]
        # A number may come of what is none: soft_shrink makes 0 of NaN.
        before = run.pre_activation(stages[number].layer.name)
        assert "NaN" not in shown["words"] or np.isnan(value) or np.isnan(before).any(), shown["words"]
        assert not shown["clipped"], stages[number].name


def scaled(scale: float) -> Network:
    """Every shape of a receipt's grids, of numbers that are all about as large as this."""

    def weights(*shape: int) -> dict[str, np.ndarray]:
        return {"kernel": scale * normal(*shape), "bias": scale * normal(shape[-1])}

    statistics = {
        "gamma": np.ones(4),
        "beta": np.zeros(4),
        "moving_mean": np.ones(4),
        "moving_variance": np.ones(4),
    }
    dense = layer("dense", "Dense", "flat", weights=weights(18, 3), units=3, activation="softmax")
    return Network(
        [
            image(12, 12, 3),
            layer("conv", "Conv2D", "image", weights=weights(3, 3, 3, 4), filters=4, kernel_size=3),
            layer("one", "Conv2D", "conv", weights=weights(1, 1, 4, 4), filters=4, kernel_size=1),
            layer("norm", "BatchNormalization", "one", weights=statistics, epsilon=1.001e-5),
            layer(
                "five",
                "Conv2D",
                "norm",
                weights=weights(5, 5, 4, 2),
                filters=2,
                kernel_size=5,
                padding="same",
            ),
            layer("mean", "AveragePooling2D", "five", pool_size=3),
            layer("most", "MaxPooling2D", "five", pool_size=3),
            layer("flat", "Flatten", "mean"),
            dense,
        ]
    )


@pytest.mark.parametrize("scale", [1e-3, 0.3, 100.0])
def test_the_cells_of_a_receipt_fit_and_have_one_number_of_decimals(open_page, tmp_path, scale):
    view = cnnviz.view(scaled(scale), scale * normal(12, 12, 3).astype(np.float32))
    stages = view.scene.plan.taken.stages
    page = open_page(view.save(tmp_path / "scaled.html").as_uri())
    page.wait_for_selector(".cv-invite")
    cells = [[number, *(n // 2 for n in stage.shape)] for number, stage in enumerate(stages)]
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for stage, shown in zip(stages, of_view(page, PINNED, cells), strict=True):
            assert not shown["clipped"], (stage.name, width)
            assert not shown["wide"], (stage.name, width)
    for name in ("conv", "one", "five", "dense"):
        (number,) = (i for i, stage in enumerate(stages) if stage.name == name)
        of_view(page, PINNED, [cells[number]])
        cards = of_view(page, DECIMALS)
        assert len(cards) > 1
        # The inputs of all cards are one column, and so are the weights and the products.
        for column in zip(*cards, strict=True):
            assert len({count for grid in column for count in grid}) == 1
        rows = page.locator(".cv-ranked .cv-row:not(.cv-rest) .cv-rowsum").all_inner_texts()
        listed = [re.findall(r"\d+(?:\.(\d+))?", re.sub(r"×10\S+", "", row)) for row in rows]
        assert len(listed) > 1
        for column in zip(*listed, strict=True):
            assert len(set(map(len, column))) == 1, rows
