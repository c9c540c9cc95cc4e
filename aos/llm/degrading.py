"""What is given in place of an answer when every model failed, where the caller allowed it. It always says so."""

from __future__ import annotations

from aos.llm.answer_cache import AnswerCache, as_hit
from aos.llm.errors import AnswerTruncated, CallDeadlineExceeded, ModelError, StreamCut
from aos.llm.messages import TextPart
from aos.llm.request import ModelRequest
from aos.llm.response import Cost, ModelResponse, Usage
from aos.llm.route import Degraded
from aos.llm.tries import AllModelsFailed

NOBODY = "none"
_PASSING = (AllModelsFailed, CallDeadlineExceeded, AnswerTruncated, StreamCut)


async def degraded(
    request: ModelRequest, allowed: Degraded, error: ModelError, cache: AnswerCache, key: str
) -> ModelResponse | None:
    """The best stand-in that the caller allows; None where there is none, and the error stands.

    Only for failures to get an answer: a wrong request or a refused one is not papered over.
    """
    if not isinstance(error, _PASSING):
        return None
    stored = await cache.get(key, None) if allowed.stale else None
    if stored is not None and (hit := as_hit(request, stored)) is not None:
        return _marked(hit, error, "an earlier answer to the same prompt")
    if allowed.partial and error.partial is not None and error.partial.text and request.response_format is None:
        return _marked(error.partial, error, "as much of an answer as arrived")
    if allowed.text is not None:
        return ModelResponse(
            parts=(TextPart(text=allowed.text),),
            finish_reason="other",
            usage=Usage(),
            provider=NOBODY,
            model=NOBODY,
            cost=Cost(usd=0.0),
            degraded=True,
            degraded_reason=f"No model answered ({error.code}); these words are the caller's own, not a model's.",
        )
    return None


def _marked(response: ModelResponse, error: ModelError, what: str) -> ModelResponse:
    reason = f"No model answered in full ({error.code}); this is {what}."
    return response.model_copy(update={"degraded": True, "degraded_reason": reason})
