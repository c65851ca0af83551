"""A program in a process of its own: what it is sent and says, and how it ends."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cnnviz.verification.tensorflow_process import TensorFlowProcess


def test_it_is_sent_images_and_its_lines_are_taken():
    program = """
from cnnviz.verification.tensorflow_process import answer_stream, sent_images
with answer_stream() as answer:
    print("a library says hello")
    answer.write(f"{sent_images().sum()}\\n2".encode())
"""
    said = []
    TensorFlowProcess("-c", program, images=np.ones((3, 4), int)).run(said.append)
    assert said == [b"12\n", b"2"]


def test_it_imports_this_package_and_nothing_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.delenv("PYTHONPATH", raising=False)  # Whoever names the current folder there wants it.
    (tmp_path / "cnnviz.py").write_text("raise SystemExit('the wrong cnnviz')")
    monkeypatch.chdir(tmp_path)
    said = []
    TensorFlowProcess("-m", "cnnviz.verification.tensorflow_process").run(said.append)
    TensorFlowProcess("-c", "import cnnviz, numpy; print(cnnviz.__file__)").run(said.append)
    assert len(said) == 1
    assert str(tmp_path).encode() not in said[0]


def test_environment_variables_reach_it():
    said = []
    program = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS'])"
    TensorFlowProcess("-c", program, environment={"OMP_NUM_THREADS": "2"}).run(said.append)
    assert said == [b"-1 2\n"]


def test_it_ends_after_its_time_and_when_its_words_are_refused():
    start = time.monotonic()
    with pytest.raises(ChildProcessError, match=r"^it took longer than 0\.2 seconds$"):
        TensorFlowProcess("-c", "import time; time.sleep(60)", timeout=0.2).run(print)

    def refuse(line):
        raise ValueError("not an answer")

    with pytest.raises(ValueError, match="not an answer"):
        TensorFlowProcess("-c", "import time; print(1, flush=True); time.sleep(60)").run(refuse)
    assert time.monotonic() - start < 30


def test_one_that_was_stopped_does_not_start():
    process = TensorFlowProcess("-c", "print('never')")
    process.stop()
    with pytest.raises(ChildProcessError, match="it was stopped"):
        process.run(print)
