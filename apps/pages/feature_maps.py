"""Feature maps: all channels of one layer, and one of them looked at in several ways."""

import cached
import chrome
import header
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import Digit, choose_test_digit, test_digits
from plain import plain

from cnnviz import figures, receptive_field
from cnnviz.channels.ablation import ablate, next_reader, without_channel
from cnnviz.concepts.blank_sheet import blank_run
from cnnviz.concepts.exciting import read_exciting
from cnnviz.concepts.partial_sums import has_partial_sums, partial_sums
from cnnviz.layers.layer import quoted
from cnnviz.numbers import number, probability
from cnnviz.teaching.questions import feature_maps as questions

VIEWS = {
    "channel": "One channel",
    "sums": "Partial sums",
    "two": "Two digits",
    "off": "Switched off",
    "network": "Every layer",
}


def show_channel() -> str:
    """One map enlarged, what its strongest cell sees, and the test digits that excite it most."""
    blank = cached.kept(blank_run, here.network)[name][(0, *peak, channel)]
    left, right = chrome.columns(1, 1)
    with left:
        chrome.section(f"Channel {channel}")
        chrome.show(
            "single_map",
            f"The strongest cell is at row {peak[0]}, column {peak[1]}, and holds "
            f"{number(values[(*peak, channel)])}. On a blank sheet it would hold {number(blank)}: only what "
            "differs from that comes from the digit.",
            share=0.5,
            limit=420,
            values=values[:, :, channel],
            scale=scale,
            cell=peak,
        )
    with right:
        chrome.section("What its strongest cell sees")
        chrome.show(
            "image_of",
            "The pixels inside the outline are all that this cell depends on.",
            share=0.5,
            limit=420,
            pixels=here.run.input[0, :, :, 0],
            box=fields[name].box(*peak),
        )
    chrome.section(
        "What excites it most",
        f"Of all 10,000 test digits, those in which channel {channel} reaches its largest values other than "
        "0: the digit, outlined what the strongest cell sees, and beside it that part alone. A click makes "
        "one the digit of all pages.",
    )
    record = cached.kept(read_exciting, here.model)
    if record is None:
        lack = f"There is no record of this file of {here.model}: cnnviz exciting --record makes it."
        st.info(plain(lack))
        return ""
    top = [one for one in record.of(name, channel) if one.value]
    images, labels = test_digits()
    if not top:
        dead = f"Channel {channel} of {name} is zero for every one of the {record.images:,} test digits."
        st.info(plain(dead))
        return ""
    chosen = [one.image for one in top]
    chrome.pick(
        "exciting_digits",
        "The label in bold, the test digit's number, and the channel's largest value in it. On this digit it "
        f"is {number(values[(*peak, channel)])}.",
        [f"Show test digit {k}, a {labels[k]}" for k in chosen],
        chosen.index(here.digit.index) if not here.digit.own and here.digit.index in chosen else None,
        lambda k: choose_test_digit(chosen[k]),
        images=images[chosen],
        boxes=[fields[name].box(one.row, one.col) for one in top],
        values=[one.value for one in top],
        titles=[f"{k:,}" for k in chosen],
        labels=[str(label) for label in labels[chosen]],
    )
    return ""


def show_sums() -> str:
    """The sums by input channel of which a convolution's output is made."""
    chrome.section("Where its numbers come from")
    if not has_partial_sums(here.network[name]):
        other = f"{name} is a {here.network[name].kind}: it does not add up channels. Convolutions do."
        st.info(plain(other))
        summing = [layer for layer in maps if has_partial_sums(here.network[layer])]
        before = [layer for layer in summing if maps.index(layer) < maps.index(name)]
        nearest = before[-1] if before else summing[0]
        st.button(f"Show {plain(nearest)}", on_click=lambda: state.put("layer", nearest))
        return ""
    rows, cols = values.shape[:2]
    with chrome.controls("cell"):
        row = state.integer("row", 0, rows - 1, peak[0], "Row")
        col = state.integer("column", 0, cols - 1, peak[1], "Column")
    sums = partial_sums(here.run, name, channel)
    count = len(sums.inputs)
    said = (
        f"{name} reads one channel, which is convolved with kernel {channel}. The map and the bias are added "
        "up; what comes out is the pre-activation."
        if count == 1
        else f"Each of the {count} channels that {name} reads is convolved with its own slice of kernel "
        f"{channel}. The {count} maps and the bias are added up; what comes out is the pre-activation."
    )
    st.markdown(plain(said))
    chrome.show(
        "sum_of_parts",
        f"Maps by input channel, on one scale with their sum. Added up in float64 here, the sum and what the "
        f"network computed in float32 differ by {number(sums.residual, 2)} at most.",
        parts=sums.parts,
        bias=sums.bias,
        value=sums.value,
        labels=[str(k) for k in sums.inputs],
        cell=(row, col),
    )
    chrome.facts(
        (f"sum at row {row}, column {col}", number(sums.total[row, col], 6)),
        ("the network’s pre-activation", number(sums.value[row, col], 6)),
        ("the feature map", number(values[row, col, channel], 6)),
    )
    return f"""
    from cnnviz.concepts.partial_sums import partial_sums

    sums = partial_sums(run, {quoted(name)}, {channel})
    print(sums.parts[{row}, {col}], sums.bias, sums.total[{row}, {col}], sums.value[{row}, {col}])
    print(maps[{row}, {col}, {channel}], sums.residual)"""


def show_two() -> str:
    """The same layer for two digits, on one scale."""
    chrome.section(
        "Two digits", "The same kernels, another digit. Both are drawn on one scale, so that colours compare."
    )
    with chrome.controls("other"):
        start = 0 if here.digit.index == 1 else 1
        count = len(test_digits()[0])
        other = Digit(state.integer("other", 0, count - 1, start, "Second test digit"))
    run = cached.run(here.which, other)
    titles = [
        digit.name + ("" if digit.label is None else f"\na {digit.label}") for digit in (here.digit, other)
    ]
    left, right = chrome.columns(1, 1)
    for column, digit, title in zip((left, right), (here.digit, other), titles, strict=True):
        with column:
            chrome.show("image_of", title.replace("\n", ", "), share=0.5, limit=140, pixels=digit.image)
    chrome.show(
        "before_and_after",
        f"All channels of {name} for both digits.",
        before=values,
        after=run[name][0],
        titles=tuple(titles),
        selected=channel,
        columns=8,
    )
    return f"""
    other = net.run({other.code})
    figures.before_and_after(maps, other[{quoted(name)}][0], selected={channel})
    print(other[{quoted(name)}][0, :, :, {channel}].max())"""


def show_off() -> str:
    """What the prediction becomes without each channel, and without one of them in detail."""
    ablation = cached.kept(ablate, here.run, name)
    chrome.section(
        "Switched off, one at a time",
        f"Each bar is the probability of {ablation.predicted} with one channel of {name} set to zero and "
        f"everything else as it is. {_flips(ablation.flipped)}",
    )
    with chrome.controls("off"):
        off = state.integer("off", 0, last, ablation.ranking[0], "Switch off channel")
    chrome.pick(
        "channels_off",
        f"All channels on: {probability(ablation.whole[ablation.predicted])}. The lines are where bars end "
        "if nothing changes. A click chooses a channel."
        + (f" Zero is not silence here: {name} has negative values too." if scale.signed else ""),
        [f"Switch off channel {k}" for k in range(last + 1)],
        off,
        lambda k: state.put("off", k),
        whole=ablation.whole,
        without=ablation.without,
        silent=ablation.silent,
        selected=off,
    )
    chrome.section(f"Without channel {off}")
    left, right = chrome.columns(1, 1)
    for column, words, chances in (
        (left, "All channels on", ablation.whole),
        (right, f"Channel {off} switched off", ablation.without[off]),
    ):
        with column:
            chrome.show("probabilities", words, share=0.5, values=chances, label=here.label)
    reader = next_reader(here.network, name)
    if reader is not None and len(reader.output_shape) == 3:
        chrome.show(
            "before_and_after",
            f"What {reader.name}, the next layer with weights, makes of it.",
            before=here.run[reader.name],
            after=cached.kept(without_channel, here.run, name, off)[reader.name],
            titles=("all on", f"{off} off"),
        )
    return f"""
    from cnnviz.channels.ablation import ablate

    ablation = ablate(run, {quoted(name)})
    print(ablation.predicted, ablation.whole, ablation.without[{off}])"""


def _flips(flipped: tuple[int, ...]) -> str:
    if not flipped:
        return "None of them alone changes what is predicted."
    which = "channel" if len(flipped) == 1 else "any one of channels"
    return f"Without {which} {', '.join(map(str, flipped))} another digit is predicted."


def show_network() -> str:
    """All maps of all layers."""
    chrome.section("Every map of every layer")
    shared = state.toggle("shared", False, "One scale for the whole network")
    chrome.show(
        "network_maps",
        "One row a layer, from the digit to the probabilities; what each cell sees grows on the way down. "
        + ("All layers share one scale." if shared else "Each layer has a scale of its own."),
        layers=cached.kept(figures.layers_of, here.run),
        shared=shared,
    )
    return f"""
    for layer, values in run.items():
        print(layer, values.min(), values.max())
    figures.network_maps(figures.layers_of(run), shared={shared})"""


here = header.current()
chrome.definition(
    "A feature map is one channel of a layer's output: the response of one kernel at every position of "
    "the layer's input. A layer with sixteen kernels has sixteen feature maps. A number is large where the "
    "input is like the kernel, and where the input is bright; and every number has the kernel’s bias in it.",
    heard="A feature map is a picture of a feature, such as an edge or a loop.",
    instead="It is a table of responses, one number a position, and its cells see less or more of the "
    "image depending on the layer's depth. What a map responds to was learned; it need not have a name.",
)
maps = [layer.name for layer in here.network.layers if len(layer.output_shape) == 3 and layer.inputs]
fields = cached.kept(receptive_field, here.network)
with chrome.controls("layer"):
    name = state.option("layer", maps, maps[0], st.selectbox, "Layer")
    values = here.run[name][0]
    scale = figures.Scale.of(values)
    last, first = values.shape[2] - 1, figures.strongest_channel(values)
    channel = state.integer("channel", 0, last, first, "Channel")
peak = figures.strongest(values[:, :, channel])
chrome.pick(
    "feature_maps",
    f"All channels of {name} on one scale, so that they compare. The cell outlined is the strongest of "
    f"channel {channel}. A click chooses a channel.",
    [f"Channel {k}" for k in range(last + 1)],
    channel,
    lambda k: state.put("channel", k),
    maps=values,
    scale=scale,
    selected=channel,
    cell=peak,
)
view = state.option("view", VIEWS, "channel", st.segmented_control, "Look at")
more = {
    "channel": show_channel,
    "sums": show_sums,
    "two": show_two,
    "off": show_off,
    "network": show_network,
}[view]()
asked = []
if has_partial_sums(here.network[name]):
    contested = partial_sums(here.run, name, channel).contested
    asked.append(questions.value_from_partial_sums(here.run, name, channel, *contested))
if next_reader(here.network, name) is not None:
    asked.append(questions.maps_that_change(here.run, name, channel))
question_widget.ask(*asked)
snippets.show(
    f"""
    import cnnviz
    from cnnviz import figures
    from cnnviz.concepts.blank_sheet import blank_run

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    run = net.run(image)
    maps = run[{quoted(name)}][0]
    figures.feature_maps(maps, selected={channel}).save("maps.png")
    row, col = figures.strongest(maps[:, :, {channel}])
    print(row, col, maps[row, col, {channel}], blank_run(net)[{quoted(name)}][0, row, col, {channel}])
    {more}
    """
)
