"""The rules of one subscription: which messages come in, and as what copies."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from aos.local.servicebus.engine.description import (
    DEFAULT_RULE,
    CorrelationFilter,
    FalseFilter,
    Filter,
    RuleDescription,
    SqlFilter,
)
from aos.local.servicebus.engine.errors import EntityExists, EntityNotFound, FilterInvalid
from aos.local.servicebus.engine.message import Message, PropertyValue
from aos.local.servicebus.engine.sql import compile_action, compile_condition
from aos.local.servicebus.engine.sql.properties import user_property

RULE_NAME = "RuleName"

_FIELDS = (
    "correlation_id",
    "message_id",
    "to",
    "reply_to",
    "subject",
    "session_id",
    "reply_to_session_id",
    "content_type",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to run."""

    description: RuleDescription
    passes: Callable[[Message], bool]
    act: Callable[[Message], None] | None

    @classmethod
    def of(cls, description: RuleDescription) -> Rule:
        """Raises FilterInvalid."""
        action = description.action
        act = None if action is None else compile_action(action.expression, action.parameters)
        return cls(description, _condition(description.filter), act)


class Rules:
    """All rules of a subscription, by name in any case."""

    __slots__ = ("_rules",)

    def __init__(self, descriptions: tuple[RuleDescription, ...] | None) -> None:
        self._rules: dict[str, Rule] = {}
        if descriptions is None:
            descriptions = (RuleDescription(name=DEFAULT_RULE),)
        for description in descriptions:
            self.add(description)

    def descriptions(self) -> list[RuleDescription]:
        return [rule.description for rule in self._rules.values()]

    def get(self, name: str) -> RuleDescription:
        rule = self._rules.get(name.lower())
        if rule is None:
            raise EntityNotFound(f"There is no rule {name!r} in this subscription.")
        return rule.description

    def add(self, description: RuleDescription) -> None:
        if description.name.lower() in self._rules:
            raise EntityExists(f"There is a rule {description.name!r} in this subscription already.")
        self._rules[description.name.lower()] = Rule.of(description)

    def replace(self, description: RuleDescription) -> None:
        self.get(description.name)
        self._rules[description.name.lower()] = Rule.of(description)

    def remove(self, name: str) -> None:
        self.get(name)
        del self._rules[name.lower()]

    def copies(self, message: Message) -> list[Message]:
        """What the subscription gets of this message.

        One copy for all matching rules without an action together, and one for each matching rule with an
        action, which names the rule in its `RuleName` property.

        Raises:
            FilterFailed: a condition or an action could not be evaluated.
        """
        copies: list[Message] = []
        plain = False
        for rule in self._rules.values():
            if not rule.passes(message):
                continue
            if rule.act is None:
                if not plain:
                    plain = True
                    copies.append(copy(message))
                continue
            changed = copy(message)
            rule.act(changed)
            changed.application_properties = {
                **changed.application_properties,
                RULE_NAME: rule.description.name,
            }
            changed.modified = True
            copies.append(changed)
        return copies


def _condition(chosen: Filter) -> Callable[[Message], bool]:
    if isinstance(chosen, SqlFilter):
        return compile_condition(chosen.expression, chosen.parameters)
    if isinstance(chosen, CorrelationFilter):
        return _correlation(chosen)
    outcome = not isinstance(chosen, FalseFilter)
    return lambda _: outcome


def _correlation(chosen: CorrelationFilter) -> Callable[[Message], bool]:
    fields = [(name, getattr(chosen, name)) for name in _FIELDS if getattr(chosen, name) is not None]
    properties = list(chosen.properties.items())
    if not fields and not properties:
        raise FilterInvalid("A correlation filter needs at least one property to compare.")

    def passes(message: Message) -> bool:
        return all(getattr(message, name) == value for name, value in fields) and all(
            _same(user_property(message, name), value) for name, value in properties
        )

    return passes


def _same(one: PropertyValue, other: PropertyValue) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
