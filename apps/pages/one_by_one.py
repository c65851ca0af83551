"""1x1: three planes become a grey, sixteen maps ten; what a ReLU adds, what it costs and saves."""

from functools import partial

import cached
import chrome
import colour_view
import header
import lesson
import mixing_view
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits
from lesson import Aspect
from plain import plain
from surroundings import surroundings

from cnnviz import channels, kernels, ops, receptive_field
from cnnviz.channels.ablation import next_reader
from cnnviz.layers.layer import Layer, quoted
from cnnviz.numbers import all_of, counted, minus, number, percent, times
from cnnviz.teaching.questions import one_by_one as questions

COUNT = 1_000  # Test digits on which accuracy is measured without being asked for.
PAIRS = {"0~2": "red and blue", "0~1": "red and green", "1~2": "green and blue"}


def show_colour() -> None:
    """The photograph, its planes, and weights to be dragged."""
    lesson.idea(
        "A 1×1 convolution adds up maps, each times its weight, at every place by itself. A photograph has "
        "three: drag a weight."
    )
    mixed = colour_view.show()
    code.append(f"""
    planes = kernels.colour_photograph() / 255
    weights = np.reshape({list(mixed.weights)}, (1, 1, 3, 1))
    grey = ops.conv2d(planes, weights){"" if not mixed.relu else "; grey = ops.relu(grey)"}
    print(grey[{mixed.row}, {mixed.col}])""")


def show_pixel() -> None:
    """One pixel through the network's matrix, in the browser."""
    layer = here.network[name]
    channels_in, channels_out = layer.input_shape[-1], layer.output_shape[-1]
    lesson.idea(
        f"A pixel here is a cell of {name}'s maps; it has seen {' × '.join(map(str, fields[name].size))} "
        "pixels of the image, all through the layers before. Each column of the matrix turns "
        f"{all_of(channels_in, 'number')} that come in into one of the {channels_out} that go out."
    )
    row, col, out = mixing_view.show(here.run, name, f"{here.model} {here.digit}")
    compared = cached.kept(channels.compare_with_dense, here.run, name)
    rows, cols, _ = compared.convolution.shape
    measured, said = chrome.columns(1, 1)
    with measured:
        chrome.facts(
            ("largest difference to ops.dense", number(compared.difference, 2)),
            ("after shuffling", number(compared.shuffled_difference, 2)),
            ("numbers compared", f"{compared.convolution.size:,}"),
        )
        drawn = state.toggle("saved", False, "As a picture, to be saved")
    with said:
        chrome.note(
            f"Take the {counted(rows * cols, 'pixel')} apart, one row of {counted(channels_in, 'number')} "
            "each, and give them to a dense layer with the same matrix and bias. Or shuffle the pixels, "
            "apply the 1×1 convolution, and put them back. The maps are the same: the layer cannot know "
            "where a pixel was."
        )
    if drawn:
        chrome.show(
            "pixel_mixing",
            f"Row {row}, column {col}, before the activation. The sign is written with every number.",
            values=here.run.inputs(name)[0][0, row, col],
            matrix=channels.mixing_matrix(layer.weights["kernel"]),
            bias=layer.weights.get("bias"),
            selected=out,
        )
    code.append(f"""
    compared = channels.compare_with_dense(run, name)
    print(compared.difference, compared.shuffled_difference, compared.convolution.size)
    print(compared.dense[{row}, {col}], compared.convolution[{row}, {col}])""")


def show_relu() -> None:
    """Two 1x1 convolutions in a row, with and without a ReLU between them."""
    drawn, measured = chrome.columns(3, 2)
    with measured:
        pair = state.option("pair", PAIRS, "0~2", st.selectbox, "How much two planes differ")
        bent = state.toggle("bent", True, "A ReLU between the two layers")
    one, other = (int(plane) for plane in pair.split("~"))
    first, second = PAIRS[pair].split(" and ")
    planes = kernels.colour_photograph() / 255
    made = channels.how_much_two_differ(planes, one, other, relu=bent)
    nearest = channels.nearest_mixture(planes, channels.how_much_two_differ(planes, one, other)[:, :, 2])
    with drawn:
        chrome.show(
            "feature_maps",
            f"The first 1×1 makes two maps, {first} − {second} and {second} − {first}; the second adds them "
            "up. "
            + (
                "The ReLU takes from each what is below 0, so the sum is large wherever the two planes "
                "differ, whichever is larger."
                if bent
                else "With nothing between the layers both cancel: two mixtures in a row are one mixture."
            ),
            share=0.6,
            maps=made,
            labels=(f"{first} − {second}", f"{second} − {first}", "their sum"),
        )
    with measured:
        chrome.facts(
            ("the largest number of the sum", number(made[:, :, 2].max())),
            ("of it no single mixture makes", percent(nearest.share_left, 0)),
        )
        chrome.note(
            "That is what an activation behind a 1×1 adds (Lin, Chen and Yan, “Network in Network”, 2013): "
            "layers in a row become more than one layer. The share is what the nearest mixture with a bias "
            "misses of the sum with the ReLU, in squares about its mean."
        )
    code.append(f"""
    planes = kernels.colour_photograph() / 255
    made = channels.how_much_two_differ(planes, {one}, {other}, relu={bent})
    wanted = channels.how_much_two_differ(planes, {one}, {other})[:, :, 2]
    print(made[:, :, 2].max(), channels.nearest_mixture(planes, wanted).share_left)""")


def show_separable() -> None:
    """A convolution of the network as a depthwise one and a 1x1, as near as two steps come."""
    layer = wide[0]
    kernel, x = layer.weights["kernel"], here.run.inputs(layer.name)[0]
    found = cached.kept(separated, layer)
    options = {"strides": layer.config["strides"], "padding": layer.config["padding"]}
    together = ops.separable_conv2d(x.astype(float), found.depthwise, found.pointwise, **options)
    one_by_one = ops.conv2d(
        ops.depthwise_conv2d(x.astype(float), found.depthwise, **options), found.pointwise
    )
    size = layer.output_shape[:2]
    cost = channels.separable_cost(kernel.shape[2], kernel.shape[3], kernel.shape[:2], size)
    window = "×".join(map(str, kernel.shape[:2]))
    counted_up, measured = chrome.columns(3, 2)
    with counted_up:
        chrome.table(
            ["", "weights", "multiply-adds"],
            [
                (f"{layer.name}, {window}", cost.direct.parameters, cost.direct.multiply_adds),
                (f"depthwise {window}", cost.steps[0].parameters, cost.steps[0].multiply_adds),
                ("1×1", cost.steps[1].parameters, cost.steps[1].multiply_adds),
                ("both steps", cost.other.parameters, cost.other.multiply_adds),
            ],
            mark=3,
            caption=f"{layer.name} reads {counted(kernel.shape[2], 'map')} and gives "
            f"{counted(kernel.shape[3], 'map')} of {size[0]} × {size[1]}; biases are left out. In two steps "
            "each map first meets a kernel of its own, and a 1×1 convolution mixes what comes of it.",
            name="separable",
        )
    with measured:
        chrome.facts(
            (f"of {layer.name}’s squares two steps miss", percent(found.share_left, 0)),
            (
                "largest difference of both steps to ops.separable_conv2d",
                number(float(np.abs(together - one_by_one).max()), 2),
            ),
        )
        chrome.note(
            "Fewer weights can do less: for one input map all kernels are then the same kernel, times a "
            "number each. Nothing was trained again here; a network that is built of such layers "
            "learns with them."
        )
    code.append(f"""
    layer = net[{quoted(layer.name)}]
    found = channels.nearest_separable(layer.weights["kernel"])
    cost = channels.separable_cost(*found.kernel.shape[2:], found.kernel.shape[:2], layer.output_shape[:2])
    print(found.share_left, cost.direct, cost.steps)
    options = {{key: layer.config[key] for key in ("strides", "padding")}}
    x = run.inputs(layer.name)[0].astype(float)
    steps = ops.conv2d(ops.depthwise_conv2d(x, found.depthwise, **options), found.pointwise)
    print(abs(ops.separable_conv2d(x, found.depthwise, found.pointwise, **options) - steps).max())""")


def separated(layer: Layer) -> channels.SeparatedKernel:
    """A layer's kernel in two steps."""
    return channels.nearest_separable(layer.weights["kernel"])


def show_reduction() -> None:
    """A slider for how much of the layer is kept, and what that does to the network."""
    layer = here.network[name]
    with chrome.controls("reduce"):
        kinds = {
            "leaving": "outputs, by what leaves",
            "outputs": "outputs, before the activation",
            "singular": "singular directions",
        }
        by = state.option("by", kinds, "leaving", st.segmented_control, "Keep")
        tried, cut = cached.reductions(here.model, name, by, COUNT)
        k = state.integer("kept", 0, len(tried) - 1, 5, "How many", st.slider)
    matrix, bias = channels.mixing_matrix(layer.weights["kernel"]), layer.weights.get("bias")
    reduction, evaluation = tried[k]
    x, whole = here.run.inputs(name)[0][0], channels.Cost(layer.params, layer.multiply_adds)
    error = channels.mixing_error(x, matrix, bias, reduction.matrix, reduction.bias)
    cost = reduction.cost.everywhere(layer.output_shape[:2])
    drawn, measured = chrome.columns(3, 2)
    with drawn:
        chrome.show(
            "error_curve",
            "Relative error: the root mean square of what is lost over that of the outputs, before the "
            f"activation, over {COUNT:,} test digits. Accuracy: with the layer replaced, over the same "
            "digits. Nothing is trained again.",
            share=0.6,
            limit=520,
            errors=[one.error for one, _ in tried],
            accuracies=[one.accuracy for _, one in tried],
            k=k,
            xlabel=f"{kinds[by]} kept",
        )
    with measured:
        chrome.facts(
            (f"accuracy on {evaluation.images:,} test digits", percent(evaluation.accuracy, 1)),
            (f"relative error on {evaluation.images:,} test digits", percent(reduction.error, 1)),
            (f"relative error on {here.digit.name} alone", percent(error, 1)),
            (f"parameters of {whole.parameters:,}", f"{cost.parameters:,}"),
            (f"multiply-adds of {whole.multiply_adds:,}", f"{cost.multiply_adds:,}"),
            *(
                [("of the mean square never leaves: the activation takes it away", percent(cut, 0))]
                * (by == "outputs")
            ),
        )
        show_all_digits(name, reduction)
    chrome.note(
        {
            "leaving": "Those are kept that vary most after the activation, over the test digits: that is "
            "what the next layer can go by.",
            "outputs": "Those are kept that have the largest mean square before the activation.",
            "singular": "The largest singular directions of the matrix mix all outputs. Through them the "
            "layer becomes two, into the few directions and out of them, so it pays only if few are kept.",
        }[by]
    )
    if state.toggle("outputs", False, "Show the outputs, whole and reduced"):
        dropped = [c for c in range(layer.output_shape[-1]) if c not in reduction.kept]
        chrome.show(
            "before_and_after",
            f"Outputs for {here.digit.name}, before the activation"
            + ("." if by == "singular" else "; those dropped are in brackets."),
            before=channels.mix(x, matrix, bias),
            after=channels.mix(x, reduction.matrix, reduction.bias),
            dropped=() if by == "singular" else dropped,
        )
    code.append(f"""
    images, labels = cnnviz.load_mnist()[1]
    trial = channels.ReductionTrial(net, name, images[:{COUNT}], labels[:{COUNT}])
    reduction = trial.reduce(k={k}, by={by!r})
    print(reduction.error, trial.evaluate(reduction).accuracy, trial.cut)
    layer, x = net[name], run.inputs(name)[0][0]
    matrix, bias = channels.mixing_matrix(layer.weights["kernel"]), layer.weights.get("bias")
    print(channels.mixing_error(x, matrix, bias, reduction.matrix, reduction.bias))
    print(reduction.cost.everywhere(layer.output_shape[:2]), layer.params, layer.multiply_adds)""")


def show_all_digits(name: str, reduction: channels.Reduction) -> None:
    """The accuracy on all test digits, when somebody asks."""
    asked = st.session_state.setdefault("reductions asked for", set())
    mine = (here.model, reduction.by, reduction.k)
    evaluation = cached.reduced_accuracy(here.model, name, reduction, mine in asked)
    if evaluation is None:
        st.button(f"Try all {len(test_digits()[0]):,} test digits", on_click=asked.add, args=(mine,))
    else:
        st.markdown(
            f"On all {evaluation.images:,} test digits: **{percent(evaluation.accuracy)}**, that is "
            f"{evaluation.correct:,} right."
        )


def show_saving() -> None:
    """What the layer is good for in this network."""
    reader = next_reader(here.network, name)
    assert reader is not None
    costs = channels.compare_without_mixing(here.network, name)
    few, many = here.network[name].output_shape[-1], here.network[name].input_shape[-1]
    size = "×".join(map(str, reader.config["kernel_size"]))
    mixer, *norms, behind = costs.steps
    between = channels.layers_between(here.network, here.network[name], reader)
    saved, more = costs.direct - behind, costs.other - costs.direct
    own = mixer.parameters + sum(norm.parameters for norm in norms)
    its = f" with {' and '.join(plain(layer.name) for layer in between)}" if between else ""
    it, other = plain(name), plain(reader.name)
    st.markdown(
        f"In {plain(here.model)}, {it} itself costs **{mixer.multiply_adds:,}** multiply-adds and saves "
        f"**{saved.multiply_adds:,}** in {other}: {_in_all(more.multiply_adds)}. It has{its} "
        f"{counted(own, 'parameter')} of its own and saves {saved.parameters:,} in {other}, whose kernels "
        f"are less deep for it: {_in_all(more.parameters)}."
    )
    chrome.table(
        ["", "parameters", "multiply-adds"],
        [
            (f"{reader.name}, {size}, reading {many}", costs.direct.parameters, costs.direct.multiply_adds),
            (f"{name}, 1×1, {many} to {few}", mixer.parameters, mixer.multiply_adds),
            *(
                (layer.name, norm.parameters, norm.multiply_adds)
                for layer, norm in zip(between, norms, strict=True)
            ),
            (f"{reader.name}, {size}, reading {few}", behind.parameters, behind.multiply_adds),
            ("together, as they are", costs.other.parameters, costs.other.multiply_adds),
            (
                "more (+) or fewer (−) for it",
                *(minus(f"{n:+,}") for n in (more.parameters, more.multiply_adds)),
            ),
        ],
        mark=3 + len(between),
        caption=f"The first row is what it would be without {name}, which is applied at "
        f"{_positions(name)} positions; {reader.name} is at {_positions(reader.name)}.",
        name="mixing",
    )


def _in_all(more: int) -> str:
    """What a layer costs beyond what it saves."""
    return f"{abs(more):,} {'more' if more > 0 else 'fewer'} in all" if more else "as many in all"


def _positions(name: str) -> str:
    rows, cols = here.network[name].output_shape[:2]
    return f"{rows} × {cols}"


def show_bottleneck() -> None:
    """The calculator."""
    with chrome.row("controls-bottleneck", gap="small"):
        many = state.integer("wide", 1, 4096, 256, "Channels")
        few = state.integer("narrow", 1, 4096, 64, "In between")
        side = state.integer("side", 1, 512, 14, "Map size")
    costs = channels.bottleneck(many, few, side)
    steps = (f"1×1, {many} to {few}", f"3×3, {few} to {few}", f"1×1, {few} to {many}")
    chrome.table(
        ["", "parameters", "multiply-adds"],
        [
            (f"direct 3×3, {many} to {many}", costs.direct.parameters, costs.direct.multiply_adds),
            *(
                (words, step.parameters, step.multiply_adds)
                for words, step in zip(steps, costs.steps, strict=True)
            ),
            ("bottleneck, all three", costs.other.parameters, costs.other.multiply_adds),
            ("direct over bottleneck", *map(times, costs.saving)),
        ],
        mark=4,
        caption="Two 1×1 convolutions around a 3×3 on few channels take the place of a 3×3 on many: down, "
        "across, up. Above 1 the bottleneck has fewer, below 1 it has more.",
        name="bottleneck",
    )
    code.append(f"""
    costs = channels.bottleneck({many}, {few}, {side})
    print(costs.direct, costs.steps, costs.saving)""")


code: list[str] = []
here = header.current()
mixing = channels.mixing_layers(here.network)
name = mixing[0] if mixing else ""
fields = cached.kept(receptive_field, here.network)
wide = [
    layer
    for layer in here.network.layers
    if layer.is_convolution
    and layer.config["groups"] == 1
    and layer.weights["kernel"].shape[2] > 1
    and max(layer.config["kernel_size"]) > 1
]
scenes = {"colour": "1. A photograph: 3 → 1"}
if name:
    counts = here.network[name].input_shape[-1], here.network[name].output_shape[-1]
    scenes["network"] = f"2. The network: {counts[0]} → {counts[1]}"
# On a narrow page what can be played with comes first.
content = st.container() if surroundings()["width"] < 640 else None
with chrome.row("scenes"):
    scene = state.option(
        "of", scenes, "colour", st.segmented_control, "What is mixed", label_visibility="collapsed"
    )
with content or st.container():
    if scene == "colour":
        show_colour()
    else:
        lesson.begin("one_by_one")
if scene == "colour":
    question_widget.ask(questions.weights_for_planes(*kernels.colour_photograph().shape))
else:
    layer, x = here.network[name], here.run.inputs(name)[0][0]
    middle = x.shape[0] // 2, x.shape[1] // 2
    question_widget.ask(
        partial(questions.numbers_that_change, layer, x, *middle),
        partial(questions.weights_on_larger_maps, layer),
    )
if not name:
    header.point_to_mnist_14k(f"{here.model} has no 1×1 convolution.", "Show the one in mnist_14k")
in_use = {"relu": Aspect("With a ReLU behind it", show_relu, ("pair", "bent"))}
if wide:
    in_use["separable"] = Aspect("In a depthwise separable convolution", show_separable)
in_use["bottleneck"] = Aspect("In a bottleneck", show_bottleneck, ("wide", "narrow", "side"))
lesson.closer_in_aspects(
    "where",
    "What it is good for: with a ReLU behind it, and together with other convolutions",
    "Where it stands",
    in_use,
)
if name:
    in_numbers = {
        "pixel": Aspect("One pixel through it", show_pixel, ("row", "column", "channel", "saved")),
    }
    behind = next_reader(here.network, name)
    if behind is not None and behind.is_convolution and behind.config["groups"] == 1:
        in_numbers["cost"] = Aspect("What it costs and saves", show_saving)
    if here.measures_digits:
        in_numbers["reduce"] = Aspect("How much of it is needed", show_reduction, ("by", "kept", "outputs"))
    lesson.closer_in_aspects(
        "about",
        f"{name} in numbers: a matrix at every pixel, and how much of it is needed",
        f"About {name}",
        in_numbers,
    )
snippets.show(
    f"""
    import numpy as np
    import cnnviz
    from cnnviz import channels, kernels, ops

    net = cnnviz.load_model({quoted(here.model)})
    run = net.run({here.digit.code})
    name = next(iter(channels.mixing_layers(net)), "")
    {"".join(code)}
    """
)
chrome.half_truth(
    "A 1×1 convolution does nothing: it multiplies every pixel by a number.",
    "It mixes depth: each output is a weighted sum of all input channels at that pixel, and a bias. With "
    "stride 1 height and width stay as they are. Whether an activation follows is the designer’s choice.",
)
