"""Descriptions of entities as JSON and back, for the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from typing import Any

from aos.local.servicebus.engine.description import (
    CorrelationFilter,
    EntityStatus,
    FalseFilter,
    Filter,
    QueueDescription,
    RuleDescription,
    SqlAction,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
    TrueFilter,
)
from aos.local.servicebus.engine.values_json import value_from_json, value_to_json

Description = QueueDescription | TopicDescription | SubscriptionDescription

_ENTITIES: dict[str, type[Description]] = {
    "queue": QueueDescription,
    "topic": TopicDescription,
    "subscription": SubscriptionDescription,
}
_FILTERS: dict[str, Any] = {
    "sql": SqlFilter,
    "correlation": CorrelationFilter,
    "true": TrueFilter,
    "false": FalseFilter,
}


def description_to_json(description: Description) -> dict[str, Any]:
    kind = next(kind for kind, cls in _ENTITIES.items() if isinstance(description, cls))
    document: dict[str, Any] = {"kind": kind}
    for field in fields(description):
        value = getattr(description, field.name)
        if field.name == "rules":
            value = None if value is None else [rule_to_json(rule) for rule in value]
        elif isinstance(value, timedelta):
            value = {"seconds": value.total_seconds()}
        elif isinstance(value, Enum):
            value = value.value
        document[field.name] = value
    return document


def description_from_json(document: Mapping[str, Any]) -> Description:
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name == "kind":
            continue
        if name == "rules":
            values[name] = None if value is None else tuple(rule_from_json(rule) for rule in value)
        elif name == "status":
            values[name] = EntityStatus(value)
        elif isinstance(value, dict):
            values[name] = timedelta(seconds=value["seconds"])
        else:
            values[name] = value
    return _ENTITIES[document["kind"]](**values)


def rule_to_json(rule: RuleDescription) -> dict[str, Any]:
    action = rule.action
    return {
        "name": rule.name,
        "filter": _filter_to_json(rule.filter),
        "action": None
        if action is None
        else {"expression": action.expression, "parameters": _values_to_json(action.parameters)},
    }


def rule_from_json(document: Mapping[str, Any]) -> RuleDescription:
    action = document["action"]
    return RuleDescription(
        name=document["name"],
        filter=_filter_from_json(document["filter"]),
        action=None
        if action is None
        else SqlAction(expression=action["expression"], parameters=_values_from_json(action["parameters"])),
    )


def _filter_to_json(chosen: Filter) -> dict[str, Any]:
    kind = next(kind for kind, cls in _FILTERS.items() if isinstance(chosen, cls))
    document: dict[str, Any] = {"kind": kind}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        document[field.name] = _values_to_json(value) if isinstance(value, Mapping) else value
    return document


def _filter_from_json(document: Mapping[str, Any]) -> Filter:
    values: dict[str, Any] = {
        name: _values_from_json(value) if isinstance(value, dict) else value
        for name, value in document.items()
        if name != "kind"
    }
    chosen: Filter = _FILTERS[document["kind"]](**values)
    return chosen


def _values_to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value_to_json(value) for name, value in values.items()}


def _values_from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value_from_json(value) for name, value in values.items()}
