"""What a layer's config holds for training, as Keras writes it: initialisers, regularisers, constraints.

A name, or a class with its config. What is not Keras's own, or is not as Keras writes it, is remembered as
the file said it, so that a network can be loaded and saved again; only who wants to use it is refused.
Nothing of it is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from cnnviz.layers.options import Options, all_of
from cnnviz.numbers import brief

KERAS = ("keras", "tf_keras", "builtins")
"""The packages that an object of Keras's own may say it comes from."""


@dataclass(frozen=True)
class KerasObject:
    """An object of one of Keras's classes, by the class's name and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    unknown: Any = None
    """What the file says, where that is no object that is known here."""

    known: ClassVar[Mapping[str, Options]] = {}
    """Keras's classes, each with its arguments."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other names, in small letters without underscores."""
    module: ClassVar[str] = ""

    @classmethod
    def parse(cls, value: Any) -> Self | None:
        """The object that a config holds, whatever it is; None for None."""
        if value is None or isinstance(value, cls):
            return value
        kind, config = value, dict[str, Any]()
        if isinstance(value, Mapping) and not cls._foreign(value):
            kind, config = value.get("class_name"), value.get("config") or {}
        name = cls._class(kind)
        if name is not None and isinstance(config, Mapping):
            try:
                return cls(name, all_of(cls.known[name], config))
            except (ValueError, TypeError):
                pass
        return cls(brief(kind), unknown=value)

    @classmethod
    def _foreign(cls, value: Mapping) -> bool:
        module, registered = value.get("module"), value.get("registered_name")
        return ">" in str(registered) or (module is not None and str(module).split(".")[0] not in KERAS)

    @classmethod
    def _class(cls, kind: Any) -> str | None:
        """The class that a name means: GlorotUniform and glorot_uniform are one."""
        if not isinstance(kind, str):
            return None
        letters = kind.replace("_", "").lower()
        letters = cls.aliases.get(letters, letters)
        return next((name for name in cls.known if name.lower() == letters), None)

    def checked(self) -> Self:
        """The object itself; ValueError for one that is not known here."""
        if self.unknown is not None:
            raise ValueError(
                f"{self.name} is none of keras.{self.module} as Keras writes them ({brief(self.unknown)}): "
                f"code of others is never run, so the network cannot be trained with it; "
                f"put one of {', '.join(self.known)} in its place"
            )
        return self

    def serialized(self) -> Any:
        """What Keras writes for it."""
        if self.unknown is not None:
            return self.unknown
        return {
            "module": f"keras.{self.module}",
            "class_name": self.name,
            "config": dict(self.arguments),
            "registered_name": None,
        }
