"""Messages that cannot be answered or sent hold up nobody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aos.kernel.errors import NotAllowedNow, NotFound, TerminalError
from aos.kernel.kernel import Delivery
from aos.kernel.ports import OutboundMessage
from aos.kernel.turn import Turn
from tests.kernel.world import Outbox, Script, World, count


class Town(Outbox):
    """A bus without a queue named `nowhere`."""

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        if any(message.entity == "nowhere" for message in messages):
            raise NotFound("There is no queue 'nowhere'.")
        await super().send(messages)


async def refuse(turn: Turn) -> None:
    raise TerminalError("Never.")


@pytest.mark.parametrize("reply_to", ["https://example.org/", "queue:", "Nobody!"])
async def test_a_message_whose_sender_cannot_be_told_is_a_dead_letter_all_the_same(reply_to: str) -> None:
    world = World(Script("a", refuse))
    message = world.message("a", reply_to=reply_to)
    await world.give(message)
    await world.give(world.message("unknown", reply_to=reply_to))
    await world.kernel.recover(Delivery(world.message("a", reply_to=reply_to).encode()), TerminalError("Given up."))
    assert world.outbox.sent == []
    letters, _ = await world.kernel.dead_letters.page()
    assert len(letters) == 3


@pytest.mark.parametrize("reply_to", ["queue:answers", "b"])
async def test_a_sender_that_can_be_told_is_told(reply_to: str) -> None:
    world = World(Script("a", refuse))
    await world.give(world.message("a", reply_to=reply_to))
    await world.give(world.message("unknown", reply_to=reply_to))
    assert [(mail.session_id or mail.entity, mail.subject) for mail in world.outbox.sent] == [
        (reply_to.removeprefix("queue:"), "aos.error")
    ] * 2


async def test_what_the_bus_will_never_take_is_a_dead_letter_and_the_rest_is_sent() -> None:
    async def run(turn: Turn) -> None:
        await count(turn)
        turn.send("b", "first")
        turn.export("nowhere", {"order": 7})
        turn.send("b", "second")

    world = World(Script("a", run))
    world.outbox = Town()
    world.kernel = world.instance()
    message = world.message("a")
    await world.give(message)
    await world.give(message, delivery_count=2)
    assert [mail.subject for mail in world.outbox.sent] == ["first", "second"]
    assert await world.state("a") == {"total": 1}
    [letter], _ = await world.kernel.dead_letters.page()
    assert (letter.agent, letter.error["code"], letter.body) == ("a", "not_sendable", '{"order": 7}')
    with pytest.raises(NotAllowedNow):
        await world.kernel.resubmit(letter.id)
