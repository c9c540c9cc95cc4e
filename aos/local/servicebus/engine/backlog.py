"""Messages ready to be received, in sequence order, even after some were handed out and came back."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush

from aos.local.servicebus.engine.message import Message

_SLACK = 64


class Backlog:
    """A line for new messages and a heap for returned ones: both ends of a delivery are cheap.

    `Message.ready` is True exactly while a message waits here.
    """

    __slots__ = ("_fresh", "_returned", "ready")

    def __init__(self) -> None:
        self._fresh: deque[Message] = deque()
        self._returned: list[tuple[int, Message]] = []
        self.ready = 0

    def push(self, message: Message) -> None:
        """Add a message with a higher sequence number than any before."""
        message.ready = True
        self._fresh.append(message)
        self.ready += 1

    def put_back(self, message: Message) -> None:
        """Return a message to its place."""
        message.ready = True
        heappush(self._returned, (message.sequence_number, message))
        self.ready += 1

    def pop(self) -> Message | None:
        """The ready message with the lowest sequence number, which leaves the backlog."""
        fresh, returned = self._fresh, self._returned
        while fresh or returned:
            if returned and (not fresh or returned[0][0] < fresh[0].sequence_number):
                message = heappop(returned)[1]
            else:
                message = fresh.popleft()
            if message.ready:
                message.ready = False
                self.ready -= 1
                return message
        return None

    def withdraw(self, message: Message) -> None:
        """Take one out from wherever it stands. It must not be put back here later."""
        message.ready = False
        self.ready -= 1
        if len(self._fresh) + len(self._returned) > 2 * self.ready + _SLACK:
            self._fresh = deque(waiting for waiting in self._fresh if waiting.ready)
            self._returned = [entry for entry in self._returned if entry[1].ready]
            heapify(self._returned)
