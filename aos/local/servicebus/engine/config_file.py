"""Reads the entities of a namespace from a file in the format of Microsoft's emulator, `Config.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aos.local.servicebus.engine.commented_json import parse_commented_json
from aos.local.servicebus.engine.description import (
    CorrelationFilter,
    EntityStatus,
    Filter,
    QueueDescription,
    RuleDescription,
    SqlAction,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
    Topology,
)
from aos.local.servicebus.engine.duration import parse_duration
from aos.local.servicebus.engine.errors import BusError, InvalidArgument
from aos.local.servicebus.engine.rules import Rules
from aos.local.servicebus.engine.validation import check_queue, check_subscription, check_topic

T = TypeVar("T")

_REQUIRED: Any = object()

# Where the file says nothing, the defaults of Microsoft's emulator apply.
_TIME_TO_LIVE = "PT1H"
_WINDOW = "PT20S"
_DELIVERIES = 3
_NEVER_FORWARDED = ""

_MESSAGE_FIELDS = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "Label": "subject",
    "Subject": "subject",
    "MessageId": "message_id",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "To": "to",
}


def load_topology(path: Path) -> Topology:
    """Read a configuration file.

    Raises:
        InvalidArgument: the file cannot be used; the message names the place.
        OSError: it cannot be read.
    """
    return parse_topology(path.read_text(encoding="utf-8"), str(path))


def parse_topology(text: str, source: str = "Config.json") -> Topology:
    """As `load_topology`, from text; `source` names it in errors. Several namespaces are taken together."""
    document = parse_commented_json(text, source)
    root = _Section(document, source)
    user_config = root.section("UserConfig")
    root.end()
    queues: list[QueueDescription] = []
    topics: list[TopicDescription] = []
    subscriptions: list[SubscriptionDescription] = []
    for namespace in user_config.sections("Namespaces"):
        namespace.text("Name", "")
        queues += [_queue(section) for section in namespace.sections("Queues")]
        for section in namespace.sections("Topics"):
            topics.append(_topic(section))
            name = topics[-1].name
            subscriptions += [_subscription(part, name) for part in section.sections("Subscriptions")]
            section.end()
        namespace.end()
    user_config.skip("Logging")
    user_config.end()
    topology = Topology(tuple(queues), tuple(topics), tuple(subscriptions))
    _check_references(topology, source)
    return topology


def _queue(section: _Section) -> QueueDescription:
    name = section.text("Name")
    properties = section.section("Properties", optional=True)
    description = QueueDescription(
        name=name,
        requires_duplicate_detection=properties.flag("RequiresDuplicateDetection"),
        duplicate_detection_window=properties.duration("DuplicateDetectionHistoryTimeWindow", _WINDOW),
        **_delivery(properties),
        **_sizes(properties),
    )
    properties.end()
    section.end()
    return section.checked(lambda: check_queue(description), description)


def _topic(section: _Section) -> TopicDescription:
    name = section.text("Name")
    properties = section.section("Properties", optional=True)
    description = TopicDescription(
        name=name,
        default_time_to_live=properties.lifetime("DefaultMessageTimeToLive", _TIME_TO_LIVE),
        requires_duplicate_detection=properties.flag("RequiresDuplicateDetection"),
        duplicate_detection_window=properties.duration("DuplicateDetectionHistoryTimeWindow", _WINDOW),
        **_status(properties),
        **_sizes(properties),
    )
    properties.end()
    return section.checked(lambda: check_topic(description), description)


def _subscription(section: _Section, topic: str) -> SubscriptionDescription:
    name = section.text("Name")
    properties = section.section("Properties", optional=True)
    rules = [_rule(part) for part in section.sections("Rules")]
    description = SubscriptionDescription(
        topic=topic,
        name=name,
        dead_letter_on_filter_error=properties.flag("DeadLetteringOnFilterEvaluationExceptions", True),
        rules=tuple(rules) or None,
        **_delivery(properties),
    )
    properties.end()
    section.end()
    section.checked(lambda: Rules(description.rules), None)
    return section.checked(lambda: check_subscription(description), description)


def _delivery(properties: _Section) -> dict[str, Any]:
    return {
        "lock_duration": properties.duration("LockDuration", "PT1M"),
        "max_delivery_count": properties.number("MaxDeliveryCount", _DELIVERIES),
        "default_time_to_live": properties.lifetime("DefaultMessageTimeToLive", _TIME_TO_LIVE),
        "dead_letter_on_expiration": properties.flag("DeadLetteringOnMessageExpiration"),
        "requires_session": properties.flag("RequiresSession"),
        "forward_to": properties.text("ForwardTo", _NEVER_FORWARDED) or None,
        "forward_dead_lettered_to": properties.text("ForwardDeadLetteredMessagesTo", _NEVER_FORWARDED) or None,
        **_status(properties),
    }


def _status(properties: _Section) -> dict[str, Any]:
    text = properties.text("Status", EntityStatus.ACTIVE.value)
    known = {status.value.lower(): status for status in EntityStatus}
    if text.lower() not in known:
        raise properties.wrong("Status", f"{text!r} is not one of {', '.join(s.value for s in EntityStatus)}")
    return {"status": known[text.lower()], "user_metadata": properties.text("UserMetadata", "")}


def _sizes(properties: _Section) -> dict[str, Any]:
    return {
        "max_size_mb": properties.number("MaxSizeInMegabytes", 1024),
        "max_message_kb": properties.number("MaxMessageSizeInKilobytes", 0) or None,
    }


def _rule(section: _Section) -> RuleDescription:
    name = section.text("Name")
    properties = section.section("Properties")
    kind = properties.text("FilterType").lower()
    if kind not in {"sql", "correlation"}:
        raise properties.wrong("FilterType", "it must be Sql or Correlation")
    chosen = _sql(properties) if kind == "sql" else _correlation(properties)
    properties.skip("SqlFilter")
    properties.skip("CorrelationFilter")
    action = None
    if properties.has("Action"):
        part = properties.section("Action")
        action = SqlAction(expression=part.text("SqlExpression"))
        part.end()
    properties.end()
    section.end()
    rule = RuleDescription(name=name, filter=chosen, action=action)
    return section.checked(lambda: Rules((rule,)), rule)


def _sql(properties: _Section) -> Filter:
    part = properties.section("SqlFilter")
    expression = part.text("SqlExpression")
    part.end()
    return SqlFilter(expression=expression)


def _correlation(properties: _Section) -> Filter:
    part = properties.section("CorrelationFilter")
    own = part.section("Properties", optional=True).scalars()
    values: dict[str, Any] = {}
    for key, name in _MESSAGE_FIELDS.items():
        if part.has(key):
            values[name] = part.text(key)
    part.end()
    return CorrelationFilter(properties=own, **values)


def _check_references(topology: Topology, source: str) -> None:
    """Names are unique, and what is forwarded has somewhere to go."""
    names = [queue.name.lower() for queue in topology.queues]
    names += [topic.name.lower() for topic in topology.topics]
    paths = names + [f"{entry.topic}/{entry.name}".lower() for entry in topology.subscriptions]
    for path, count in Counter(paths).items():
        if count > 1:
            raise InvalidArgument(f"{source}: there is more than one entity {path!r}.")
    forwarding: list[QueueDescription | SubscriptionDescription] = [*topology.queues, *topology.subscriptions]
    for entity in forwarding:
        for destination in (entity.forward_to, entity.forward_dead_lettered_to):
            if destination is not None and destination.lower() not in names:
                raise InvalidArgument(
                    f"{source}: {entity.name!r} forwards to {destination!r}, which is not a queue or topic here."
                )


class _Section:
    """An object in the file and the path to it. Keys are case-insensitive, as in .NET configuration."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise InvalidArgument(f"{path}: expected an object, found {type(value).__name__}.")
        self._path = path
        self._values = {str(key).lower(): (str(key), item) for key, item in value.items()}

    def wrong(self, key: str, what: str) -> InvalidArgument:
        return InvalidArgument(f"{self._path}.{key}: {what}.")

    def checked(self, check: Callable[[], object], value: T) -> T:
        """`value`, if the check raises nothing; what it raises is given the path."""
        try:
            check()
        except BusError as error:
            raise InvalidArgument(f"{self._path}: {error.message}") from error
        return value

    def has(self, key: str) -> bool:
        return key.lower() in self._values

    def skip(self, key: str) -> None:
        self._values.pop(key.lower(), None)

    def end(self) -> None:
        """Everything must have been asked for by now."""
        for key, _ in self._values.values():
            raise self.wrong(key, "no such setting; is it a slip of the pen?")

    def _take(self, key: str, default: Any) -> Any:
        _, value = self._values.pop(key.lower(), (key, None))
        if value is None:
            if default is _REQUIRED:
                raise self.wrong(key, "it is required")
            return default
        return value

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, f"expected a text, found {value!r}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"expected true or false, found {value!r}")
        return value

    def number(self, key: str, default: int) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, f"expected a whole number, found {value!r}")
        return value

    def lifetime(self, key: str, default: str) -> Any:
        """A duration, None for ever."""
        text = self.text(key, default)
        try:
            return parse_duration(text)
        except InvalidArgument as error:
            raise self.wrong(key, error.message.rstrip(".")) from error

    def duration(self, key: str, default: str) -> Any:
        """A duration that has an end."""
        value = self.lifetime(key, default)
        if value is None:
            raise self.wrong(key, "it cannot be for ever")
        return value

    def scalars(self) -> dict[str, Any]:
        """All values, which must be texts, numbers or truth values."""
        for key, value in self._values.values():
            if not isinstance(value, (str, int, float, bool)):
                raise self.wrong(key, f"expected a text, a number, true or false, found {value!r}")
        return dict(self._values.values())

    def section(self, key: str, *, optional: bool = False) -> _Section:
        return _Section(self._take(key, {} if optional else _REQUIRED), f"{self._path}.{key}")

    def sections(self, key: str) -> Iterator[_Section]:
        """The objects of a list; an absent list is empty."""
        values = self._take(key, [])
        if not isinstance(values, list):
            raise self.wrong(key, f"expected a list, found {type(values).__name__}")
        return (_Section(value, f"{self._path}.{key}[{index}]") for index, value in enumerate(values))
