"""Feature maps: on the stage, then map by map; what strength, order and a slice alone do not mean."""

import hashlib
from functools import partial
from typing import Any

import cached
import cells_editor
import chrome
import lesson
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import Digit, choose_test_digit, test_digits
from plain import plain
from surroundings import surroundings

from cnnviz import channels, figures, receptive_field
from cnnviz.channels.ablation import ablate, next_reader, rank_agreement, without_channel
from cnnviz.concepts.blank_sheet import blank_run
from cnnviz.concepts.channel_order import can_be_reordered, reordered
from cnnviz.concepts.exciting import read_exciting
from cnnviz.concepts.partial_sums import PartialSums, has_partial_sums, partial_sums, slice_places
from cnnviz.images.array_text import array_to_text
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, number, percent, probability, with_article
from cnnviz.stage.stage_state import entry_of, entry_text
from cnnviz.teaching.questions import feature_maps as questions

LOOKS = {
    "channel": "One map",
    "sums": "Partial sums",
    "slice": "One slice",
    "two": "Another digit",
    "worth": "Without a map",
}


def show_maps() -> None:
    """All maps of a layer to choose from, and what is to be seen of them, one thing at a time."""
    with chrome.controls("layer"):
        name = state.option("layer", maps, maps[0], st.selectbox, "Layer")
        values = here.run[name][0]
        last, strongest = values.shape[2] - 1, figures.strongest_channel(values)
        channel = state.integer("channel", 0, last, strongest, "Map")
        looks = {key: words for key, words in LOOKS.items() if key != "two" or here.shows_a_digit}
        look = state.option("look", looks, "channel", st.segmented_control, "Look at")
    peak, scale = figures.strongest(values[:, :, channel]), figures.Scale.of(values)
    shown.update(name=name, channel=channel)
    if look != "worth":
        chrome.pick(
            "feature_maps",
            f"All maps of {name} on one scale, so that they compare. The cell outlined is the strongest of "
            f"channel {channel}. A click chooses a map.",
            [f"Channel {k}" for k in range(last + 1)],
            channel,
            lambda k: state.put("channel", k),
            maps=values,
            scale=scale,
            selected=channel,
            cell=peak,
        )
    draw = {
        "channel": show_channel,
        "sums": show_sums,
        "slice": show_slice,
        "two": show_two,
        "worth": show_worth,
    }
    shown["more"] = draw[look](name, values, channel, peak, scale)


def show_channel(name: str, values: Any, channel: int, peak: Any, scale: Any) -> str:
    """One map enlarged, what its strongest cell sees, and the test digits that excite it most."""
    blank = cached.kept(blank_run, here.network)[name][(0, *peak, channel)]
    left, middle, right = chrome.columns(2, 2, 5)
    with left:
        chrome.show(
            "single_map",
            f"Channel {channel}. The strongest cell is at row {peak[0]}, column {peak[1]}, and holds "
            f"{number(values[(*peak, channel)])}. On a blank sheet it would hold {number(blank)}: only what "
            "differs from that comes from the digit.",
            share=0.22,
            limit=200,
            values=values[:, :, channel],
            scale=scale,
            cell=peak,
        )
    with middle:
        chrome.show(
            "image_of",
            "What its strongest cell sees: the pixels inside the outline are all that it depends on.",
            share=0.22,
            limit=200,
            pixels=here.run.input[0, :, :, 0],
            box=fields[name].box(*peak),
        )
    with right:
        show_exciting(name, channel)
    return ""


def show_exciting(name: str, channel: int) -> None:
    """The test digits that excite a map most, as they are recorded."""
    record = cached.kept(read_exciting, here.model)
    if record is None:
        lack = f"There is no record of this file of {here.model}: cnnviz exciting --record makes it."
        st.info(plain(lack))
        return
    top = [one for one in record.of(name, channel) if one.value]
    images, labels = test_digits()
    if not top:
        dead = f"Channel {channel} of {name} is zero for every one of the {record.images:,} test digits."
        st.info(plain(dead))
        return
    chosen = [one.image for one in top]
    chrome.pick(
        "exciting_digits",
        f"What excites it most: of all {record.images:,} test digits those in which the map reaches its "
        "largest values other than 0. The label in bold, the test digit's number, outlined what the "
        "strongest cell sees and that part alone, and the largest value. A click makes one the digit of "
        "all pages.",
        [f"Show test digit {k}, {with_article(labels[k])}" for k in chosen],
        chosen.index(here.digit.index) if not here.digit.own and here.digit.index in chosen else None,
        lambda k: choose_test_digit(chosen[k]),
        share=0.53,
        columns=4 if surroundings()["width"] >= 640 else None,
        images=images[chosen],
        boxes=[fields[name].box(one.row, one.col) for one in top],
        values=[one.value for one in top],
        titles=[f"{k:,}" for k in chosen],
        labels=[str(label) for label in labels[chosen]],
    )


def adds_up(name: str) -> bool:
    """Whether a layer adds up channels; where it does not, that is said, and one offered that does."""
    if has_partial_sums(here.network[name]):
        return True
    what = with_article(here.network[name].kind)
    st.info(plain(f"{name} is {what}: it does not add up channels. Convolutions do."))
    summing = [layer for layer in maps if has_partial_sums(here.network[layer])]
    before = [layer for layer in summing if maps.index(layer) < maps.index(name)]
    nearest = before[-1] if before else summing[0]
    st.button(f"Show {plain(nearest)}", on_click=lambda: state.put("layer", nearest))
    return False


def show_sums(name: str, values: Any, channel: int, peak: Any, scale: Any) -> str:
    """The sums by input channel of which a convolution's output is made."""
    if not adds_up(name):
        return ""
    rows, cols = values.shape[:2]
    place, words = chrome.columns(1, 2)
    with place, chrome.controls("cell"):
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
    with words:
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
    slices = range(count if explains(sums) else 0)
    alone = [percent(max(explained(sums, k) for k in slices), 0)] if slices else []
    chrome.facts(
        (f"sum at row {row}, column {col}", number(sums.total[row, col], 6)),
        ("the network’s pre-activation", number(sums.value[row, col], 6)),
        ("the feature map", number(values[row, col, channel], 6)),
        *(("of the map is explained by its best slice alone", share) for share in alone),
    )
    if alone:
        chrome.note(
            "A slice alone means little: what it says can be cancelled by another, and only the sum becomes "
            "a number. The share is that of the squares about the mean that one slice’s map, times a number "
            "and with a bias, accounts for."
        )
    return f"""
    from cnnviz.concepts.partial_sums import partial_sums

    sums = partial_sums(run, {quoted(name)}, {channel})
    print(sums.parts[{row}, {col}], sums.bias, sums.total[{row}, {col}], sums.value[{row}, {col}])
    print(maps[{row}, {col}, {channel}], sums.residual)
    for k in range(sums.parts.shape[2]):
        print(1 - channels.nearest_mixture(sums.parts[:, :, [k]], sums.total).share_left)"""


def explains(sums: PartialSums) -> bool:
    """Whether it makes sense to ask how much of a map one slice explains."""
    return len(sums.inputs) > 1 and bool(np.ptp(sums.total))


def explained(sums: PartialSums, place: int) -> float:
    """How much of the whole one slice's partial sum, times a number and with a bias, accounts for."""
    return 1 - channels.nearest_mixture(sums.parts[:, :, [place]], sums.total).share_left


def show_slice(name: str, values: Any, channel: int, peak: Any, scale: Any) -> str:
    """One slice of a kernel by itself, to be edited: what it gives alone, and what the others do."""
    if not adds_up(name):
        return ""
    sums = partial_sums(here.run, name, channel)
    if max(sums.kernel.shape[:2]) > cells_editor.LARGEST:
        st.info(plain(f"The kernels of {name} are too large to be edited here."))
        return ""
    left, right = chrome.columns(2, 3)
    with left:
        first, last = sums.inputs[0], sums.inputs[-1]
        heaviest = first + int(sums.shares.argmax())
        reads = state.integer("slice", first, last, heaviest, f"Slice of kernel {channel}")
        place = reads - first
        weights = sums.kernel[:, :, place]
        # Each slice has edits of its own, whatever else is chosen meanwhile.
        key = f"slice_{hashlib.blake2b(weights.tobytes(), digest_size=4).hexdigest()}"
        cells = cells_editor.edit(key, weights, f"Its weights for channel {reads}", step=0.05)
        zero = array_to_text(np.zeros_like(cells))
        st.button("Set it to zero", on_click=state.put, args=(key, zero), disabled=not cells.any())
    kept = np.array_equal(cells, weights)
    run = here.run if kept else cached.run(with_slice(name, channel, place, cells), here.digit)
    now = partial_sums(run, name, channel)
    said, then = here.predicted, int(run.output[0].argmax())
    state_of = "as it is" if kept else "edited" if cells.any() else "at zero"
    with right:
        chrome.facts(
            *(
                [(f"of map {channel} is explained by this slice alone", percent(explained(now, place), 0))]
                if explains(now)
                else []
            ),
            (f"probability of {said}, all as it is", probability(here.run.output[0][said])),
            *([] if kept else [(f"with this slice {state_of}", probability(run.output[0][said]))]),
        )
        alone = now.parts[:, :, place]
        others = len(sums.inputs) - 1
        chrome.show(
            "feature_maps",
            f"On one scale: what slice {reads}, {state_of}, makes of channel {reads} alone; "
            + (
                f"what the other {f'{others} slices' if others > 1 else 'slice'} and the bias make; "
                if others
                else "the bias, as this kernel has no other slice; "
            )
            + f"and their sum, map {channel} before what follows."
            + ("" if then == said else f" It then says {then}, and not {said}."),
            share=0.6,
            limit=480,
            maps=np.stack([alone, now.total - alone, now.total], axis=2),
            labels=(f"slice {reads} alone", "all else", "the sum"),
        )
    return f"""
    from cnnviz.concepts.partial_sums import partial_sums, slice_places

    kernel = net[{quoted(name)}].weights["kernel"].copy()
    kernel.ravel()[slice_places(net[{quoted(name)}], {channel})[:, :, {place}]] = {cells.tolist()}
    other = net.with_weights({{{quoted(name + "/kernel")}: kernel}}).run(image)
    sums = partial_sums(other, {quoted(name)}, {channel})
    print(1 - channels.nearest_mixture(sums.parts[:, :, [{place}]], sums.total).share_left)
    print(run.output[0, {said}], other.output[0, {said}], other.output.argmax())"""


def with_slice(name: str, channel: int, place: int, cells: np.ndarray) -> cached.Changed:
    """The network that is shown, with other weights in one slice of a kernel."""
    at = slice_places(here.network[name], channel)[:, :, place].ravel()
    change = {
        "kind": "weights",
        "array": f"{name}/kernel",
        "at": at.tolist(),
        "values": cells.ravel().tolist(),
    }
    changes = [*entry_of("changes", here.changes), change]
    return cached.Changed(here.model, entry_text("changes", changes))


def show_two(name: str, values: Any, channel: int, peak: Any, scale: Any) -> str:
    """The same layer for two digits, on one scale."""
    with chrome.controls("other"):
        start = 0 if here.digit.index == 1 else 1
        count = len(test_digits()[0])
        other = Digit(state.integer("other", 0, count - 1, start, "Second test digit"))
    run = cached.run(here.which, other)
    titles = [
        digit.name + ("" if digit.label is None else f"\n{with_article(digit.label)}")
        for digit in (here.digit, other)
    ]
    left, right = chrome.columns(1, 1)
    for column, digit, title in zip((left, right), (here.digit, other), titles, strict=True):
        with column:
            chrome.show("image_of", title.replace("\n", ", "), share=0.5, limit=140, pixels=digit.image)
    chrome.show(
        "before_and_after",
        f"The same kernels, another digit: all maps of {name} for both, on one scale.",
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


def show_worth(name: str, values: Any, channel: int, peak: Any, scale: Any) -> str:
    """How strong each map is, and what the prediction becomes without it."""
    last = values.shape[2] - 1
    ablation = cached.kept(ablate, here.run, name)
    strengths = np.abs(values).mean(axis=(0, 1))
    by_strength = np.argsort(-strengths, kind="stable").tolist()
    if last:
        strong, weighty = by_strength[0], ablation.ranking[0]
        chrome.facts(
            (
                f"place by effect, of {last + 1}: map {strong}, the strongest",
                str(ablation.ranking.index(strong) + 1),
            ),
            (
                f"place by strength, of {last + 1}: map {weighty}, with the largest effect",
                str(by_strength.index(weighty) + 1),
            ),
            (
                "agreement of both rankings: 1 the same, 0 none, −1 reversed",
                number(rank_agreement(strengths, -ablation.remaining), 2),
            ),
        )
    with chrome.controls("off"):
        off = state.integer("off", 0, last, ablation.ranking[0], "Switch off map")
    chrome.pick(
        "channels_off",
        f"The probability of {ablation.predicted} with one map of {name} set to zero and everything else as "
        f"it is; with all maps on {probability(ablation.whole[ablation.predicted])}, where the lines are. "
        f"{_flips(ablation.flipped)} Strong is a map whose numbers are large on average, in magnitude. A "
        "click chooses a map."
        + (f" Zero is not silence here: {name} has negative values too." if scale.signed else ""),
        [f"Switch off channel {k}" for k in range(last + 1)],
        off,
        lambda k: state.put("off", k),
        whole=ablation.whole,
        without=ablation.without,
        silent=ablation.silent,
        selected=off,
    )
    left, right = chrome.columns(1, 1)
    for column, words, chances in (
        (left, "All maps on", ablation.whole),
        (right, f"Map {off} switched off", ablation.without[off]),
    ):
        with column:
            chrome.show("probabilities", words, share=0.5, limit=300, values=chances, label=here.label)
    reader = next_reader(here.network, name)
    if (
        reader is not None
        and len(reader.output_shape) == 3
        and state.toggle("reader", False, f"Show what {reader.name}, the next layer, makes of it")
    ):
        chrome.show(
            "before_and_after",
            f"{reader.name} with all maps of {name}, and without map {off}.",
            before=here.run[reader.name],
            after=cached.kept(without_channel, here.run, name, off)[reader.name],
            titles=("all on", f"{off} off"),
        )
    return f"""
    ablation = ablate(run, {quoted(name)})
    strengths = abs(maps).mean(axis=(0, 1))
    by_strength = np.argsort(-strengths, kind="stable").tolist()
    strong, weighty = by_strength[0], ablation.ranking[0]
    print(ablation.ranking.index(strong) + 1, by_strength.index(weighty) + 1)
    print(rank_agreement(strengths, -ablation.remaining))
    print(ablation.predicted, ablation.whole, ablation.without[{off}])"""


def _flips(flipped: tuple[int, ...]) -> str:
    if not flipped:
        return "None of them alone changes what is predicted."
    which = "map" if len(flipped) == 1 else "any one of maps"
    return f"Without {which} {', '.join(map(str, flipped))} another digit is predicted."


def show_order() -> None:
    """The channels of a layer in another order, and the next layer's slices with them: the same answer."""
    chosen, measured = chrome.columns(1, 1)
    with chosen, chrome.controls("order"):
        name = state.option("of", movable, movable[0], st.selectbox, "Layer to shuffle")
        shuffle = state.place("shuffle", 1_000, 1)
        st.button("Shuffle", on_click=state.put, args=("shuffle", (shuffle + 1) % 1_000))
        st.button("As it was", on_click=state.put, args=("shuffle", 0), disabled=not shuffle)
    count = here.network[name].output_shape[-1]
    order = np.random.default_rng(shuffle).permutation(count) if shuffle else np.arange(count)
    other = cached.kept(reordered, here.network, name, tuple(order.tolist())).run(here.digit.image)
    said, now = (int(run.output[0].argmax()) for run in (here.run, other))
    with measured:
        chrome.facts(
            (f"says {said}, as it was", probability(here.run.output[0][said])),
            (f"says {now}, {'shuffled' if shuffle else 'not shuffled'}", probability(other.output[0][now])),
            (
                f"largest difference of {counted(other.output.shape[1], 'probability', 'probabilities')}",
                number(float(np.abs(here.run.output - other.output).max()), 2),
            ),
        )
    chrome.show(
        "feature_maps",
        f"The maps of {name} with their old numbers. "
        + (
            "The kernels changed places, and so did the weights that read their maps: every later number is "
            "the same sum in another order, up to rounding. So a map’s number is a name, not a rank."
            if shuffle
            else "Nothing is shuffled now."
        ),
        maps=other[name],
        columns=16 if surroundings()["width"] >= 640 else 8,
        labels=[str(k) for k in order],
    )
    shown["order"] = f"""
    order = np.random.default_rng({shuffle}).permutation({count}) if {shuffle} else np.arange({count})
    other = reordered(net, {quoted(name)}, order).run(image)
    print(run.output.max(), other.output.max(), abs(run.output - other.output).max())"""


here = lesson.begin("feature_maps")
maps = [layer.name for layer in here.network.layers if len(layer.output_shape) == 3 and layer.inputs]
movable = can_be_reordered(here.network)
fields = cached.kept(receptive_field, here.network)
shown: dict[str, Any] = {}
first = maps[0]
strongest = figures.strongest_channel(here.run[first][0])
asked: list[Any] = []
if has_partial_sums(here.network[first]):
    contested = partial_sums(here.run, first, strongest).contested
    asked.append(partial(questions.value_from_partial_sums, here.run, first, strongest, *contested))
if next_reader(here.network, first) is not None:
    asked.append(partial(questions.maps_that_change, here.run, first, strongest))
question_widget.ask(*asked)
lesson.closer(
    "maps",
    "All maps of a layer: one of them, what it is made of, and what it is worth",
    show_maps,
    asks=("layer", "channel", "look", "row", "column", "slice", "other", "off", "reader"),
)
if movable:
    lesson.closer("order", "Their order means nothing: shuffle them", show_order, asks=("of", "shuffle"))
name, channel = shown.get("name", first), shown.get("channel", strongest)
more = "".join(shown.get(part, "") for part in ("more", "order"))
snippets.show(
    f"""
    import numpy as np
    import cnnviz
    from cnnviz import channels, figures
    from cnnviz.channels.ablation import ablate, rank_agreement
    from cnnviz.concepts.blank_sheet import blank_run
    from cnnviz.concepts.channel_order import reordered

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
chrome.half_truth(
    "A feature map is a picture of a feature, such as an edge or a loop.",
    "It is a table of responses, one number a position, and its cells see less or more of the image "
    "depending on the layer’s depth. Every number has the kernel’s bias in it. What a map responds to was "
    "learned; it need not have a name.",
)
