"""1x1: one pixel through the mixing matrix, a dense layer at every pixel, what reducing it costs."""

import cached
import chrome
import header
import mixing_view
import question_widget
import snippets
import state
import streamlit as st
from plain import plain

from cnnviz import channels, receptive_field
from cnnviz.channels.ablation import next_reader
from cnnviz.numbers import all_of, counted, minus, number, percent, signed_number, times
from cnnviz.teaching.questions import one_by_one as questions

COUNT = 1_000  # Test digits on which accuracy is measured without being asked for.


def show_pixel(name: str) -> tuple[int, int]:
    """One pixel, in the browser; the row and column that the learner keeps."""
    layer = here.network[name]
    channels_in, channels_out = layer.input_shape[-1], layer.output_shape[-1]
    chrome.section(
        f"One pixel through {name}",
        f"A pixel here is a cell of {name}'s maps. It has seen {' × '.join(map(str, fields[name].size))} "
        "pixels of the image, all through the layers before: the 1×1 adds none. Point at one. The "
        f"{counted(channels_in, 'map')} that come in have one number each there: the column beside the "
        f"matrix. Each column of the matrix turns {all_of(channels_in, 'number')} into one: multiply, add "
        f"up, add the bias. What comes of it is the pixel in the {counted(channels_out, 'map')} that go "
        "out. No other pixel has a say.",
    )
    row, col, out = mixing_view.show(here.run, name, f"{here.model} {here.digit}")
    with st.expander("This pixel as a picture, to be saved"):
        chrome.show(
            "pixel_mixing",
            f"Row {row}, column {col}, before the activation. The sign is written with every number.",
            values=here.run.inputs(name)[0][0, row, col],
            matrix=channels.mixing_matrix(layer.weights["kernel"]),
            bias=layer.weights.get("bias"),
            selected=out,
        )
    return row, col


def show_dense(name: str, row: int, col: int) -> None:
    """The same numbers by `ops.dense`, and with the pixels shuffled."""
    compared = cached.kept(channels.compare_with_dense, here.run, name)
    rows, cols, outputs = compared.convolution.shape
    chrome.section(
        "It is a dense layer, at every pixel",
        f"Take the {rows * cols} pixels apart, one row of {here.network[name].input_shape[-1]} numbers each, "
        "and give them to a dense layer with the same matrix and bias. Or shuffle the pixels, apply the 1×1 "
        "convolution, and put them back. All three give the same maps: the layer cannot know where a pixel "
        "was.",
    )
    chrome.facts(
        ("largest difference to ops.dense", number(compared.difference, 2)),
        ("largest difference after shuffling", number(compared.shuffled_difference, 2)),
        ("numbers compared", f"{compared.convolution.size:,}"),
    )
    chrome.table(
        ["output", *map(str, range(outputs))],
        [
            ("1×1 convolution", *(signed_number(value, 5) for value in compared.convolution[row, col])),
            ("ops.dense", *(signed_number(value, 5) for value in compared.dense[row, col])),
        ],
        caption=f"The pixel at row {row}, column {col}, before the activation. A difference of 0 is equality "
        "to the last bit.",
        name="dense",
    )


def show_reduction(name: str) -> tuple[str, int]:
    """A slider for how much of the layer is kept, and what that does to the network; what was chosen."""
    layer = here.network[name]
    chrome.section(
        "How much of it is needed",
        "Keep only some outputs: those that vary most after the activation, over the test digits below, "
        "for that is what the next layer can go by; or those with the largest mean square before it. Or "
        "keep only the largest singular directions of the matrix, which mix all outputs. Nothing is "
        "trained again.",
    )
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
    chrome.show(
        "error_curve",
        "Relative error: the root mean square of what is lost over that of the outputs, before the "
        f"activation, over {COUNT:,} test digits. Accuracy: with the layer replaced, over the same digits.",
        limit=640,
        errors=[one.error for one, _ in tried],
        accuracies=[one.accuracy for _, one in tried],
        k=k,
        xlabel=f"{kinds[by]} kept",
    )
    show_all_digits(name, reduction)
    if by == "singular":
        st.markdown(
            "Through singular directions the layer becomes two, into the few directions and out of them, so "
            "it pays only if few are kept."
        )
    chrome.show(
        "before_and_after",
        f"Outputs for {here.digit.name}, before the activation; those dropped are in brackets."
        if by != "singular"
        else f"Outputs for {here.digit.name}, before the activation.",
        before=channels.mix(x, matrix, bias),
        after=channels.mix(x, reduction.matrix, reduction.bias),
        dropped=[c for c in range(layer.output_shape[-1]) if c not in reduction.kept]
        if by != "singular"
        else (),
    )
    return by, k


def show_all_digits(name: str, reduction: channels.Reduction) -> None:
    """The accuracy on all test digits, when somebody asks."""
    asked = st.session_state.setdefault("reductions asked for", set())
    mine = (here.model, reduction.by, reduction.k)
    evaluation = cached.reduced_accuracy(here.model, name, reduction, mine in asked)
    if evaluation is None:
        st.button("Try all 10,000 test digits", on_click=asked.add, args=(mine,))
    else:
        st.markdown(
            f"On all {evaluation.images:,} test digits: **{percent(evaluation.accuracy)}**, that is "
            f"{evaluation.correct:,} right."
        )


def show_saving(name: str) -> None:
    """What the layer is good for in this network."""
    reader = next_reader(here.network, name)
    if reader is None:
        return
    costs = channels.compare_without_mixing(here.network, name)
    few, many = here.network[name].output_shape[-1], here.network[name].input_shape[-1]
    size = "×".join(map(str, reader.config["kernel_size"]))
    chrome.section(
        "What it is good for here",
        f"{reader.name} behind it reads {counted(few, 'channel')} and not {many}, so its kernels are less "
        "deep. That is a gain if the 1×1 convolution costs less than it saves there.",
    )
    mixer, *norms, behind = costs.steps
    between = channels.layers_between(here.network, here.network[name], reader)
    saved, more = costs.direct - behind, costs.other - costs.direct
    own = mixer.parameters + sum(norm.parameters for norm in norms)
    its = f" with {' and '.join(plain(layer.name) for layer in between)}" if between else ""
    it, other = plain(name), plain(reader.name)
    st.markdown(
        f"In {plain(here.model)}, {it} itself costs **{mixer.multiply_adds:,}** multiply-adds and saves "
        f"**{saved.multiply_adds:,}** in {other}: {_in_all(more.multiply_adds)}. It has{its} "
        f"{counted(own, 'parameter')} of its own and saves {saved.parameters:,} in {other}: "
        f"{_in_all(more.parameters)}."
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


def show_bottleneck() -> tuple[int, int, int]:
    """The calculator; what was chosen."""
    chrome.section(
        "The bottleneck",
        "A 3×3 convolution on many channels costs a lot. Two 1×1 convolutions around one on few channels "
        "take its place: down, across, up.",
    )
    with chrome.controls("bottleneck"):
        wide = state.integer("wide", 1, 4096, 256, "Channels")
        narrow = state.integer("narrow", 1, 4096, 64, "In between")
        side = state.integer("side", 1, 512, 14, "Map size")
    costs = channels.bottleneck(wide, narrow, side)
    steps = (f"1×1, {wide} to {narrow}", f"3×3, {narrow} to {narrow}", f"1×1, {narrow} to {wide}")
    chrome.table(
        ["", "parameters", "multiply-adds"],
        [
            (f"direct 3×3, {wide} to {wide}", costs.direct.parameters, costs.direct.multiply_adds),
            *(
                (words, step.parameters, step.multiply_adds)
                for words, step in zip(steps, costs.steps, strict=True)
            ),
            ("bottleneck, all three", costs.other.parameters, costs.other.multiply_adds),
            ("direct over bottleneck", *map(times, costs.saving)),
        ],
        mark=4,
        caption="Above 1 the bottleneck has fewer, below 1 it has more.",
        name="bottleneck",
    )
    return wide, narrow, side


here = header.current()
fields = cached.kept(receptive_field, here.network)
chrome.definition(
    "A 1×1 convolution mixes channels: at every position by itself, the channels that come in are "
    "multiplied with one matrix and give those that go out. It is a dense layer applied at each pixel. "
    "Networks use it to have fewer channels, or more, at little cost.",
    heard="A 1×1 convolution does nothing: it multiplies every pixel by a number.",
    instead="It mixes depth: each output is a weighted sum of all input channels at that pixel, and a bias. "
    "With stride 1 height and width stay as they are. Whether an activation follows is the "
    "designer’s choice.",
)
mixing = channels.mixing_layers(here.network)
row, col, by, k = 0, 0, "leaving", 5
if mixing:
    row, col = show_pixel(mixing[0])
    show_dense(mixing[0], row, col)
    by, k = show_reduction(mixing[0])
    show_saving(mixing[0])
else:
    header.point_to_mnist_14k(f"{here.model} has no 1×1 convolution.", "Show the one in mnist_14k")
wide, narrow, side = show_bottleneck()
if mixing:
    layer, x = here.network[mixing[0]], here.run.inputs(mixing[0])[0][0]
    question_widget.ask(
        questions.numbers_that_change(layer, x, row, col), questions.weights_on_larger_maps(layer)
    )
else:
    question_widget.ask(questions.shape_that_comes_out(14, 256, 64))
snippets.show(
    f"""
    import cnnviz
    from cnnviz import channels, ops

    image = {here.digit.code}
    net = cnnviz.load_model("mnist_14k")
    run = net.run(image)
    name = channels.mixing_layers(net)[0]
    layer = net[name]
    x = run.inputs(name)[0]
    compared = channels.compare_with_dense(run, name)
    print(compared.difference, compared.shuffled_difference, compared.convolution.size)
    matrix = channels.mixing_matrix(layer.weights["kernel"])
    dense = ops.dense(x, matrix, layer.weights["bias"])
    print(dense[0, {row}, {col}], run.pre_activation(name)[0, {row}, {col}])

    images, labels = cnnviz.load_mnist()[1]
    trial = channels.ReductionTrial(net, name, images[:{COUNT}], labels[:{COUNT}])
    reduction = trial.reduce(k={k}, by={by!r})
    print(reduction.error, trial.evaluate(reduction).accuracy, trial.cut)
    print(channels.mixing_error(x[0], matrix, layer.weights["bias"], reduction.matrix, reduction.bias))
    print(reduction.cost.everywhere(layer.output_shape[:2]), layer.params, layer.multiply_adds)
    costs = channels.bottleneck({wide}, {narrow}, {side})
    print(costs.direct, costs.steps, costs.saving)
    """
)
