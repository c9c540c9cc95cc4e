"""The way to receive that serves Microsoft's emulator and real namespaces, here against our own broker."""

from __future__ import annotations

from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from aos.local.servicebus.engine import Bus
from aos.local.servicebus.server.broker_server import BrokerServer
from tests.local.host.conftest import StartHost, next_seen
from tests.local.host.test_service_bus import until_empty


async def test_the_same_functions_run_on_the_sdk(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver, bus: Bus
) -> None:
    await client.send("mailboxes", [OutgoingMessage(str(n).encode(), session_id="s") for n in range(3)])
    await client.send("events", [OutgoingMessage(b"news", subject="s")])
    await client.send("incoming", [OutgoingMessage(b"forward", application_properties={"a": "b"})])
    async with start_host(broker.connection_string, grace=1.0, settings={"AOS_HOST_RECEIVER": "sdk"}):
        notes = {note[0]: note[1:] for note in [await next_seen("mailbox", "event", "one") for _ in range(3)]}
        assert notes == {
            "mailbox": ("s", ["0", "1", "2"]),
            "event": ("news", "s"),
            "one": ("forward", 1),
        }
        await until_empty(bus, "mailboxes")
        await until_empty(bus, "incoming")
    assert bus.statistics("outgoing").active == 1
