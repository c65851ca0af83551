"""The steps of attention with several heads on sequences, forward and back, once for arrays and estimates.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2; groups of heads as Ainslie et al.,
"GQA", EMNLP 2023. With an `Estimate` in place of each array they give the rounding bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cnnviz.layers.estimated import Numbers, dropped, masked, rounded, sigmoid, softmax, softmax_back, turned

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Heads:
    """What a layer's options come to, whatever its class calls them."""

    queries: int
    """Heads of the query, and of the result."""
    keys: int
    """Heads of key and value, each for as many heads of the query."""
    key_dim: int
    value_dim: int
    output: Shape
    """The axes of the result behind those of the positions."""

    @property
    def shared(self) -> int:
        """How many heads of the query share one of the keys."""
        return self.queries // self.keys


class AttentionSteps:
    """One forward pass on sequences (N, positions, channels), and the way back."""

    def __init__(
        self,
        sequences: list[Numbers],
        w: Mapping[str, Numbers],
        heads: Heads,
        allowed: np.ndarray,
        scale: float,
        empty_rows: bool,
        kept: np.ndarray | None,
    ) -> None:
        self.sequences, self.w, self.heads, self.allowed, self.scale = sequences, w, heads, allowed, scale
        self.kept = kept
        query, value, key = sequences
        self.query = self._projected(query, "query", heads.queries)
        self.own_key = self._projected(key, "key", heads.keys)
        self.own_value = self._projected(value, "value", heads.keys)
        self.key, self.value = (each.repeat(heads.shared, 1) for each in (self.own_key, self.own_value))
        self.scores = (self.query @ self.key.transpose(0, 1, 3, 2)) * rounded(scale, query)
        self.shares = softmax(self.scores, allowed)
        if empty_rows:
            self.shares = self.shares * allowed
        self.used = dropped(self.shares, kept)
        self.attended = self._joined(self.used @ self.value)
        self.opening = self.gate = None
        joined = self.attended
        if "gate_kernel" in w:
            self.opening = self._projected(query, "gate", heads.queries)
            self.gate = sigmoid(self._joined(self.opening))
            joined = joined * self.gate
        self.joined = joined
        out = joined @ self._matrix("output", joined.shape[-1])
        if "output_bias" in w:
            out = out + w["output_bias"].reshape(math.prod(heads.output))
        self.out = out.reshape(query.shape[0], query.shape[1], out.shape[-1])

    def by_name(self) -> dict[str, Numbers]:
        """What each step came to, the positions first and the heads last: (N, positions, ..., heads)."""
        found = {
            "query": self.query,
            "key": self.own_key,
            "value": self.own_value,
            "scores": self.scores,
            "masked": masked(self.scores, self.allowed),
            "shares": softmax(self.scores, self.allowed),
            "kept": self.shares,
            "attended": self._split(self.attended),
        }
        if self.gate is not None:
            gated = {"gate": self.gate, "gated": self.joined}
            found |= {"opening": self.opening, **{name: self._split(each) for name, each in gated.items()}}
        return {name: each.transpose(0, 2, 3, 1) for name, each in found.items()}

    def backward(self, grad: Numbers) -> tuple[list[Numbers], dict[str, Numbers]]:
        """From the gradient of the result to those of query, value and key, and of the weights by name."""
        grad = grad.reshape(grad.shape[0] * grad.shape[1], grad.shape[2])
        weights = {"output_kernel": turned(self.joined) @ grad, "output_bias": grad.sum(0)}
        joined = grad @ turned(self._matrix("output", self.joined.shape[-1]))
        by_gate = None
        if self.gate is not None:
            slope = joined * self.attended * self.gate * (1 - self.gate)
            by_gate = self._unprojected(slope, self.sequences[0], "gate", weights)
            joined = joined * self.gate
        attended = self._split(joined)
        value = turned(self.used) @ attended
        shares = dropped(attended @ turned(self.value), self.kept)
        scores = softmax_back(shares, self.shares, self.allowed) * rounded(self.scale, grad)
        query, key = scores @ self.key, turned(scores) @ self.query
        inputs = [
            self._unprojected(self._joined(each), x, name, weights)
            for each, x, name in zip(
                (query, self._gathered(value), self._gathered(key)),
                self.sequences,
                ("query", "value", "key"),
                strict=True,
            )
        ]
        if by_gate is not None:
            inputs[0] = inputs[0] + by_gate
        return inputs, weights

    def _matrix(self, part: str, rows: int) -> Numbers:
        kernel = self.w[f"{part}_kernel"]
        return kernel.reshape(rows, math.prod(kernel.shape) // rows)

    def _projected(self, x: Numbers, part: str, heads: int) -> Numbers:
        """(N, positions, channels) -> (N, heads, positions, numbers)."""
        count, positions, channels = x.shape
        y = x.reshape(count * positions, channels) @ self._matrix(part, channels)
        if f"{part}_bias" in self.w:
            y = y + self.w[f"{part}_bias"].reshape(y.shape[-1])
        return y.reshape(count, positions, heads, y.shape[-1] // heads).transpose(0, 2, 1, 3)

    def _unprojected(self, grad: Numbers, x: Numbers, part: str, weights: dict[str, Numbers]) -> Numbers:
        """The gradient of what was projected; those of the kernel and the bias go into `weights`."""
        count, positions, channels = x.shape
        weights[f"{part}_kernel"] = turned(x.reshape(count * positions, channels)) @ grad
        weights[f"{part}_bias"] = grad.sum(0)
        return (grad @ turned(self._matrix(part, channels))).reshape(count, positions, channels)

    def _joined(self, x: Numbers) -> Numbers:
        """(N, heads, positions, numbers) -> (N*positions, heads*numbers)."""
        count, heads, positions, numbers = x.shape
        return x.transpose(0, 2, 1, 3).reshape(count * positions, heads * numbers)

    def _split(self, x: Numbers) -> Numbers:
        """The way back, to the positions of the query."""
        count, positions, _ = self.sequences[0].shape
        return x.reshape(count, positions, self.heads.queries, self.heads.value_dim).transpose(0, 2, 1, 3)

    def _gathered(self, x: Numbers) -> Numbers:
        """The sum over the heads that share one."""
        if self.heads.shared == 1:
            return x
        count, _, positions, numbers = x.shape
        return x.reshape(count, self.heads.keys, self.heads.shared, positions, numbers).sum(2)
