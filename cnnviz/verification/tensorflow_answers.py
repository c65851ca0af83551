"""What TensorFlow is asked in a process of its own: a program that ends when it has answered.

`python -m cnnviz.verification.tensorflow_answers QUESTION MODEL.keras` reads images (np.save) from stdin.
To "verify" it writes lines of JSON: {"done": n} after each batch, and at last {"result": ...} as in the
record. To "outputs" it writes a message of arrays: "output NAME" is what a layer gives, "before NAME" what it
gives before its activation, left out where it has none of its own and for layers of nested models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnviz.network.keras_file import load_model
from cnnviz.network.messages import Message
from cnnviz.verification.comparison import KerasFile, as_float32, verify
from cnnviz.verification.tensorflow_process import answer_stream, sent_images

BATCH = 20
"""Images at a time: few enough for progress to be seen, at the cost of some speed."""


def verify_aloud(path: str, images: np.ndarray, answer: BinaryIO) -> None:
    def say(**words: Any) -> None:
        answer.write(json.dumps(words, allow_nan=False).encode() + b"\n")
        answer.flush()

    size = None if len(images) > 500 else BATCH
    result = verify(path, images, batch_size=size, progress=lambda done, _: say(done=done))
    say(result=result.to_dict())


def write_outputs(path: str, images: np.ndarray, answer: BinaryIO) -> None:
    file = KerasFile(Path(path))
    outputs, before = file(images), {}
    for layer in load_model(path):
        their_layer = file.layers.get(layer.name)
        if their_layer is None or layer.is_activation or layer.activation is None:
            continue
        activation, their_layer.activation = their_layer.activation, None
        try:
            before[layer.name] = as_float32(their_layer(*(outputs[name] for name in layer.inputs)))
        finally:
            their_layer.activation = activation
    numbers = {f"output {name}": array for name, array in outputs.items()}
    numbers |= {f"before {name}": array for name, array in before.items()}
    Message("outputs", {}, numbers).write(answer)


ANSWERS = {"verify": verify_aloud, "outputs": write_outputs}

if __name__ == "__main__":
    question, path = sys.argv[1:]
    with answer_stream() as stream:
        ANSWERS[question](path, sent_images(), stream)
