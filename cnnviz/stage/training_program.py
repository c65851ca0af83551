"""The program of a run that is shown on a page: it answers with receipts of a step too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnviz.network.messages import Message
from cnnviz.receipts import explain
from cnnviz.receipts.html import to_html
from cnnviz.training.run_process import main
from cnnviz.training.training_step import TrainingStep

PROGRAM = "cnnviz.stage.training_program"


def receipt(step: TrainingStep, said: Mapping[str, Any]) -> Message:
    """How one number of a weight came to its new value: what came back, added up, and the optimizer's step.

    `said` has the weight as "layer/weight", and the number's place in it, `at`. KeyError, IndexError or
    ValueError if there is none.
    """
    found = explain(step, str(said["weight"]), tuple(map(int, said["at"])))
    return Message("receipt", {"step": step.number, "title": found.title, "html": to_html(found)})


if __name__ == "__main__":
    main({"receipt": receipt})
