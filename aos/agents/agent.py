"""The base class of agents: a type, a purpose, a state model, and methods for the messages it understands."""

from __future__ import annotations

import builtins
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

from aos.agents.context_server import ContextLimits, ContextMCPServer
from aos.agents.conversations.conversing import Conversing
from aos.agents.fact_wake import FactWaking
from aos.agents.handlers import Handler, Kind, handlers_of, to_json
from aos.agents.migration import STATE_VERSION, migrated, migrations_of
from aos.agents.own_alarms import OwnAlarms
from aos.agents.stored_state import own_part, reserved_part
from aos.agents.surroundings import Surroundings
from aos.agents.tool_use import ToolUse
from aos.agents.topics import best
from aos.agents.turn import Turn
from aos.kernel.errors import AosError, SettingInvalid, StoreUnavailable, UnknownMessageType
from aos.kernel.policy import AgentPolicy
from aos.kernel.turn import ERROR_TYPE
from aos.kernel.turn import Turn as KernelTurn

State = TypeVar("State", bound=BaseModel)


class NoState(BaseModel):
    """The state of an agent that remembers nothing."""


class Agent(ToolUse, Conversing, FactWaking, OwnAlarms, Generic[State]):
    """A perpetual agent.

    Subclass it with the model of its state, set `type` and `purpose`, and decorate methods with `on`, `on_reply`
    and `on_event`. A method is `async def name(self, turn, state, data)`: it may change `state`, act through
    `turn`, and return an answer. One instance serves every agent of the type, so keep nothing on `self` that
    belongs to one agent: it is not there in the next turn.

    Attributes:
        type: The first part of its address.
        name: What people call it.
        purpose: What it is there for.
        capabilities: What it can do, for those who look for an agent.
        policy: Retries, order, limits.
        context_limits: How much of its past its context keeps.
        wakes: When it is woken by the clock, and by facts of other agents.
        listed: Whether it is one agent, always there under its type; False for a type of many (`task:<id>`).
        state_version: Version of the state's shape. Raise it with a method under `migrates` for the step.
        surroundings: What it finds in the system it is registered with.
    """

    type: str = ""
    name: str = ""
    purpose: str = ""
    capabilities: tuple[str, ...] = ()
    policy: AgentPolicy = AgentPolicy()
    context_limits: ClassVar[ContextLimits] = ContextLimits()
    listed: ClassVar[bool] = True
    state_version: ClassVar[int] = 1

    _handlers: ClassVar[dict[tuple[Kind, str], Handler]] = {}
    _migrations: ClassVar[dict[int, str]] = {}
    _state_model: ClassVar[builtins.type[BaseModel]] = NoState

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in getattr(cls, "__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, BaseModel):
                    cls._state_model = argument
        cls._handlers = handlers_of(cls)
        cls._migrations = migrations_of(cls, cls.state_version)

    def __init__(self) -> None:
        self.surroundings = Surroundings()
        if not self.type:
            raise SettingInvalid(f"{type(self).__name__} has no `type`. Give it one: the first part of its address.")

    @property
    def topics(self) -> frozenset[str]:
        """Topics whose events it wants; patterns with `*` for one word and `#` for any number are among them."""
        return frozenset(key for kind, key in self._handlers if kind == "event")

    @property
    def message_types(self) -> list[str]:
        """Types of messages it handles."""
        return sorted(key for kind, key in self._handlers if kind == "message")

    @property
    def message_handlers(self) -> dict[str, Handler]:
        """The handlers of messages, by the type of the message."""
        return {key: handler for (kind, key), handler in self._handlers.items() if kind == "message"}

    def context(self, turn: Turn) -> ContextMCPServer:
        """The context of the agent whose turn this is."""
        return ContextMCPServer.of_turn(turn, self.context_limits)

    def initial_state(self) -> dict[str, Any]:
        return self._to_stored(self._state_model())

    async def handle(self, turn: KernelTurn) -> None:
        if await self.take_tool_message(turn):
            return
        view = Turn(turn, self.surroundings)
        if not (await self.take_conversation_message(view) or self.take_tick(view) or self.take_fact(view)):
            await self._take(view)
        self.keep_alarms(view)

    async def _take(self, turn: Turn) -> None:
        """Find the method for the turn's message, and call it with the state and the data it wants."""
        handler = self._find(turn)
        data = handler.read(turn.message.type, turn.message.data)
        state, stored = self._load(turn), turn.state
        answer = await getattr(self, handler.name)(turn, state, data)
        turn.state = {**reserved_part(stored), **self._to_stored(state)}
        if answer is not None:
            self._send_answer(turn, to_json(answer))

    def _send_answer(self, turn: Turn, answer: Any) -> None:
        """Send what a handler returned to whoever asked."""
        turn.reply(answer, type=self._reply_type(turn.message.type))

    def _reply_type(self, message_type: str) -> str | None:  # noqa: ARG002  # for those that have types of their own
        """Type of the answer to messages of this type; None for the usual `<type>.reply`."""
        return None

    def _find(self, turn: Turn) -> Handler:
        message = turn.message
        key: tuple[Kind, str] = ("message", message.type)
        if turn.request is not None:
            key = ("reply", turn.request.type)
        elif turn.message.topic is not None:
            key = ("event", best(self.topics, turn.message.topic) or turn.message.topic)
        handler = self._handlers.get(key) or self._handlers.get((key[0], "*"))
        if handler is None:
            raise self._unknown(turn)
        return handler

    def _unknown(self, turn: Turn) -> AosError:
        if turn.message.type == ERROR_TYPE:
            return UnknownMessageType(f"{self.type!r} received an error it has no handler for: {turn.message.data!r}")
        known = ", ".join(self.message_types) or "none"
        return UnknownMessageType(
            f"Agent type {self.type!r} does not handle {turn.message.type!r}. It handles: {known}."
        )

    def _to_stored(self, state: BaseModel) -> dict[str, Any]:
        stored = state.model_dump(mode="json")
        if self.state_version > 1:
            stored[STATE_VERSION] = self.state_version
        return stored

    def _load(self, turn: Turn) -> State:
        state = own_part(turn.state)
        stored_version = turn.state.get(STATE_VERSION, 1)
        if stored_version != self.state_version:
            steps = {start: getattr(self, name) for start, name in self._migrations.items()}
            state = migrated(turn.agent, state, stored_version, self.state_version, steps)
        try:
            return cast("State", self._state_model.model_validate(state))
        except ValidationError as error:
            raise StoreUnavailable(
                f"The stored state of {turn.agent!r} does not fit {self._state_model.__name__}: "
                f"{error.error_count()} problems. Give new fields a default.",
                code="state_does_not_fit",
            ) from error
