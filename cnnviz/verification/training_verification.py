"""NumPy's training against Keras's."""
from __future__ import annotations
from dataclasses import dataclass, field
STEPS = (1, 10, 100)
BOUND = 1e-9
@dataclass(frozen=True)
class TrainingCheck:
    name: str
    about: str
    classes: tuple
    optimizer: str
    shares: dict
    worst: str
    single: dict
    silent: tuple
