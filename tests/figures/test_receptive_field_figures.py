"""The figures of receptive fields: they draw the numbers that they are given, and say them."""

from __future__ import annotations

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network, figures
from cnnviz.figures.receptive_paths import Seen
from cnnviz.receptive_fields import check_field
from harness.networks import conv, image, layer


@pytest.fixture(scope="module")
def run() -> cnnviz.Run:
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][:2])


def padded(depth: int = 3) -> Network:
    """3x3 convolutions with 'same' padding."""
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, 9, 9, 1)})]
    for k in range(depth):
        config = {"filters": 1, "kernel_size": 3, "use_bias": False, "padding": "same"}
        weights = {"kernel": np.ones((3, 3, 1, 1))}
        layers.append(
            Layer.from_config(f"conv_{k}", "Conv2D", config, weights=weights, inputs=(layers[-1].name,))
        )
    return Network(layers)


def corners(patch: object) -> tuple[float, float, float, float]:
    return tuple(round(n, 6) for n in patch.get_bbox().bounds)  # type: ignore[attr-defined]


def test_the_path_has_every_layer_that_sees_more(run: cnnviz.Run) -> None:
    path = figures.path_to(run, "conv2d_4", 2, 3, image=1)
    assert [seen.name for seen in path] == [
        "input",
        "conv2d",
        "conv2d_1",
        "conv2d_2",
        "max_pooling2d",
        "conv2d_3",
        "conv2d_4",
    ]
    fields = cnnviz.receptive_field(run.network)
    boxes = {**fields.cone("conv2d_4", 2, 3), "conv2d_4": ((2, 2), (3, 3))}
    assert all(seen.box == boxes[seen.name] for seen in path)
    np.testing.assert_array_equal(path[0].maps, run.input[1])
    assert path[0].pixels


def test_what_a_border_cuts_off_is_dashed_and_said() -> None:
    path = figures.path_to(padded().run(np.ones((9, 9))), "conv_2", 0, 4)
    assert [seen.box for seen in path] == [
        ((-3, 3), (1, 7)),
        ((-2, 2), (2, 6)),
        ((-1, 1), (3, 5)),
        ((0, 0), (4, 4)),
    ]
    picture = figures.receptive_path(path)
    assert [outline is not None for outline in picture["cut"]] == [True, True, True, False]
    cell = picture["maps"][0].get_extent()[1] - picture["maps"][0].get_extent()[0]
    _, _, width, height = corners(picture["boxes"][0])
    assert (width - 2, height - 2) == pytest.approx((7 * cell / 9, 4 * cell / 9), abs=1e-5)
    _, _, width, height = corners(picture["cut"][0])
    assert height - 2 == pytest.approx(7 * cell / 9, abs=1e-5)
    assert "image: 4 × 7 cells, rows 0 to 3, columns 1 to 7, cut off from rows -3 to 3" in picture.alt


def test_a_box_beyond_the_map_has_no_cells_of_it() -> None:
    picture = figures.receptive_path([Seen("pad", np.ones((4, 4, 1)), ((-3, -1), (0, 2)))])
    assert picture["boxes"] == []
    assert picture["cut"][0] is not None


def test_without_padding_nothing_is_cut_off(run: cnnviz.Run) -> None:
    picture = figures.receptive_path(figures.path_to(run, "conv2d_7", 0, 0))
    assert not any(picture["cut"])
    assert "cut off" not in picture.alt


def test_rungs_are_linked_to_the_cells_that_they_read(run: cnnviz.Run) -> None:
    rungs = figures.rungs_to(run.network, "conv2d_3", 4)
    pool = next(rung for rung in rungs if rung.name == "max_pooling2d")
    assert pool.links is not None
    assert pool.links[3] == [6, 7]
    assert list(pool.seen) == [4, 5, 6]
    assert rungs[0].links is None
    assert [len(rung.seen) for rung in rungs] == [10, 8, 6, 6, 3, 1]


def test_growth_draws_the_theoretical_width_and_the_effective_band() -> None:
    picture = figures.receptive_growth(["a", "b"], [10, 20], effective=[4, 7], image=20, highlight=1)
    outer = [corners(bar) for bar in picture["bars"]]
    inner = [corners(bar) for bar in picture["effective"]]
    assert outer[1][2] == pytest.approx(2 * outer[0][2], rel=1e-5)
    for (x, _, width, _), (x_in, _, width_in, _), part in zip(outer, inner, (0.4, 0.35), strict=True):
        assert width_in == pytest.approx(part * width, rel=1e-4)
        assert x + width / 2 == pytest.approx(x_in + width_in / 2, rel=1e-5)
    assert "a 10, b 20" in picture.alt
    assert "Effective: 4.00, 7.00" in picture.alt
    assert figures.receptive_growth(["a"], [3])["effective"] == []


def test_effective_fields_share_a_scale_if_asked() -> None:
    field = np.array([[0.0, 2.0], [1.0, 0.0]])
    alone = figures.effective_field(field, ((0, 0), (0, 1)))
    shared = figures.effective_field(field, ((0, 0), (0, 1)), scale=figures.Scale("positive", 8.0))
    np.testing.assert_array_equal(alone["field"].get_array(), field)
    assert alone["field"].norm.vmax == 2
    assert shared["field"].norm.vmax == 8
    assert "largest 2.00 at row 0, column 1" in shared.alt
    assert "holds 67 % of them" in shared.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [328.0, 960.0])
def test_they_render_at_every_width_and_theme(run: cnnviz.Run, theme: str, width: float) -> None:
    options = {"theme": theme, "width": width}
    path = figures.path_to(run, "conv2d_4", 0, 0)
    rungs = figures.rungs_to(run.network, "conv2d_4", 0)
    for picture in (
        figures.receptive_path(path, **options),  # type: ignore[arg-type]
        figures.receptive_ladder(rungs, **options),  # type: ignore[arg-type]
        figures.receptive_growth(["a"], [3], effective=[2], **options),  # type: ignore[arg-type]
        figures.effective_field(np.ones((4, 4)), ((0, 3), (0, 3)), **options),  # type: ignore[arg-type]
    ):
        assert picture.svg().startswith("<svg")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: figures.receptive_path([]), "layers must not be empty"),
        (lambda: figures.receptive_ladder([]), "rungs must not be empty"),
        (lambda: figures.receptive_growth(["a"], [1, 2]), "one entry for each layer"),
        (lambda: figures.receptive_growth(["a"], [1], effective=[]), "one entry for each layer"),
        (lambda: figures.effective_field(np.ones(3), ((0, 1), (0, 1))), "field must be"),
    ],
)
def test_nonsense_is_refused(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        call()


def test_the_legends_can_be_left_out() -> None:
    layers = [Seen("input", np.zeros((8, 8, 1)), ((-2, 2), (0, 4)), pixels=True)]
    with_legend, without = (figures.receptive_path(layers, legends=legends) for legends in (True, False))
    assert len(with_legend.ax.images) == len(without.ax.images) + 1
    assert without.figure.get_figheight() < with_legend.figure.get_figheight()


def test_what_a_path_leaves_out_is_named_and_only_if_it_changes_numbers(run: cnnviz.Run) -> None:
    path = figures.path_to(run, "conv2d_3", 5, 5)
    assert [seen.behind for seen in path] == [(), (), *[("BatchNormalization",)] * 3, ()]
    said = figures.left_out(path)
    assert "BatchNormalization, in front of conv2d_1, conv2d_2 and max_pooling2d." in said
    assert said in figures.receptive_path(path).alt
    maxpool = cnnviz.load_model("mnist_maxpool").run(cnnviz.load_mnist()[1][0][:1])
    assert figures.left_out(figures.path_to(maxpool, "conv2d_1", 5, 5)) == ""


def test_numbers_that_changed_are_outlined(run: cnnviz.Run) -> None:
    image = cnnviz.load_mnist()[1][0][0]
    right = check_field(run.network, image, "conv2d_1", 9, 9)
    picture = figures.field_trials(right)
    assert picture["changed"] == []
    np.testing.assert_array_equal(picture["images"][1].get_array(), right.trials[0].image[:, :, 0])
    assert all((strip.get_array()[0] == right.values).all() for strip in picture["values"])
    mask = right.mask.copy()
    mask[9] = False
    wrong = check_field(run.network, image, "conv2d_1", 9, 9, mask=mask)
    changed = sum(int((~trial.unchanged).sum()) for trial in wrong.trials)
    assert len(figures.field_trials(wrong)["changed"]) == changed > 0


def test_a_path_has_the_size_of_its_run() -> None:
    """The network itself takes any size, and knows none."""
    net = any_size()
    run = net.run(np.zeros((1, 9, 12, 1), np.float32))
    path = figures.path_to(run, "second", 6, 9)
    assert [(seen.name, seen.maps.shape[:2], seen.box) for seen in path] == [
        ("image", (9, 12), ((5, 9), (8, 12))),
        ("first", (9, 12), ((6, 8), (9, 11))),
        ("second", (7, 10), ((6, 6), (9, 9))),
    ]
    assert figures.receptive_path(path)["boxes"]


def test_a_ladder_needs_a_size_and_goes_up_to_a_vector() -> None:
    net = any_size()
    with pytest.raises(ValueError, match=r"size of 'image' is not known: pass input_shape=\(height, width\)"):
        figures.rungs_to(net, "second", 3)
    rungs = figures.rungs_to(net, "second", 3, input_shape=(9, 12))
    assert [len(rung.centers) for rung in rungs] == [12, 12, 10]
    pixels, first, second, mean = figures.rungs_to(net, "mean", 0, axis=0, input_shape=(9, 12))
    assert (list(mean.centers), list(mean.seen), mean.links) == ([4.0], [0], [list(range(7))])
    assert list(pixels.seen) == list(first.seen) == list(range(9))
    assert len(second.seen) == 7
    ladder = figures.receptive_ladder([pixels, first, second, mean])
    # What every cell of the two convolutions reads, and the vector's of the seven rows.
    assert len(ladder["links"]) == sum(map(len, [*first.links, *second.links, *mean.links]))


def any_size() -> Network:
    return Network(
        [
            image(None, None, 1),
            conv("first", "image", 1, 1, padding="same"),
            conv("second", "first", 1, 1),
            layer("mean", "GlobalAveragePooling2D", "second"),
        ]
    )
