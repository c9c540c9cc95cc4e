"""The action of a rule: SET and REMOVE statements, compiled to a function that changes a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aos.local.servicebus.engine.message import Message, PropertyValue
from aos.local.servicebus.engine.sql.conditions import Evaluate, Parser, Property
from aos.local.servicebus.engine.sql.properties import (
    remove_user_property,
    set_user_property,
    system_writer,
)
from aos.local.servicebus.engine.sql.tokens import Kind

Action = Callable[[Message], None]


def compile_action(expression: str, parameters: Mapping[str, PropertyValue] | None = None) -> Action:
    """A function that applies all statements, in order. It raises FilterFailed if one cannot be evaluated.

    Raises:
        FilterInvalid: the expression does not follow the grammar; the message says where.
    """
    parser = Parser(expression, parameters or {})
    statements: list[Action] = []
    while parser.token.kind is not Kind.END:
        statements.append(_statement(parser))
        while parser.at_symbol(";", ","):
            parser.advance()
    if not statements:
        raise parser.error("expected SET or REMOVE")

    def act(message: Message) -> None:
        for statement in statements:
            statement(message)

    return act


def _statement(parser: Parser) -> Action:
    if parser.take_word("SET"):
        target = parser.property_name()
        parser.expect_symbol("=")
        return _setter(target, parser.expression().evaluate)
    if parser.take_word("REMOVE"):
        return _remover(parser.property_name())
    raise parser.error("expected SET or REMOVE")


def _setter(target: Property, evaluate: Evaluate) -> Action:
    if target.system:
        write = system_writer(target.name)
        return lambda message: write(message, evaluate(message))
    return lambda message: set_user_property(message, target.name, evaluate(message))


def _remover(target: Property) -> Action:
    if target.system:
        write = system_writer(target.name)
        return lambda message: write(message, None)
    return lambda message: remove_user_property(message, target.name)
