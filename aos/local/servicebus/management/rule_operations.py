"""Management operations on a subscription's rules, and rules in the service's own AMQP encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.local.servicebus.amqp.types import Described, ULong
from aos.local.servicebus.engine import (
    CorrelationFilter,
    FalseFilter,
    Filter,
    InvalidArgument,
    NotPermitted,
    RuleDescription,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from aos.local.servicebus.management.context import Context, Nothing
from aos.local.servicebus.server.translation import property_values

if TYPE_CHECKING:
    from aos.local.servicebus.management.arguments import Arguments

# The service's descriptors; those of filters have a digit less than the others.
_RULE = ULong(0x0000013700000004)
_NO_ACTION = ULong(0x0000013700000005)
_SQL_ACTION = ULong(0x0000013700000006)
_SQL_FILTER = ULong(0x000001370000006)
_TRUE_FILTER = ULong(0x000001370000007)
_FALSE_FILTER = ULong(0x000001370000008)
_CORRELATION_FILTER = ULong(0x000001370000009)
_SUBSCRIPTIONS = "/subscriptions/"


def add(context: Context, arguments: Arguments) -> None:
    topic, subscription = _subscription(context)
    description = arguments.map("rule-description")
    action = None
    if description.has("sql-rule-action"):
        expression = description.map("sql-rule-action").optional_text("expression")
        action = SqlAction(expression=expression) if expression else None
    rule = RuleDescription(name=arguments.text("rule-name"), filter=_filter(description), action=action)
    context.bus.create_rule(topic, subscription, rule)


def remove(context: Context, arguments: Arguments) -> None:
    context.bus.delete_rule(*_subscription(context), arguments.text("rule-name"))


def enumerate_rules(context: Context, arguments: Arguments) -> dict[str, Any]:
    rules = context.bus.rules(*_subscription(context))
    skip = max(0, arguments.number("skip", 0))
    page = rules[skip : skip + max(0, arguments.number("top", 100))]
    if not page:
        raise Nothing("There are no more rules.", "com.microsoft:message-not-found")
    return {"rules": [{"rule-description": _described(rule)} for rule in page]}


def _subscription(context: Context) -> tuple[str, str]:
    position = context.entity.lower().find(_SUBSCRIPTIONS)
    if position < 0:
        raise NotPermitted(f"{context.entity!r} is not a subscription, and only subscriptions have rules.")
    return context.entity[:position], context.entity[position + len(_SUBSCRIPTIONS) :]


def _filter(description: Arguments) -> Filter:
    if description.has("sql-filter"):
        sql = description.map("sql-filter")
        return SqlFilter(expression=sql.text("expression"), parameters=property_values(sql.raw("parameters")))
    if description.has("correlation-filter"):
        fields = description.map("correlation-filter")
        return CorrelationFilter(
            correlation_id=fields.optional_text("correlation-id"),
            message_id=fields.optional_text("message-id"),
            to=fields.optional_text("to"),
            reply_to=fields.optional_text("reply-to"),
            subject=fields.optional_text("label"),
            session_id=fields.optional_text("session-id"),
            reply_to_session_id=fields.optional_text("reply-to-session-id"),
            content_type=fields.optional_text("content-type"),
            properties=property_values(fields.raw("properties")),
        )
    if description.has("true-filter"):
        return TrueFilter()
    if description.has("false-filter"):
        return FalseFilter()
    raise InvalidArgument("A rule needs a 'sql-filter', a 'correlation-filter', a 'true-filter' or a 'false-filter'.")


def _described(rule: RuleDescription) -> Described:
    action = Described(_NO_ACTION, []) if rule.action is None else Described(_SQL_ACTION, [rule.action.expression])
    return Described(_RULE, [_described_filter(rule.filter), action, rule.name])


def _described_filter(rule_filter: Filter) -> Described:
    if isinstance(rule_filter, SqlFilter):
        return Described(_SQL_FILTER, [rule_filter.expression])
    if isinstance(rule_filter, CorrelationFilter):
        return Described(
            _CORRELATION_FILTER,
            [
                rule_filter.correlation_id,
                rule_filter.message_id,
                rule_filter.to,
                rule_filter.reply_to,
                rule_filter.subject,
                rule_filter.session_id,
                rule_filter.reply_to_session_id,
                rule_filter.content_type,
                dict(rule_filter.properties),
            ],
        )
    return Described(_TRUE_FILTER if isinstance(rule_filter, TrueFilter) else _FALSE_FILTER, [])
