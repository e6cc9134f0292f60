"""How the body of a request gets to a model: the interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .answers import parse


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered: the text of its body, or the value a script returned."""

    text: bytes | None = None
    value: object = None

    def parsed(self) -> object:
        """Return the JSON value. Raises BadAnswer."""
        return self.value if self.text is None else parse(self.text)

    def shown(self) -> str:
        """Return the beginning of the answer, for messages."""
        if self.text is None:
            return repr(self.value)[:4096]
        return self.text[:4096].decode("utf-8", "replace")


class Transport(ABC):
    """Carries the body of a request to a model. Used by one thread.

    Attributes:
        target: what messages call the model; has no secrets in it.
    """

    target: str

    @abstractmethod
    async def send(self, body: bytes, timeout: float) -> Answer:
        """Return the model's answer to a body, within `timeout` seconds. Raises Failure."""

    def hidden(self, text: str) -> str:
        """Return a text of the model's without the secrets that it may repeat."""
        return text

    def curl(self, body: bytes) -> str | None:
        """Return a command that sends a body again, without secrets; None where there is none."""
        return None

    async def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what is held; the last call."""
