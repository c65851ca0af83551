"""`verify` as a program of its own: a server that starts it never holds TensorFlow in its memory.

`python -m cnnviz.verification.process MODEL.keras` reads images (np.save) from stdin and writes lines of
JSON to stdout: {"done": n, "images": n} after each batch, and at last {"result": ...} as in the record.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import numpy as np

BATCH = 20
"""Images at a time: some of the speed is given for progress that moves."""


def main() -> int:
    images = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    # TensorFlow and its libraries print; stdout is for the answer alone.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from cnnviz.verification.comparison import verify

    def say(**words: Any) -> None:
        print(json.dumps(words, allow_nan=False), file=answer, flush=True)

    size = None if len(images) > 500 else BATCH
    result = verify(
        sys.argv[1], images, batch_size=size, progress=lambda done, count: say(done=done, images=count)
    )
    say(result=result.to_dict())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
