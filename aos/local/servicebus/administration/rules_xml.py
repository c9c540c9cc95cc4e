"""Rules as the service's XML: filters, actions and their typed parameters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

from aos.local.servicebus.administration.atom import INSTANCE, SERVICE_BUS
from aos.local.servicebus.administration.fields import Fields, put
from aos.local.servicebus.engine import (
    CorrelationFilter,
    FalseFilter,
    Filter,
    InvalidArgument,
    RuleDescription,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from aos.local.servicebus.engine.duration import format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aos.local.servicebus.engine import PropertyValue

_TYPE = f"{{{INSTANCE}}}type"
_INT32 = 2**31 - 1
_CORRELATION_FIELDS = {
    "CorrelationId": "correlation_id",
    "MessageId": "message_id",
    "To": "to",
    "ReplyTo": "reply_to",
    "Label": "subject",
    "SessionId": "session_id",
    "ReplyToSessionId": "reply_to_session_id",
    "ContentType": "content_type",
}


def rule_element(rule: RuleDescription) -> Element:
    """A `RuleDescription` document."""
    element = Element(f"{{{SERVICE_BUS}}}RuleDescription")
    element.append(_filter_element(rule.filter))
    action = SubElement(element, f"{{{SERVICE_BUS}}}Action")
    if rule.action is None:
        action.set(_TYPE, "EmptyRuleAction")
    else:
        action.set(_TYPE, "SqlRuleAction")
        put(action, "SqlExpression", rule.action.expression)
        _put_values(action, "Parameters", rule.action.parameters)
    put(element, "Name", rule.name)
    return element


def read_rule(element: Element, name: str) -> RuleDescription:
    """The rule in a `RuleDescription` document.

    Raises:
        InvalidArgument: it has no filter, or one of a kind that is not known.
    """
    fields = Fields(element)
    action = fields.child("Action")
    expression = None if action is None else action.text("SqlExpression")
    return RuleDescription(
        name=name,
        filter=_filter(fields.child("Filter")),
        action=None
        if action is None or expression is None
        else SqlAction(expression=expression, parameters=_values(action.child("Parameters"))),
    )


def _filter_element(rule_filter: Filter) -> Element:
    element = Element(f"{{{SERVICE_BUS}}}Filter")
    if isinstance(rule_filter, CorrelationFilter):
        element.set(_TYPE, "CorrelationFilter")
        for tag, name in _CORRELATION_FIELDS.items():
            put(element, tag, getattr(rule_filter, name))
        _put_values(element, "Properties", rule_filter.properties)
        return element
    if isinstance(rule_filter, SqlFilter):
        element.set(_TYPE, "SqlFilter")
        put(element, "SqlExpression", rule_filter.expression)
        put(element, "CompatibilityLevel", "20")
        _put_values(element, "Parameters", rule_filter.parameters)
        return element
    element.set(_TYPE, type(rule_filter).__name__)
    put(element, "SqlExpression", "1=1" if isinstance(rule_filter, TrueFilter) else "1=0")
    put(element, "CompatibilityLevel", "20")
    return element


def _filter(fields: Fields | None) -> Filter:
    if fields is None:
        return TrueFilter()
    kind = fields.element.get(_TYPE, "").rpartition(":")[2]
    if kind == "CorrelationFilter":
        texts = {name: fields.text(tag) for tag, name in _CORRELATION_FIELDS.items()}
        return CorrelationFilter(**texts, properties=_values(fields.child("Properties")))
    if kind == "SqlFilter":
        expression = fields.text("SqlExpression")
        if expression is None:
            raise InvalidArgument("A SqlFilter needs a SqlExpression.")
        return SqlFilter(expression=expression, parameters=_values(fields.child("Parameters")))
    if kind == "TrueFilter":
        return TrueFilter()
    if kind == "FalseFilter":
        return FalseFilter()
    raise InvalidArgument(f"{kind!r} is not a filter: use SqlFilter, CorrelationFilter, TrueFilter or FalseFilter.")


def _put_values(parent: Element, name: str, values: Mapping[str, PropertyValue]) -> None:
    if not values:
        return
    element = SubElement(parent, f"{{{SERVICE_BUS}}}{name}")
    for key, value in values.items():
        pair = SubElement(element, f"{{{SERVICE_BUS}}}KeyValueOfstringanyType")
        put(pair, "Key", key)
        kind, text = _typed(value)
        typed = SubElement(
            pair,
            f"{{{SERVICE_BUS}}}Value",
            {_TYPE: f"d6p1:{kind}", "xmlns:d6p1": "http://www.w3.org/2001/XMLSchema"},
        )
        typed.text = text


def _typed(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", str(value).lower()
    if isinstance(value, int):
        return "int" if abs(value) <= _INT32 else "long", str(value)
    if isinstance(value, float):
        return "double", repr(value)
    if isinstance(value, datetime):
        return "dateTime", value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return "duration", format_duration(value)
    return "string", str(value)


def _values(fields: Fields | None) -> dict[str, PropertyValue]:
    if fields is None:
        return {}
    found: dict[str, PropertyValue] = {}
    for element in fields.element:
        pair = Fields(element)
        key, value = pair.text("Key"), pair.child("Value")
        if key is None or value is None:
            raise InvalidArgument("A parameter needs a Key and a Value.")
        kind = value.element.get(_TYPE, "string").rpartition(":")[2]
        found[key] = _read(kind, value.element.text or "")
    return found


def _read(kind: str, text: str) -> PropertyValue:
    try:
        if kind in ("int", "long", "short", "byte"):
            return int(text)
        if kind in ("double", "float", "decimal"):
            return float(text)
        if kind == "boolean":
            return text.strip().lower() == "true"
        if kind == "dateTime":
            return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(f"{text!r} is not of type {kind}.") from None
    if kind == "duration":
        lasting = parse_duration(text)
        return None if lasting is None else lasting.total_seconds()
    return text
