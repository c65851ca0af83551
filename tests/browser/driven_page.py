"""A page of a browser that is driven by WebDriver's actions: what Firefox's and WebKit's have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class DrivenPage(ABC):
    """One page: `run` a function in it, press and move."""

    errors: list[str]

    @abstractmethod
    def open(self, url: str, width: int, height: int) -> None: ...

    @abstractmethod
    def run(self, function: str, given: Any = None) -> Any:
        """What a function of the page gives, as JSON has it; a promise is waited for."""

    @abstractmethod
    def act(self, actions: list[dict[str, Any]]) -> None:
        """Perform actions, as WebDriver names them."""

    def until(self, function: str, given: Any = None) -> None:
        """A function of the page says yes, within 30 seconds."""
        wait = """async (given) => {
          for (let n = 0; n < 600; n++) {
            if (await (%s)(given)) return true;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return false;
        }"""
        assert self.run(wait % function, given), f"never: {function}"

    def drag(self, *places: tuple[float, float]) -> None:
        """Press at the first place, move over the others, let go; a click if there is but one."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in places]
        actions = [
            moves[0],
            {"type": "pointerDown", "button": 0},
            *moves[1:],
            {"type": "pointerUp", "button": 0},
        ]
        self.act([{"type": "pointer", "id": "mouse", "actions": actions}])

    def press(self, key: str) -> None:
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.act([{"type": "key", "id": "keys", "actions": keys}])


def answer(function: str, given: str) -> str:
    """An expression of the page: a promise of what a function gives, as JSON."""
    return f"(async () => JSON.stringify(await ({function})({given}) ?? null))()"
