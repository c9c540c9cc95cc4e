"""`$cbs`: takes the tokens with which a client proves that it may use an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.kernel.errors import AosError, PermissionDenied
from aos.local.servicebus.amqp.types import Int
from aos.local.servicebus.server.request_links import Reply, Request

if TYPE_CHECKING:
    from aos.local.servicebus.server.connection import Connection

MAX_GRANTS = 1_000


class TokenNode:
    """Checks each token against the broker's keys and remembers what it grants to the connection.

    The type that a request names is not looked at: the SDK sends signatures as `jwt`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self) -> None:
        """There is always such a node."""

    def answer(self, request: Request) -> Reply:
        name = request.application_properties.get("name")
        if request.operation != "put-token" or not isinstance(name, str) or not isinstance(request.body, str):
            return _reply(400, "Put a token: operation put-token, a name, and the token as the value.")
        shared = self._connection.shared
        try:
            grant = shared.keys.check(request.body, name, shared.now())
        except PermissionDenied as refusal:
            return _reply(401, refusal.message)
        grants = self._connection.grants
        if len(grants) >= MAX_GRANTS and grant.path not in grants:
            return _reply(403, f"One connection may hold {MAX_GRANTS} tokens.")
        grants[grant.path] = grant
        return _reply(202, "Accepted")

    def failed(self, failure: AosError) -> Reply:
        return _reply(500, failure.message)


def _reply(status: int, description: str) -> Reply:
    return Reply({"status-code": Int(status), "status-description": description})
