"""The perpetual agent under its public contract: events in, counters out, all of it derived from turns."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aos.agents.agent import Agent, State
from aos.agents.handlers import to_json
from aos.agents.life import state_of
from aos.agents.turn import Turn
from aos.kernel.errors import Conflict, InfrastructureError, InvalidInput, SettingInvalid
from aos.kernel.head import Head
from aos.kernel.kernel import Delivery
from aos.kernel.message import Message, format_time, parse_time

EventHandler = Callable[..., Awaitable[Any]]

VERSION = "1.0.0"
_TRIES = 4

_log = logging.getLogger("aos.agent")


@dataclass(slots=True)
class _Watch:
    """Catches what the turn answers to one message that was handed in directly."""

    handled: bool = False
    answer: Any = None


class PerpetualAgent(Agent[State]):
    """An agent that can also be made without a class of its own, and be handed events directly.

    ::

        ceo = PerpetualAgent("ceo", adapter_name="ceo")
        await ceo.subscribe_to_event("market_changed", look)
        system.register_agent(ceo)
        await ceo.handle_event({"type": "market_changed", "data": {...}})

    `handle_event` takes a turn here and now; messages from the bus find the same handlers. Counters are not written
    anywhere of their own: they are the head's. Methods that look at one agent take its address where the type has many.

    Attributes:
        adapter_name: LoRA adapter that model calls for this agent should use.
        tools: Names of the tools it may use.
        system_message: What a model is told first when it speaks for this agent.
        role: What it is among others.
    """

    tools: tuple[str, ...] = ()
    system_message: str = ""
    adapter_name: str | None = None
    role: str = ""

    def __init__(
        self,
        agent_id: str | None = None,
        *,
        tools: tuple[str, ...] | list[str] | None = None,
        system_message: str | None = None,
        adapter_name: str | None = None,
        name: str | None = None,
        role: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        given = {"type": agent_id, "system_message": system_message, "adapter_name": adapter_name}
        for attribute, value in {**given, "name": name, "role": role}.items():
            if value is not None:
                setattr(self, attribute, value)
        if tools is not None:
            self.tools = tuple(tools)
        self.config = dict(config or {})
        self._subscriptions: dict[str, list[EventHandler]] = {}
        self._watched: dict[str, _Watch] = {}
        self._awake: dict[str, int] = {}
        super().__init__()

    @property
    def agent_id(self) -> str:
        return self.type

    @property
    def is_running(self) -> bool:
        """Whether it takes messages: it is registered with a running system."""
        roster = self.surroundings.roster
        return self.surroundings.house is not None and roster is not None and roster.behaviour(self.type) is self

    @property
    def message_types(self) -> list[str]:
        return sorted({*super().message_types, *self._subscriptions})

    async def initialize(self) -> bool:
        """Look whether the agent can be woken: storage answers, and its stored state can be read.

        Raises:
            NotAllowedNow: it is not registered with a running system.
            StoreUnavailable: storage does not answer.
        """
        await self._head(None)
        return True

    async def start(self) -> bool:
        """Take messages, from now on. Nothing stays running for it."""
        if not self.is_running:
            self.surroundings.expect_roster(self.type).register(self)
        return await self.initialize()

    async def stop(self) -> bool:
        """Take no more messages in this process: they become dead letters. The agent keeps its state."""
        return self.is_running and self.surroundings.expect_roster(self.type).unregister(self.type)

    async def subscribe_to_event(self, event_type: str, handler: EventHandler) -> bool:
        """Have `async def handler(data)`, or `handler(turn, data)`, called for events of this type in this process.

        Raises:
            SettingInvalid: it is not such a function.
        """
        if not inspect.iscoroutinefunction(handler) or len(inspect.signature(handler).parameters) not in (1, 2):
            raise SettingInvalid(
                f"The handler of {event_type!r} must be `async def (data)` or `async def (turn, data)`."
            )
        self._subscriptions.setdefault(event_type, []).append(handler)
        return True

    async def handle_event(self, event: Mapping[str, Any], address: str | None = None) -> dict[str, Any]:
        """Take a turn for one event now, in this process.

        Args:
            event: `type`, and `data`; with an `id`, the same event takes effect once.
            address: For whom, where the type has many agents.

        Returns:
            `status` `success` with `processed_by` and what its handlers returned, or `error` with `error`. An event
            that failed for the moment is put aside and tried again, as any message; one for an agent that an operator
            has stopped is put aside until it is released.

        Raises:
            InvalidInput: the event has no type.
            NotAllowedNow: the agent is not registered with a running system.
            InfrastructureError: nothing was kept.
        """
        if not event.get("type"):
            raise InvalidInput("An event needs a `type` that says what it means.")
        house = self.surroundings.expect_house(self.type)
        message = Message(
            id=str(event.get("id") or house.ids.new()),
            source="/events",
            type=str(event["type"]),
            time=house.clock.now(),
            to=address or self.type,
            data=event.get("data"),
        )
        watch = self._watched[message.id] = _Watch()
        try:
            await self._deliver(message)
        finally:
            del self._watched[message.id]
        error = await self._error_of(message)
        if error is not None:
            return {"status": "error", "error": error, "processed_by": message.to}
        if isinstance(watch.answer, dict) and watch.answer.get("processed_by") == message.to:
            return watch.answer
        result = {"status": "success", "processed_by": message.to}
        return {**result, "result": watch.answer} if watch.handled else {**result, "duplicate": True}

    async def act(self, action: str, params: Mapping[str, Any] | None = None) -> Any:
        """Do one of the things the agent can do: handle a message of this type, and return the answer.

        Raises:
            InvalidInput: it handles no such message (`Unknown action: X`), or could not handle it.
        """
        if action not in self.message_types:
            raise InvalidInput(f"Unknown action: {action}", code="unknown_action")
        result = await self.handle_event({"type": action, "data": dict(params or {})})
        if result["status"] == "error":
            raise InvalidInput(f"Action {action!r} failed: {result['error']}", code="action_failed")
        return result.get("result", result)

    async def execute_task(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """`act` for `{"action", "params"}`; returns `status` and `result` or `error`."""
        try:
            return {"status": "success", "result": await self.act(str(task.get("action")), task.get("params"))}
        except InvalidInput as error:
            return {"status": "error", "error": error.message}

    async def get_state(self, address: str | None = None) -> dict[str, Any]:
        """The agent's counters, from its head."""
        head = await self._head(address)
        return {
            "agent_id": address or self.type,
            "adapter_name": self.adapter_name,
            "is_running": self.is_running,
            "sleep_mode": not self._awake.get(address or self.type),
            "wake_count": head.version - head.vitals.orders if head else 0,
            "total_events_processed": head.counters.get("applied", 0) if head else 0,
            "last_active": head.updated if head else None,
            "subscriptions": self.message_types,
            "mcp_context_preserved": head is not None,
        }

    async def health_check(self, address: str | None = None) -> dict[str, Any]:
        """Whether the agent can do its work."""
        head = await self._head(address)
        may_work = head is None or head.standing.state in ("open", "draining")
        return {
            "agent_id": address or self.type,
            "state": state_of(head, running=bool(self._awake.get(address or self.type))),
            "healthy": self.is_running and may_work,
            "timestamp": format_time(self._now()),
        }

    async def get_status(self, address: str | None = None) -> dict[str, Any]:
        """Whether it runs, and since when it lives."""
        head = await self._head(address)
        created = parse_time(head.created) if head else None
        return {
            "agent_id": address or self.type,
            "is_running": self.is_running,
            "type": type(self).__name__,
            "created_at": head.created if head else None,
            "uptime_seconds": (self._now() - created).total_seconds() if created else 0.0,
        }

    async def get_metadata(self, address: str | None = None) -> dict[str, Any]:
        """Who it is."""
        head = await self._head(address)
        return {
            "agent_id": address or self.type,
            "name": self.name or self.type,
            "role": self.role,
            "state": state_of(head),
            "metadata": {"created_at": head.created if head else None, "version": VERSION},
        }

    async def _take(self, turn: Turn) -> None:
        watch = self._watched.get(turn.message.id) or _Watch()
        self._awake[turn.agent] = self._awake.get(turn.agent, 0) + 1
        try:
            await self._take_event(turn)
            watch.handled = True
        finally:
            self._awake[turn.agent] -= 1
            if not self._awake[turn.agent]:
                del self._awake[turn.agent]

    def _send_answer(self, turn: Turn, answer: Any) -> None:
        watch = self._watched.get(turn.message.id)
        if watch is not None:
            watch.answer = answer
        super()._send_answer(turn, answer)

    async def _take_event(self, turn: Turn) -> None:
        handlers = self._subscriptions.get(turn.message.type, ())
        if turn.request is not None or turn.message.topic is not None or not handlers:
            await super()._take(turn)
            return
        results = [await self._call(turn, handler) for handler in handlers]
        self._send_answer(turn, {"status": "success", "processed_by": turn.agent, "handler_results": results})

    async def _call(self, turn: Turn, handler: EventHandler) -> Any:
        """One handler's result. Handlers of one event do not fail each other: an error is that handler's result."""
        arguments = [turn, turn.message.data][-len(inspect.signature(handler).parameters) :]
        try:
            return to_json(await handler(*arguments))
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001  # it is reported as this handler's result
            name = getattr(handler, "__name__", type(handler).__name__)
            turn.record("handler.failed", handler=name, error=f"{type(error).__name__}: {error}")
            _log.warning("a handler of an event failed", extra={"agent": turn.agent, "handler": name}, exc_info=True)
            return {"error": str(error) or type(error).__name__}

    async def _deliver(self, message: Message) -> None:
        """Take the turn; another instance may be at the same agent, whose commit then comes first."""
        kernel = self.surroundings.expect_house(self.type).kernel
        body = message.encode()
        for _ in range(_TRIES - 1):
            try:
                await kernel.deliver([Delivery(body)])
            except Conflict:
                continue
            return
        await kernel.deliver([Delivery(body)])

    async def _error_of(self, message: Message) -> str | None:
        """Why the message was not applied, from the journal; None where it was."""
        kernel = self.surroundings.expect_house(self.type).kernel
        head = await kernel.heads.read(message.to)
        version = head.recent.version_of(message.dedupe_key) if head else None
        if version is None:
            return f"Nobody took {message.type!r}: no agent type {self.type!r} is registered."
        for record in (await kernel.journal.entry(message.to, version)).received:
            if record["message"]["id"] == message.id and record["message"]["source"] == message.source:
                if record["outcome"] in ("aside", "held"):
                    return f"{message.to!r} is not handling messages now. The event waits until it does."
                return str(record["error"]["message"]) if "error" in record else None
        return None

    async def _head(self, address: str | None) -> Head | None:
        return await self.surroundings.expect_house(self.type).kernel.heads.read(address or self.type)

    def _now(self) -> datetime:
        return self.surroundings.expect_house(self.type).clock.now()
