"""The state of the loopback provider's predictions: ordered, asked for, streamed, called off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Break, Cut, Garble, Pending, Play, Say, Stall
from aos.testing.models.voices.replicate import ReplicateVoice

_KNOWN = re.compile(r"/predictions/(?P<id>p\d+)(?P<verb>/cancel|/stream)?$")


class Predictions:
    def __init__(self) -> None:
        self.canceled: list[str] = []
        self._plays: dict[str, Play] = {}
        self._polls: dict[str, int] = {}
        self._requests: dict[str, HttpRequest] = {}

    def order(self, play: Play, request: HttpRequest, url: str) -> Mapping[str, Any] | None:
        """A new prediction; None for plays that spoil the order itself."""
        streamed = request.body.get("stream") is True
        later = isinstance(play, Stall) and play.frames is not None
        if not isinstance(play, Say | Pending) and not (streamed and (later or isinstance(play, Cut | Break | Garble))):
            return None
        name = f"p{len(self._plays) + 1}"
        self._plays[name] = play
        self._requests[name] = request
        self._polls[name] = play.polls if isinstance(play, Pending) else 0
        return self._state(name, url, streamed=streamed)

    def known(self, request: HttpRequest, url: str) -> Mapping[str, Any] | Play | None:
        """What a request about an earlier prediction gets: its state, or the play to stream; None for others."""
        match = _KNOWN.search(request.path)
        if match is None or match["id"] not in self._plays:
            return None
        name = match["id"]
        if match["verb"] == "/stream":
            play = self._plays[name]
            return play.say if isinstance(play, Pending) else play
        if match["verb"] == "/cancel":
            self.canceled.append(name)
            return {"id": name, "status": "canceled"}
        self._polls[name] -= 1
        return self._state(name, url, streamed=False)

    def _state(self, name: str, url: str, *, streamed: bool) -> Mapping[str, Any]:
        play, here = self._plays[name], f"{url}/v1/predictions/{name}"
        urls = {"get": here, "cancel": f"{here}/cancel", "stream": f"{here}/stream"}
        if streamed or self._polls[name] > 0:
            return {"id": name, "status": "starting", "output": None, "error": None, "urls": urls}
        say = play if isinstance(play, Say) else getattr(play, "say", Say())
        return {**ReplicateVoice().whole(say, self._requests[name]), "id": name, "urls": urls}
