"""The administration endpoint's requests: which entity, which method, and what comes back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote
from weakref import WeakSet
from xml.etree.ElementTree import Element

from aiohttp import web

from aos.kernel.errors import AosError, PermissionDenied
from aos.local.servicebus.administration import atom
from aos.local.servicebus.administration.atom import SERVICE_BUS
from aos.local.servicebus.administration.descriptions_xml import (
    kind_of,
    queue_element,
    read_queue,
    read_subscription,
    read_topic,
    subscription_element,
    topic_element,
)
from aos.local.servicebus.administration.fields import put
from aos.local.servicebus.administration.rules_xml import read_rule, rule_element
from aos.local.servicebus.engine import (
    EntityNotFound,
    InvalidArgument,
    NotPermitted,
    QueueDescription,
    SubscriptionDescription,
    TopicDescription,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aos.local.servicebus.engine import Bus
    from aos.local.servicebus.shared_access import KeyRing

_XML = "application/xml"
_MAX_BODY = 1024 * 1024


class AdministrationEndpoint:
    """Answers `ServiceBusAdministrationClient`, and `GET /health` for anybody."""

    def __init__(self, bus: Bus, keys: KeyRing) -> None:
        self._bus = bus
        self._keys = keys
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    def application(self) -> web.Application:
        """The endpoint as an aiohttp application."""
        application = web.Application(client_max_size=_MAX_BODY, middlewares=[self._guard])
        application.router.add_get("/health", self._health)
        application.router.add_get("/$namespaceinfo", self._namespace)
        application.router.add_get("/$Resources/{kind}", self._list_entities)
        application.router.add_route("*", "/{path:.+}", self._entity)
        return application

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        try:
            if request.path != "/health":
                token = request.headers.get("Authorization", "")
                self._keys.check(token, unquote(request.path), time.time())
            return await handler(request)
        except PermissionDenied as refusal:
            return _response(atom.error(401, refusal.message), 401)
        except AosError as error:
            status = getattr(error, "status", 500)
            return _response(atom.error(status, error.message), status)

    async def abort_connections(self) -> None:
        """Drop what is still open: under TLS a closing side would wait for the other's farewell."""
        for transport in list(self._transports):
            transport.abort()
        # The transport under TLS is closed a turn of the event loop later, and its socket another one later.
        for _ in range(3):
            await asyncio.sleep(0)

    # Fixed addresses

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "healthy"})

    async def _namespace(self, request: web.Request) -> web.Response:
        element = Element(f"{{{SERVICE_BUS}}}NamespaceInfo")
        put(element, "Name", request.host)
        put(element, "MessagingSKU", "Standard")
        put(element, "NamespaceType", "Messaging")
        return _document(atom.entry(request.host, str(request.url), element))

    async def _list_entities(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"].lower()
        if kind == "queues":
            return _feed(request, [(queue.name, self._queue(queue.name)) for queue in self._bus.queues()])
        if kind == "topics":
            return _feed(request, [(topic.name, self._topic(topic.name)) for topic in self._bus.topics()])
        raise EntityNotFound(f"There is no list of {kind!r}: ask for queues or topics.")

    # Entities by path

    async def _entity(self, request: web.Request) -> web.Response:
        parts = _parts(request.match_info["path"])
        if request.method == "PUT":
            return await self._put(request, parts)
        if request.method == "DELETE":
            return await self._delete(parts)
        if request.method != "GET":
            raise NotPermitted(f"{request.method} means nothing here: use GET, PUT or DELETE.")
        return self._get(request, parts)

    def _get(self, request: web.Request, parts: list[str]) -> web.Response:
        if len(parts) == 1:
            return _document(atom.entry(parts[0], str(request.url), self._queue_or_topic(parts[0])))
        if len(parts) == 2:
            found = [(it.name, self._subscription(parts[0], it.name)) for it in self._bus.subscriptions(parts[0])]
            return _feed(request, found)
        topic, _, name = parts[:3]
        if len(parts) == 3:
            return _document(atom.entry(name, str(request.url), self._subscription(topic, name)))
        if len(parts) == 4:
            return _feed(request, [(rule.name, rule_element(rule)) for rule in self._bus.rules(topic, name)])
        return _document(atom.entry(parts[4], str(request.url), rule_element(self._bus.rule(topic, name, parts[4]))))

    async def _put(self, request: web.Request, parts: list[str]) -> web.Response:
        description = atom.description_in(await request.read())
        update = "If-Match" in request.headers
        if len(parts) == 1:
            element = self._put_entity(parts[0], description, update=update)
        elif len(parts) == 3:
            element = self._put_subscription(parts[0], parts[2], description, update=update)
        elif len(parts) == 5:
            element = self._put_rule(parts, description, update=update)
        else:
            raise InvalidArgument("This address is a list: put to the address of one entity.")
        await self._bus.flush()
        return _document(atom.entry(parts[-1], str(request.url), element), 200 if update else 201)

    def _put_entity(self, name: str, description: Element, *, update: bool) -> Element:
        if kind_of(description) == "TopicDescription":
            topic = self._bus.topic(name) if update else TopicDescription(name=name)
            (self._bus.update_topic if update else self._bus.create_topic)(read_topic(description, topic))
            return self._topic(name)
        queue = self._bus.queue(name) if update else QueueDescription(name=name)
        (self._bus.update_queue if update else self._bus.create_queue)(read_queue(description, queue))
        return self._queue(name)

    def _put_subscription(self, topic: str, name: str, description: Element, *, update: bool) -> Element:
        before = self._bus.subscription(topic, name) if update else SubscriptionDescription(topic=topic, name=name)
        change = self._bus.update_subscription if update else self._bus.create_subscription
        change(read_subscription(description, before))
        return self._subscription(topic, name)

    def _put_rule(self, parts: list[str], description: Element, *, update: bool) -> Element:
        rule = read_rule(description, parts[4])
        change = self._bus.update_rule if update else self._bus.create_rule
        return rule_element(change(parts[0], parts[2], rule))

    async def _delete(self, parts: list[str]) -> web.Response:
        if len(parts) == 1:
            self._delete_entity(parts[0])
        elif len(parts) == 3:
            self._bus.delete_subscription(parts[0], parts[2])
        elif len(parts) == 5:
            self._bus.delete_rule(parts[0], parts[2], parts[4])
        else:
            raise InvalidArgument("This address is a list: delete one entity at a time.")
        await self._bus.flush()
        return web.Response(status=200)

    def _delete_entity(self, name: str) -> None:
        try:
            self._bus.delete_queue(name)
        except EntityNotFound:
            self._bus.delete_topic(name)

    # Documents

    def _queue_or_topic(self, name: str) -> Element:
        try:
            return self._queue(name)
        except EntityNotFound:
            return self._topic(name)

    def _queue(self, name: str) -> Element:
        return queue_element(self._bus.queue(name), self._bus.statistics(name))

    def _topic(self, name: str) -> Element:
        subscriptions = len(self._bus.subscriptions(name))
        return topic_element(self._bus.topic(name), self._bus.statistics(name), subscriptions)

    def _subscription(self, topic: str, name: str) -> Element:
        counts = self._bus.statistics(f"{topic}/Subscriptions/{name}")
        return subscription_element(self._bus.subscription(topic, name), counts)


def _parts(path: str) -> list[str]:
    """Entity, `subscriptions`, name, `rules`, name: as many as the path has. Entity names may hold slashes."""
    name, separator, rest = _split(path.strip("/"), "subscriptions")
    if not separator:
        return [name]
    subscription, separator, rule = _split(rest, "rules")
    parts = [name, "subscriptions"]
    if subscription:
        parts.append(subscription)
    if separator:
        parts.append("rules")
        if rule:
            parts.append(rule)
    return parts


def _split(path: str, word: str) -> tuple[str, bool, str]:
    lowered = f"{path.lower()}/"
    position = lowered.find(f"/{word}/")
    if position < 0:
        return path, False, ""
    return path[:position], True, path[position + len(word) + 2 :]


def _feed(request: web.Request, found: Sequence[tuple[str, Element]]) -> web.Response:
    try:
        skip, top = int(request.query.get("$skip", "0")), int(request.query.get("$top", "100"))
    except ValueError:
        raise InvalidArgument("$skip and $top are numbers.") from None
    page = found[max(0, skip) : max(0, skip) + max(1, top)]
    following = skip + len(page)
    next_url = str(request.url.update_query({"$skip": following, "$top": top})) if following < len(found) else None
    base = str(request.url.with_query(None))
    entries = [atom.entry(name, f"{base}/{name}", element) for name, element in page]
    return _document(atom.feed(request.path.strip("/"), str(request.url), entries, next_url))


def _document(element: Element, status: int = 200) -> web.Response:
    return _response(atom.encoded(element), status)


def _response(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type=_XML, charset="utf-8")
