"""The record of what a call tried, and the errors that hold it when nothing worked.

::

    ModelError
    └── AllModelsFailed
        ├── ModelsUnavailable     retryable; at least one failure may pass
        └── ModelsRefused         terminal; trying again cannot help
            └── NoModelFits           nothing was there to be tried
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from aos.kernel.errors import RetryableError, TerminalError
from aos.llm.errors import ModelError, ModelTimedOut


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt, or one model that was passed over.

    Attributes:
        seconds: How long it took; 0 for what was not begun.
        error: Code of the error; `message` says it in words.
        usd: What it cost, where that is known.
    """

    provider: str
    model: str
    status: Literal["success", "timeout", "error", "skipped"]
    seconds: float = 0.0
    error: str | None = None
    message: str | None = None
    usd: float | None = None

    @classmethod
    def failed(cls, provider: str, model: str, seconds: float, error: ModelError, usd: float | None = None) -> Try:
        status: Literal["timeout", "error"] = "timeout" if isinstance(error, ModelTimedOut) else "error"
        return cls(provider, model, status, round(seconds, 3), error.code, error.message, usd)

    @property
    def line(self) -> str:
        """The try in a sentence."""
        why = f": {self.message}" if self.message else ""
        return f"{self.provider}/{self.model} {self.status}{why}"

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class AllModelsFailed(ModelError):
    """No model answered. `tries` lists each one that was asked or passed over, and why."""

    code = "all_models_failed"

    def __init__(self, message: str, *, tries: Sequence[Try] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.tries = tuple(tries)
        self.details["tries"] = [each.to_json() for each in self.tries]


class ModelsUnavailable(AllModelsFailed, RetryableError):
    code = "all_models_failed"


class ModelsRefused(AllModelsFailed, TerminalError):
    code = "all_models_failed"


class NoModelFits(ModelsRefused):
    code = "no_model_fits"


def all_failed(tries: Sequence[Try], errors: Sequence[ModelError], retry_after: float | None) -> AllModelsFailed:
    """The error for a call whose tries all failed.

    Args:
        tries: What was asked and what was passed over.
        errors: What the tries ended with.
        retry_after: Seconds until the first of the models may be asked again, where that is known.
    """
    asked = len({(each.provider, each.model) for each in tries if each.status != "skipped"})
    last = f" Last error: {errors[-1].message}" if errors else ""
    listed = "".join(f"\n- {each.line}" for each in tries)
    may_pass = retry_after is not None or any(error.retryable for error in errors)
    kind: type[AllModelsFailed] = ModelsUnavailable if may_pass else ModelsRefused
    partial = next((error.partial for error in reversed(errors) if error.partial is not None), None)
    head = f"All {asked} AI models that were asked failed.{last}" if asked else "No AI model could be asked."
    return kind(f"{head} The tries:{listed}", tries=tries, retry_after=retry_after, partial=partial)


def with_tries(error: ModelError, tries: Sequence[Try]) -> ModelError:
    """The error, with the tries that led to it in its details."""
    error.details["tries"] = [each.to_json() for each in tries]
    return error
