"""What layers on sequences (N, L, C) have in common: a sequence is a map (N, L, 1, C) of one column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from cnnviz.layers.browser import BrowserStage, Drawn
from cnnviz.layers.layer import Arrays, Entry, Layer
from cnnviz.layers.links import Links, Regroup, after
from cnnviz.layers.operands import Operands, Position
from cnnviz.layers.work import Effort, Sizes


class SequenceEntry(Entry):
    """A class that does on sequences what another one does on maps. The entry of that one says the rest."""

    maps: str
    """The Keras class that does the same on maps."""
    lengths: ClassVar[tuple[str, ...]] = ()
    """The options that are one length here, and (height, width) there."""
    rank = 3

    def as_map(self, layer: Layer) -> Layer:
        """The layer on maps that does the same; its kernel has one column."""
        config = {**layer.config, **{name: (layer.config[name], 1) for name in self.lengths}}
        weights = {name: w[:, np.newaxis] if w.ndim == 3 else w for name, w in layer.weights.items()}
        return Layer(layer.name, self.maps, config, weights, layer.inputs, layer.trainable, layer.owner)

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        return _sequence(self.as_map(layer).before_activation(*map(_column, inputs)))

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        like = self.as_map(layer)
        return tuple(map(_sequence, like.entry.input_gradients(like, *_columns(inputs, grad))))

    def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        like = self.as_map(layer)
        gradient = like.entry.weight_gradient(like, weight, *_columns(inputs, grad))
        return gradient.reshape(layer.weights[weight].shape)

    def links(self, layer: Layer, shapes: Sequence[tuple[int, ...]]) -> list[Links]:
        like, ((length, channels),) = self.as_map(layer), shapes
        column = (length, 1, channels)
        (links,) = like.entry.links(like, [column])
        out = after(links, column)
        return [(Regroup(shapes[0], column), *links, Regroup(out, (*out[:-2], out[-1])))]

    def operands(self, layer: Layer, inputs: Arrays, position: Position) -> Operands:
        like = self.as_map(layer)
        place = (*position[:-1], 0, position[-1])
        operands = like.entry.operands(like, [x[:, np.newaxis] for x in inputs], place)
        index = None if operands.weight_index is None else np.delete(operands.weight_index, 1, axis=-1)
        return replace(operands, position=np.delete(operands.position, 1, axis=-1), weight_index=index)

    def returns(self, layer: Layer, inputs: Arrays, place: int, cell: Position, grad: np.ndarray) -> Operands:
        like = self.as_map(layer)
        column = (*cell[:-1], 0, cell[-1])
        found = like.entry.returns(like, [x[:, np.newaxis] for x in inputs], place, column, _column_of(grad))
        if found.position.shape[-1] != 3:
            # A vector of a global pooling.
            return found
        index = None if found.weight_index is None else np.delete(found.weight_index, 1, axis=-1)
        return replace(found, position=np.delete(found.position, 1, axis=-1), weight_index=index)

    def uses(self, layer: Layer, weight: str, index: Position, inputs: Arrays, grad: np.ndarray) -> Operands:
        like = self.as_map(layer)
        spread = (index[0], 0, *index[1:]) if len(index) == 3 else index
        found = like.entry.uses(like, weight, spread, *_columns(inputs, grad))
        assert found.weight_index is not None
        read, reached = (np.delete(cells, 1, axis=-1) for cells in (found.position, found.weight_index))
        return replace(found, position=read, weight_index=reached)

    def browser(self, layer: Layer, drawn: Drawn) -> list[BrowserStage]:
        like = self.as_map(layer)
        on_maps = replace(drawn, inputs=tuple((length, 1, channels) for length, channels in drawn.inputs))
        return [self._of_sequences(stage) for stage in like.entry.browser(like, on_maps)]

    def _of_sequences(self, stage: BrowserStage) -> BrowserStage:
        """The step of a layer on maps, which gives its value from sequences."""
        if (value := stage.value) is None:
            return stage
        return replace(stage, value=lambda layer, x: _sequence(value(self.as_map(layer), _column(x))))

    def effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        like, feeds, result = self._shaped_map(layer, shapes, out)
        return like.entry.effort(like, feeds, result)

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        like, feeds, result = self._shaped_map(layer, shapes, out)
        return like.entry.gradient_effort(like, feeds, result)

    def _shaped_map(
        self, layer: Layer, shapes: Sequence[Sizes], out: Sizes
    ) -> tuple[Layer, tuple[Sizes, ...], Sizes]:
        """The layer on maps, with its shapes."""
        feeds = tuple((length, 1, *rest) for length, *rest in shapes)
        result = (out[0], 1, *out[1:]) if len(out) == 2 else out
        return replace(self.as_map(layer), input_shapes=feeds, output_shape=result), feeds, result

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        like = self.as_map(layer)
        return like.entry.roundings(like, [_column(x) for x in inputs])

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        like = self.as_map(layer)
        return like.entry.gradient_roundings(like, of, *_columns(inputs, grad))

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        like = self.as_map(layer)
        magnitudes = like.entry.gradient_magnitude(like, of, *_columns(inputs, grad))
        of_what = [layer.weights[of]] if of else inputs
        return tuple(array.reshape(own.shape) for array, own in zip(magnitudes, of_what, strict=True))


class MovingSequenceEntry(SequenceEntry):
    """One that only moves numbers."""

    moves_values_only = True


def _column_of(grad: np.ndarray) -> np.ndarray:
    """What came back to a sequence of one image, as to a map of one column; to a vector as it is."""
    return grad[:, np.newaxis] if grad.ndim == 2 else grad


def _columns(inputs: Arrays, grad: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences, and the gradient of what became of them, as maps of one column."""
    return [_column(x) for x in inputs], _column(grad)


def _column(x: np.ndarray) -> np.ndarray:
    """A sequence as a map of one column; vectors, which global pooling gives, stay as they are."""
    return x[:, :, np.newaxis] if x.ndim == 3 else x


def _sequence(y: np.ndarray) -> np.ndarray:
    return y[:, :, 0] if y.ndim == 4 else y
