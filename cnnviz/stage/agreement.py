"""The record of how far the page's engine and Python's lie apart; a test run with --record-engine writes it.

It holds the sources of the engine that was tried, as a hash: a test fails when they are others.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from cnnviz.stage.bundle import script

RECORD = Path(__file__).resolve().parent / "agreement.json"


@lru_cache
def engine_sources() -> str:
    """A hash of the engine's modules and all that they import.

    >>> len(engine_sources())
    24
    """
    return hashlib.blake2b(script("engine").encode(), digest_size=12).hexdigest()


@lru_cache
def recorded_agreement() -> dict[str, Any]:
    """What the last recorded run found, {} if there is none.

    Returns
    -------
    dict
        "date" and "commit" of the run, the "sources" that it tried, how many "networks", and "operations": by
        the type of operation the stages that were compared, "cases", and the largest difference of two of
        their numbers, "largest", in units of the bound that two float32 evaluations keep.
    """
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}  # type: ignore[no-any-return]
