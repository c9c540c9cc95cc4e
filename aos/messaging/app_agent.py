"""The agent that stands for a business app: it asks other agents in the app's name, and answers on the app's queue.

There is one for each app, `app:<source>`; its journal is the record of what the app asked and was told.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from aos.agents import Agent, NoState, Turn, on, on_reply
from aos.agents.query import QUERY_TYPE
from aos.kernel.turn import ERROR_TYPE
from aos.messaging.contract import (
    AgentQuery,
    AgentResponse,
    AOSMessage,
    ErrorCode,
    ErrorPayload,
    Header,
    MessageType,
    answer_to,
)
from aos.messaging.names import response_queue

TYPE = "app"
QUERY = "app.query"
PRIORITIES = {"low": 3, "normal": 5, "high": 7, "critical": 10}


def app_address(source: str) -> str:
    """The address of the agent that stands for the app `source`."""
    key = re.sub(r"[^A-Za-z0-9._@+-]", "-", source).lstrip("._@+-")[:80]
    return f"{TYPE}:{key or 'unknown'}"


class AppAgent(Agent[NoState]):
    """Stands for one business app."""

    type = TYPE
    name = "Business app"
    purpose = "Ask agents in the name of an app, and bring it their answers"
    listed = False

    @on(QUERY)
    async def ask(self, turn: Turn, _: NoState, request: AOSMessage) -> None:
        """Ask the agent; `context.type` and `context.data` say what it is asked, for agents with typed messages."""
        query = AgentQuery.model_validate(request.payload)
        turn.ask(
            query.agent_id,
            str(query.context.get("type", QUERY_TYPE)),
            query.context.get("data", _question(query)),
            note={"header": request.header.model_dump(mode="json"), "agent_id": query.agent_id},
            timeout=timedelta(seconds=request.header.ttl_seconds),
            priority=PRIORITIES[request.header.priority],
            conversation_id=str(query.context.get("conversation", turn.agent))[:128],
        )

    @on_reply("*")
    async def answer(self, turn: Turn, _: NoState, answer: Any) -> None:
        """Bring the agent's answer, or the error, to the app."""
        note = turn.request.note if turn.request else {}
        header = Header.model_validate(note["header"])
        if turn.message.type == ERROR_TYPE:
            failed = ErrorPayload(
                error_code=ErrorCode.AGENT_QUERY_ERROR, error_message=str(answer["message"]), details=answer
            )
            message = answer_to(header, MessageType.ERROR, failed.model_dump(mode="json"), turn.now)
        else:
            response = _response(note["agent_id"], answer)
            message = answer_to(header, MessageType.AGENT_RESPONSE, response.model_dump(mode="json"), turn.now)
        turn.export(response_queue(header.source, header.reply_to), message)


def _question(query: AgentQuery) -> dict[str, Any]:
    """The data of `agent.query`: the bounds of an answer are passed on where the app set any."""
    given = query.model_dump(exclude={"agent_id", "context"}, exclude_unset=True)
    return {**given, "context": {name: value for name, value in query.context.items() if name != "conversation"}}


def _response(agent_id: str, answer: Any) -> AgentResponse:
    """What an agent answered, in the shape of the contract; all of it is in `metadata.answer`."""
    fields = answer if isinstance(answer, dict) else {}
    text = fields.get("response") or fields.get("answer") or fields.get("summary")
    return AgentResponse(
        agent_id=agent_id,
        response=str(text) if text else json.dumps(answer, ensure_ascii=False),
        confidence=fields.get("confidence"),
        sources=fields.get("sources") or [],
        metadata={"answer": answer},
    )
