"""Webhooks: what arrives proves where it comes from, and what does not arrive is told apart."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from aos.kernel.errors import AosError, PermissionDenied, SettingInvalid, SettingMissing, Throttled
from aos.tools.egress import Egress
from aos.tools.errors import ToolFailed, ToolRefused
from aos.tools.webhook import Webhooks

KEY = SecretStr("whsec_" + base64.b64encode(b"k" * 32).decode())
HERE = Egress.to(["localhost"], allow_private=True)
STATUSES = {"/busy": 429, "/broken": 500, "/gone": 410, "/moved": 302}


class Receiver:
    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    def status(self, path: str) -> int:
        return STATUSES.get(path, 204)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.received.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status = self.status(request.path)
        return web.Response(status=status, headers={"Retry-After": "9", "Location": "/ok"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    receiver.url = f"http://localhost:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    yield receiver
    await runner.cleanup()


async def test_the_specifications_own_library_accepts_what_arrives(receiver: Receiver) -> None:
    status = await Webhooks(HERE, KEY).post(f"{receiver.url}/ok", "e1", {"text": "grüezi"}, at=datetime.now(UTC))
    assert status == 204
    headers, body = receiver.received[0]
    verifier = Webhook(KEY.get_secret_value())
    assert verifier.verify(body, headers) == {"text": "grüezi"}
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body.replace(b"g", b"G"), headers)
    assert headers["webhook-id"] == "e1"


@pytest.mark.parametrize(
    ("path", "error"), [("/busy", Throttled), ("/broken", ToolFailed), ("/gone", ToolRefused), ("/moved", ToolFailed)]
)
async def test_answers_that_are_none_of_success_are_told_apart(
    receiver: Receiver, path: str, error: type[AosError]
) -> None:
    with pytest.raises(error) as caught:
        await Webhooks(HERE, KEY).post(receiver.url + path, "e1", {}, at=datetime.now(UTC))
    assert len(receiver.received) == 1
    if error is Throttled:
        assert caught.value.retry_after == 9


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(ToolFailed, match="cannot be reached"):
        await Webhooks(HERE, KEY).post("http://localhost:1/x", "e1", {}, at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("egress", "key", "address", "error"),
    [
        (HERE, None, "http://localhost/x", SettingMissing),
        (HERE, KEY, "http://elsewhere/x", PermissionDenied),
        (Egress.to(["127.0.0.1"]), KEY, "http://127.0.0.1/x", PermissionDenied),
    ],
)
def test_what_cannot_be_sent_is_known_beforehand(
    egress: Egress, key: SecretStr | None, address: str, error: type[AosError]
) -> None:
    with pytest.raises(error):
        Webhooks(egress, key).check(address)


@pytest.mark.parametrize("key", ["whsec_%%%", "whsec_c2hvcnQ="])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Webhooks(HERE, SecretStr(key))
    assert key.removeprefix("whsec_") not in str(caught.value)
