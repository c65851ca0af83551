"""Messages between processes: every dtype and shape comes back, an array of two names once."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cnnviz.network.messages import Message

ARRAYS = {
    "float": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "turned": np.arange(6.0).reshape(2, 3).T,
    "none": np.zeros((0, 4), np.float32),
    "one number": np.array(7, np.int64),
    "truths": np.array([True, False]),
}


def sent(*messages: Message) -> io.BytesIO:
    stream = io.BytesIO()
    for message in messages:
        message.write(stream)
    stream.seek(0)
    return stream


def test_what_is_sent_is_read():
    stream = sent(Message("first", {"words": "é\n", "number": None}, ARRAYS), Message("second"))
    read = Message.read(stream)
    assert (read.kind, read.said) == ("first", {"words": "é\n", "number": None})
    assert read.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert read.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(read.arrays[name], array)
    assert Message.read(stream) == Message("second")
    assert Message.read(stream) is None


def test_an_array_of_two_names_is_sent_once():
    array = np.zeros(1000)
    stream = sent(Message("run", {}, {"output": array, "before": array}))
    assert len(stream.getvalue()) < 1.5 * array.nbytes
    read = Message.read(stream).arrays
    assert read["output"] is read["before"]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_one_that_is_cut_off_is_none(share):
    content = sent(Message("run", {}, ARRAYS)).getvalue()
    assert Message.read(io.BytesIO(content[: int(share * len(content))])) is None
