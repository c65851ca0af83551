"""NumPy against TensorFlow, layer by layer: `verify` compares a network with the file it came from.

Keras loads that file itself and evaluates it; nothing is rebuilt from what cnnviz parsed. Training
behaviour is not compared. The bounds are in `layers.rounding`.

Every layer is compared twice. End to end, both engines start from the pixels, and each one's error against a
float64 evaluation is reported beside the difference; rounding of earlier layers grows on the way by an amount
that depends on the weights, so no useful bound holds there. Alone, our layer gets what Keras's layer got, and
the difference must stay within the derived bound of `allowance`. If every layer agrees alone, on inputs that
come through the network's own wiring, the networks are the same.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from cnnviz.images.mnist import load_mnist
from cnnviz.layers.layer import Layer
from cnnviz.layers.rounding import allowance
from cnnviz.network import LayerGraph, Network
from cnnviz.network.class_scores import as_scores, classes_of, outputs_of
from cnnviz.network.inputs import images_of
from cnnviz.network.keras_file import load_model
from cnnviz.network.unfolding import call_labels
from cnnviz.numbers import counted
from cnnviz.resources import (
    asset,
    checksum,
    keras,
    one_line,
    tensorflow,
    text_writer,
    versions,
    write_atomically,
)
from cnnviz.verification.keras2_graph import Keras2Graph, load_with_keras2

RECORD = "verification.json"
BATCH_BYTES = 24 * 2**20
"""A batch is as many images as keep all activations of one evaluation below this."""


@dataclass(frozen=True)
class LayerCheck:
    """One layer's comparison; each number is the largest over all images and units.

    `difference` is |NumPy - TensorFlow| end to end, `numpy_error` and `tensorflow_error` the distance
    of each from float64. `alone` is the difference when both layers get the same input, `share` the
    largest ratio of that to its bound: above 1 the layer fails. Infinite where one is NaN.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    difference: float
    numpy_error: float
    tensorflow_error: float
    alone: float
    share: float

    @property
    def passed(self) -> bool:
        return self.share <= 1 and math.isfinite(self.difference)


@dataclass(frozen=True)
class Verification:
    """What `verify` found. True in a condition if it passed; printing it shows the table.

    `identical` counts the images on which `Network.predict` and Keras choose the same class, None where no
    output chooses among classes; `predict_difference` is how far their outputs are apart.
    """

    model: str
    sha256: str
    images: int
    identical: int | None
    predict_difference: float
    layers: tuple[LayerCheck, ...]
    versions: dict[str, str]
    date: str
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Every layer within its bound, every class the same.

        Where there are `notes`, Keras computes in half precision: likely classes can change places.
        """
        return (
            (self.identical in (None, self.images) or bool(self.notes))
            and math.isfinite(self.predict_difference)
            and all(layer.passed for layer in self.layers)
        )

    def __bool__(self) -> bool:
        return self.passed

    def to_json(self) -> str:
        """The result as JSON; an infinite number is null."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, as in the JSON."""
        return _without_infinities({**asdict(self), "passed": self.passed})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verification:
        """The inverse of `to_dict`."""
        fields = _with_infinities(data)
        del fields["passed"]
        rows = (_with_infinities(row) for row in data["layers"])
        layers = tuple(LayerCheck(**{**row, "shape": tuple(row["shape"])}) for row in rows)
        known = {"identical": data["identical"], "layers": layers, "notes": tuple(data.get("notes", ()))}
        return cls(**{**fields, **known})

    def __str__(self) -> str:
        heads = ("layer", "output", "NumPy - TensorFlow", "NumPy - float64", "TensorFlow - float64", "alone")
        rows = [
            (
                one_line(row.name),
                " x ".join("?" if size is None else str(size) for size in row.shape),
                f"{row.difference:.1e}",
                f"{row.numpy_error:.1e}",
                f"{row.tensorflow_error:.1e}",
                f"{row.alone:.1e} ({row.share:.0%} of its bound)" + ("" if row.passed else "  FAILED"),
            )
            for row in self.layers
        ]
        widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [heads, *rows]
        ]
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        images = counted(self.images, "image")
        same = "" if self.identical is None else f"; the same class on {self.identical:,} of {images}"
        return "\n".join(
            [
                f"{one_line(self.model)}: {images}, {versions}",
                *lines,
                f"largest difference of an output {self.predict_difference:.1e}{same}",
                *self.notes,
                "PASSED" if self.passed else "FAILED",
            ]
        )


def verify(
    net: Network | str | os.PathLike[str],
    x: Any = None,
    *,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Compare every layer of a network, as the NumPy engine computes it, with TensorFlow.

    Keras loads the network's original file itself (with its safe mode on), so a mistake in reading
    the file shows as well as one in computing.

    Parameters
    ----------
    net
        A network that was loaded from a file, a bundled name, or the path of a .keras file.
    x
        Images as for `Network.predict`, for several inputs a list or a mapping; None is the 10,000 MNIST
        test images.
    batch_size
        Images at a time; None keeps the memory for activations below about 100 MB.
    progress
        Called as progress(images done, images) after each batch.

    Returns
    -------
    Verification
        `.passed`, `.layers`, `.to_json()`; print it for the table.

    Raises
    ------
    ModuleNotFoundError
        where TensorFlow is not installed.
    ValueError
        for a network that did not come from a file, or if there are no images.

    Examples
    --------
    >>> import numpy as np
    >>> result = verify("mnist_maxpool", np.zeros((1, 28, 28), np.uint8))
    >>> result.passed, result.identical
    (True, 1)
    """
    net = net if isinstance(net, Network) else load_model(net)
    if net.source is None:
        raise ValueError(f"{net.name} was not read from a file, so there is nothing to compare it with")
    images = images_of(net, load_mnist()[1][0] if x is None else x)
    count = len(images[net.inputs[0]])
    if count == 0:
        raise ValueError("x holds no images")
    file = KerasFile(net.source)
    precise = net.astype(np.float64)
    size = batch_size or _batch(net)
    tallies = {layer.name: _Tally() for layer in net}
    identical, furthest, choosing = 0, 0.0, classes_of(net)
    for first in range(0, count, size):
        batch = {name: array[first : first + size] for name, array in images.items()}
        run = net.run(batch)
        inputs = {name: run[name] for name in net.inputs}
        theirs = file(inputs)
        exact = precise.run(inputs)
        for layer in net:
            tallies[layer.name].add(layer, run[layer.name], theirs, exact[layer.name], net.dtype)
        same = np.ones(min(size, count - first), bool)
        for name, ours in outputs_of(net, net.predict(batch)).items():
            output = theirs[net[name].name]
            if name in choosing:
                classes = [as_scores(net, name, values).argmax(axis=1) for values in (ours, output)]
                same &= classes[0] == classes[1]
            furthest = max(furthest, _distance(ours, output))
        identical += int(same.sum())
        if progress is not None:
            progress(first + len(same), count)
    return Verification(
        model=net.name,
        sha256=checksum(net.source),
        images=count,
        identical=identical if choosing else None,
        predict_difference=furthest,
        layers=tuple(tallies[layer.name].result(layer) for layer in net),
        versions={**versions(), "python": platform.python_version()},
        date=datetime.now(UTC).date().isoformat(),
        notes=net.notes,
    )


class _Tally:
    """One layer's largest numbers so far."""

    def __init__(self) -> None:
        self.numbers = dict.fromkeys(("difference", "numpy_error", "tensorflow_error", "alone", "share"), 0.0)

    def add(
        self,
        layer: Layer,
        ours: np.ndarray,
        theirs: Mapping[str, np.ndarray],
        exact: np.ndarray,
        dtype: np.dtype,
    ) -> None:
        output = theirs[layer.name]
        if output.shape != ours.shape:
            raise ValueError(f"{layer.name}: Keras's output has shape {output.shape}, ours {ours.shape}")
        numbers = {
            "difference": _distance(ours, output),
            "numpy_error": _distance(ours, exact),
            "tensorflow_error": _distance(output, exact),
        }
        if layer.inputs:
            numbers["alone"], numbers["share"] = alone(layer, theirs, dtype)
        for name, value in numbers.items():
            self.numbers[name] = max(self.numbers[name], value)

    def result(self, layer: Layer) -> LayerCheck:
        return LayerCheck(layer.name, layer.kind, layer.output_shape, **self.numbers)


def alone(layer: Layer, theirs: Mapping[str, np.ndarray], dtype: np.dtype) -> tuple[float, float]:
    """How far a layer is from Keras's on what Keras's layer read, and the largest share of its bound."""
    output = theirs[layer.name]
    inputs = layer.cast([theirs[name] for name in layer.inputs], dtype)
    ours = layer.after_activation(layer.before_activation(*inputs))
    bound = allowance(layer, *inputs, precision=layer.precision)
    return _distance(ours, output), _share(ours, output, bound)


def _gaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a - b|; 0 where both are the same infinity or both NaN, inf where just one is NaN."""
    with np.errstate(invalid="ignore"):
        gaps = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0, np.where(np.isnan(gaps), np.inf, gaps))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(_gaps(a, b).max(initial=0))


def _share(a: np.ndarray, b: np.ndarray, bound: np.ndarray) -> float:
    """The largest ratio of |a - b| to the bound: 0/0 is 0, and anything else over 0 infinite."""
    gaps = _gaps(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(gaps == 0, 0, gaps / bound)
    return float(np.where(np.isnan(ratios), np.inf, ratios).max(initial=0))


# Keras's side -----------------------------------------------------------------------------------


class KerasFile:
    """A model's file as Keras loads it; called on a batch, it gives every layer's output by our names.

    What Keras 3 cannot load Keras 2 may, if it is installed.
    """

    def __init__(self, path: Path) -> None:
        tensorflow()
        self.graph: _KerasGraph | Keras2Graph
        try:
            model = keras().models.load_model(path, compile=False)
            self.graph = _KerasGraph(model, "")
        except Exception as error:
            reason = shorten(str(error).strip().split("\n")[0], 300)
            try:
                model = load_with_keras2(path)
                self.graph = Keras2Graph(model)
            except ModuleNotFoundError:
                raise ValueError(
                    f"Keras 3 cannot load {path}: {reason}; if Keras 2 wrote it, pip install tf-keras"
                ) from error
            except Exception:
                raise ValueError(f"Keras cannot load {path}: {reason}") from error
        self.layers = {layer.name: layer for layer in model.layers}

    def __call__(self, x: np.ndarray | Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every layer's output for a batch, of several inputs a mapping by their names."""
        inputs = [x[name] for name in self.graph.input_names] if isinstance(x, Mapping) else [x]
        return {name: as_float32(value) for name, value in self.graph(inputs)}


class _KerasGraph:
    """A functional graph with all its calls as outputs, and those of the models within it.

    Keras joins the calls of a nested model to the outer graph as one node, so its inner layers are evaluated
    in their own graph, on what the outer graph feeds it.
    """

    def __init__(self, model: Any, prefix: str) -> None:
        # A Sequential model keeps its graph inside.
        graph = getattr(model, "_functional", None) or model
        self.input_names = [prefix + tensor._keras_history.operation.name for tensor in graph.inputs]
        self.names: list[str] = []
        self.nested: list[tuple[int, int, _KerasGraph]] = []
        wanted: list[Any] = []
        in_graph = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
        called = [
            (operation, node)
            for operation in graph.operations
            for node in operation._inbound_nodes
            if id(node) in in_graph
        ]
        labels = call_labels(operation.name for operation, _ in called).values()
        for (operation, node), name in zip(called, labels, strict=True):
            label = prefix + name
            if hasattr(operation, "operations") or hasattr(operation, "_functional"):
                feeds = list(node.input_tensors)
                self.nested.append((len(wanted), len(feeds), _KerasGraph(operation, f"{label}/")))
                self.names += [""] * len(feeds)
                wanted += feeds
            elif not node.is_input:
                several = len(node.outputs) > 1
                self.names += [f"{label}[{i}]" if several else label for i in range(len(node.outputs))]
                wanted += node.outputs
        # Under keys, since Keras unpacks a list of one.
        self.model = keras().Model(graph.inputs, {str(i): tensor for i, tensor in enumerate(wanted)})

    def __call__(self, inputs: list[Any]) -> Iterator[tuple[str, np.ndarray]]:
        yield from ((name, np.asarray(x)) for name, x in zip(self.input_names, inputs, strict=True))
        outputs = self.model(inputs, training=False)
        values = [outputs[str(i)] for i in range(len(outputs))]
        for name, value in zip(self.names, values, strict=True):
            if name:
                yield name, value
        for first, count, graph in self.nested:
            yield from graph(values[first : first + count])


def as_float32(value: Any) -> np.ndarray:
    """A tensor's numbers; those of half precision as float32, and what is true as 1, as in our engine."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == bool or array.dtype.itemsize == 2 else array


# The record -------------------------------------------------------------------------------------


def read_record(path: str | os.PathLike[str] | None = None) -> dict[str, Verification]:
    """The recorded verification of the bundled models, by name: for where TensorFlow is not installed.

    >>> sorted(read_record())
    ['mnist_14k', 'mnist_maxpool']
    """
    text = Path(asset(RECORD) if path is None else path).read_text()
    return {name: Verification.from_dict(data) for name, data in json.loads(text).items()}


def recorded(net: LayerGraph) -> Verification | None:
    """The recorded verification of a network; None if there is none for this file."""
    if net.source is None or not asset(RECORD).is_file():
        return None
    verification = read_record().get(net.source.stem)
    return verification if verification is not None and verification.sha256 == checksum(net.source) else None


def write_record(results: Iterable[Verification], path: str | os.PathLike[str] | None = None) -> None:
    """Replace the record by these results, in one step."""
    text = json.dumps({result.model: result.to_dict() for result in results}, indent=1, allow_nan=False)
    target = Path(asset(RECORD) if path is None else path)
    write_atomically(target, text_writer(text + "\n"))


def _batch(net: Network) -> int:
    units = sum(math.prod(size or 1 for size in layer.output_shape) for layer in net)
    return max(1, min(500, BATCH_BYTES // (4 * units)))


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_infinities(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: math.inf if value is None else value for key, value in fields.items()}
