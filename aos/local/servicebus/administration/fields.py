"""Single values of a description in XML: durations, numbers, switches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from xml.etree.ElementTree import SubElement

from aos.local.servicebus.administration.atom import SERVICE_BUS
from aos.local.servicebus.engine import InvalidArgument
from aos.local.servicebus.engine.duration import format_duration, parse_duration

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def put(parent: Element, name: str, value: str | int | bool | timedelta | None) -> None:
    """Append a field; nothing for None."""
    if value is None:
        return
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, timedelta):
        text = format_duration(value)
    else:
        text = str(value)
    SubElement(parent, f"{{{SERVICE_BUS}}}{name}").text = text


class Fields:
    """The fields of a description that a client sent. Getters raise InvalidArgument for what they cannot read."""

    def __init__(self, element: Element) -> None:
        self.element = element

    def text(self, name: str, default: str | None = None) -> str | None:
        found = self.element.find(f"{{{SERVICE_BUS}}}{name}")
        return default if found is None or not found.text else found.text

    def child(self, name: str) -> Fields | None:
        found = self.element.find(f"{{{SERVICE_BUS}}}{name}")
        return None if found is None else Fields(found)

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.text(name)
        return default if value is None else value.strip().lower() == "true"

    def number(self, name: str, default: int) -> int:
        value = self.optional_number(name)
        return default if value is None else value

    def optional_number(self, name: str) -> int | None:
        value = self.text(name)
        try:
            return None if value is None else int(value)
        except ValueError:
            raise InvalidArgument(f"{name} is not a number: {value!r}.") from None

    def duration(self, name: str, default: timedelta) -> timedelta:
        value = self.text(name)
        return default if value is None else (parse_duration(value) or default)

    def time_to_live(self, name: str, default: timedelta | None) -> timedelta | None:
        """None for a time so long that it means for ever."""
        value = self.text(name)
        return default if value is None else parse_duration(value)
