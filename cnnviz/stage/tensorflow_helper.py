"""What TensorFlow computes for one image, layer by layer: a program that ends when it has said so.

`python -m cnnviz.stage.tensorflow_helper MODEL.keras` reads an array (np.save) from stdin and writes
an archive (np.savez) to stdout: "name" is a layer's output, "name before" its pre-activation, left out
for layers of nested models.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np


def outputs_of(path: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output, and its pre-activation where an activation is fused into it."""
    from cnnviz.network.keras_file import load_model
    from cnnviz.verification.comparison import KerasFile

    file = KerasFile(Path(path))
    outputs = file(images)
    for layer in load_model(path):
        found = file.layers.get(layer.name)
        if found is None or layer.is_activation or layer.activation is None:
            continue
        activation, found.activation = found.activation, None
        try:
            before = found(*(outputs[name] for name in layer.inputs))
        finally:
            found.activation = activation
        outputs[f"{layer.name} before"] = np.asarray(before)
    return outputs


def main() -> int:
    images = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    # TensorFlow and its libraries print; the answer must be all that stdout gets.
    answer = os.dup(1)
    os.dup2(2, 1)
    buffer = io.BytesIO()
    np.savez(buffer, **outputs_of(sys.argv[1], images))  # type: ignore[arg-type]
    with os.fdopen(answer, "wb") as out:
        out.write(buffer.getvalue())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
