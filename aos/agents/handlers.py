"""Decorators that say which message a method of an agent handles, and what they leave behind on it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from aos.kernel.errors import InvalidInput, SettingInvalid

Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])
Kind = Literal["message", "reply", "event"]

_MARK = "__aos_handles__"


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler method.

    Attributes:
        kind: Whether it takes messages, replies to requests, or topic events.
        key: Message type; on a reply, the type of the request; on an event, the topic.
        name: The method's name.
        data: Validates the message's data, made from the annotation of the method's third parameter.
    """

    kind: Kind
    key: str
    name: str
    data: TypeAdapter[Any]

    def read(self, message_type: str, data: Any) -> Any:
        """The message's data as the method wants it. Raises `InvalidInput`."""
        try:
            return self.data.validate_python(data)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg']}" for e in error.errors()[:5])
            raise InvalidInput(
                f"The data of {message_type!r} does not fit its handler: {problems}. Correct it and send it again.",
                details={"errors": error.errors(include_url=False, include_context=False, include_input=False)},
            ) from error


def on(message_type: str) -> Callable[[Method], Method]:
    """Handle messages of this type. What the method returns, if anything, is sent as the reply."""
    return _mark("message", message_type)


def on_reply(request_type: str) -> Callable[[Method], Method]:
    """Handle replies to requests of this type that the agent sent with `turn.ask`; `*` stands for any other type.

    An error reply arrives here too: `turn.message.type` is then `aos.error`. A method whose data parameter is a
    model receives such a reply only if the model accepts `code`, `message` and `details`; declare the parameter
    as `dict[str, Any]` to take both.
    """
    return _mark("reply", request_type)


def on_event(topic: str) -> Callable[[Method], Method]:
    """Handle events published under this topic.

    A topic is made of words with dots between. In a pattern `*` stands for one word and `#` for any number of them;
    where several fit, the one with the most words of its own is taken.
    """
    return _mark("event", topic)


def handlers_of(cls: type) -> dict[tuple[Kind, str], Handler]:
    """The handlers a class declares or inherits.

    Raises:
        SettingInvalid: a method has another shape than `(self, turn, state, data)`, or two handle the same.
    """
    found: dict[tuple[Kind, str], Handler] = {}
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        for kind, key in getattr(method, _MARK, ()):
            if (kind, key) in found:
                other = found[kind, key].name
                raise SettingInvalid(f"{cls.__name__}.{name} and .{other} both handle {key!r}. Keep one.")
            found[kind, key] = Handler(kind, key, name, _data_of(cls, name, method))
    return found


def _mark(kind: Kind, key: str) -> Callable[[Method], Method]:
    def mark(method: Method) -> Method:
        setattr(method, _MARK, (*getattr(method, _MARK, ()), (kind, key)))
        return method

    return mark


def _data_of(cls: type, name: str, method: Callable[..., Any]) -> TypeAdapter[Any]:
    parameters = list(inspect.signature(method).parameters)
    if len(parameters) != 4 or not inspect.iscoroutinefunction(method):
        raise SettingInvalid(f"{cls.__name__}.{name} must be `async def {name}(self, turn, state, data)`.")
    return TypeAdapter(annotation_of(f"{cls.__name__}.{name}", method, parameters[3]))


def annotation_of(owner: str, function: Callable[..., Any], parameter: str) -> Any:
    """The annotation of one parameter. The others are for the reader, and may name what only a checker can see.

    Raises:
        SettingInvalid: it names what the module of `owner` does not have.
    """
    annotation = function.__annotations__.get(parameter, Any)
    holder = types.SimpleNamespace(__annotations__={parameter: annotation})
    try:
        return typing.get_type_hints(holder, globalns=function.__globals__)[parameter]
    except NameError as error:
        raise SettingInvalid(
            f"The data of {owner} is annotated with {annotation!r}, which cannot be found: {error}. "
            "Define or import it at the top of the module."
        ) from error


def to_json(value: Any) -> Any:
    """What a handler returns, as JSON."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
