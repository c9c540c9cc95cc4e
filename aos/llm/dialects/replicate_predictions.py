"""Replicate predictions: a prompt in, an order that is polled or streamed, lists of strings out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from aos.llm.assembly import Assembly
from aos.llm.dialect import Ask, Decoder, DeferredDialect, ReportedError, path, temperature
from aos.llm.errors import ProviderFailed, UnsupportedRequest
from aos.llm.faults import parse_body
from aos.llm.framing import ServerEvent
from aos.llm.loose import items, mapping, text, whole
from aos.llm.messages import ChatMessage
from aos.llm.response import Delta, Usage
from aos.llm.wire import Outgoing

_UNDERWAY = frozenset({"starting", "processing"})
_WAIT = "wait=5"


class ReplicatePredictions(DeferredDialect):
    def chat(self, ask: Ask) -> Outgoing:
        request, target = ask.request, ask.target
        if request.tools or request.needs_vision:
            raise target.error(UnsupportedRequest, "predictions take neither tools nor images in a conversation.")
        wanted: dict[str, Any] = {
            "system_prompt": "\n\n".join(m.text for m in request.messages if m.role == "system") or None,
            "prompt": _prompt(request.messages),
            "max_tokens": request.max_tokens,
            "temperature": temperature(ask),
            "top_p": request.top_p,
            "top_k": request.top_k,
            "frequency_penalty": request.frequency_penalty,
            "presence_penalty": request.presence_penalty,
            "seed": request.seed,
            "stop_sequences": ",".join(request.stop) or None,
        }
        rules = target.rules
        sent = {
            rules.rename.get(name, name): value
            for name, value in {**rules.fixed, **wanted}.items()
            if value is not None and name not in rules.drop
        }
        body: dict[str, Any] = {"input": {**sent, **request.extra.get(target.profile.id, {})}}
        if ask.stream:
            body["stream"] = True
        if ":" in target.model:
            body["version"] = target.model.partition(":")[2]
            return Outgoing(url="/predictions", body=body, headers=_prefer(ask))
        return Outgoing(url=path(target, "chat", "/models/{model}/predictions"), body=body, headers=_prefer(ask))

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return _PredictionDecoder(ask, assembly)

    def poll(self, ask: Ask, body: Mapping[str, Any]) -> Outgoing | None:
        if body.get("status") not in _UNDERWAY:
            return None
        return Outgoing(url=self._url(ask, body, "get"), method="GET")

    def open_stream(self, ask: Ask, body: Mapping[str, Any]) -> Outgoing:
        if body.get("status") in ("failed", "canceled"):
            raise ReportedError(_failure(body))
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        return Outgoing(url=self._url(ask, body, "stream"), method="GET", headers=headers)

    def abandon(self, body: Mapping[str, Any]) -> Outgoing | None:
        address = text(mapping(body, "urls").get("cancel"))
        underway = body.get("status") in _UNDERWAY
        return Outgoing(url=address, body={}) if underway and "://" in address else None

    @staticmethod
    def _url(ask: Ask, body: Mapping[str, Any], kind: Literal["get", "stream"]) -> str:
        address = text(mapping(body, "urls").get(kind))
        if "://" not in address:
            raise ask.target.error(ProviderFailed, f"the prediction has no {kind!r} address.")
        return address


def _prefer(ask: Ask) -> dict[str, str]:
    """Wait briefly for the answer, so that the id of a slow one is known and it can be called off."""
    return {} if ask.stream else {"prefer": _WAIT}


def _prompt(messages: tuple[ChatMessage, ...]) -> str:
    said = [message for message in messages if message.role != "system"]
    if len(said) == 1:
        return said[0].text
    names = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
    lines = [f"{names[m.role]}: {m.text or ''.join(r.content for r in m.tool_results)}" for m in said]
    return "\n\n".join([*lines, "Assistant:"])


def _failure(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"error": {"message": text(body.get("error")) or f"the prediction {body.get('status')}", "code": 500}}


class _PredictionDecoder(Decoder):
    def whole(self, body: Mapping[str, Any]) -> None:
        self.assembly.raw_id = text(body.get("id")) or None
        status = body.get("status")
        if status != "succeeded":
            raise ReportedError(_failure(body))
        output = body.get("output")
        pieces = [output] if isinstance(output, str) else items(output)
        self.assembly.add_text("".join(text(piece) for piece in pieces))
        metrics = mapping(body, "metrics")
        if "output_token_count" in metrics:
            self.assembly.usage = Usage(
                input_tokens=whole(metrics.get("input_token_count")),
                output_tokens=whole(metrics.get("output_token_count")),
            )
        self.assembly.finish = "stop"

    def feed(self, event: ServerEvent) -> list[Delta]:
        if event.type == "output":
            return self.assembly.add_text(event.data)
        data = parse_body(event.data.encode())
        facts = data if isinstance(data, Mapping) else {}
        if event.type == "error":
            raise ReportedError({"error": {"message": text(facts.get("detail")) or event.data, "code": 500}})
        if event.type == "done":
            if reason := text(facts.get("reason")):
                raise ReportedError({"error": {"message": f"the prediction ended with {reason!r}", "code": 500}})
            self.assembly.finish = "stop"
            self.done = True
        return []

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        raise AssertionError(f"events of a prediction are not JSON: {data}")


DIALECT = ReplicatePredictions()
