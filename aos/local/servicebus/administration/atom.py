"""Atom documents around the service's descriptions: entries, feeds and errors, written and read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, SubElement, XMLParser, tostring

from aos.local.servicebus.engine import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

ATOM = "http://www.w3.org/2005/Atom"
SERVICE_BUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def entry(title: str, url: str, description: Element) -> Element:
    """An entry that holds one description."""
    element = Element(f"{{{ATOM}}}entry")
    _text(element, "id", url)
    _text(element, "title", title)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    _text(element, "published", now)
    _text(element, "updated", now)
    _link(element, "self", url)
    content = SubElement(element, f"{{{ATOM}}}content", {"type": "application/xml"})
    content.append(description)
    return element


def feed(title: str, url: str, entries: Iterable[Element], next_url: str | None) -> Element:
    """A page of entries; `next_url` leads to the next."""
    element = Element(f"{{{ATOM}}}feed")
    _text(element, "title", title)
    _text(element, "id", url)
    _text(element, "updated", datetime.now(UTC).isoformat().replace("+00:00", "Z"))
    _link(element, "self", url)
    if next_url is not None:
        _link(element, "next", next_url)
    element.extend(entries)
    return element


def error(status: int, detail: str) -> bytes:
    """The document in which the service says what is wrong."""
    element = Element("Error")
    SubElement(element, "Code").text = str(status)
    SubElement(element, "Detail").text = detail
    return encoded(element)


def encoded(element: Element) -> bytes:
    return bytes(tostring(element, encoding="utf-8", xml_declaration=True))


def description_in(body: bytes) -> Element:
    """The description inside of an entry that a client sent.

    Raises:
        InvalidArgument: the body is not such a document.
    """
    # Entities are the one dangerous thing in XML, and no client of the service needs them.
    if b"<!" in body:
        raise InvalidArgument("The document has a type declaration, which is not accepted.")
    parser = XMLParser()  # noqa: S314 - nothing that expands gets here
    try:
        parser.feed(body)
        root = parser.close()
    except ParseError as problem:
        raise InvalidArgument(f"The document is not XML: {problem}.") from None
    content = root.find(f"{{{ATOM}}}content")
    if content is None or len(content) != 1:
        raise InvalidArgument("The document is not an Atom entry with one description in its content.")
    return content[0]


def _text(parent: Element, name: str, value: str) -> None:
    SubElement(parent, f"{{{ATOM}}}{name}").text = value


def _link(parent: Element, relation: str, url: str) -> None:
    SubElement(parent, f"{{{ATOM}}}link", {"rel": relation, "href": url})
