"""Keys are planted, and searched for wherever they must not be."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Iterator

import pytest

from aos.llm.client import HttpTransport
from aos.llm.endpoint import Endpoints
from aos.llm.errors import ModelError
from aos.llm.request import ModelRequest
from aos.testing.models import Break, Cut, Disconnect, ModelServer, Play, Raw, Refuse, Reproach, Say
from tests.llm.conftest import DIALECTS, MODEL_OF, TIMES, profile_on

CANARY = "Canary-0123456789ABCdef"


async def canary(name: str) -> str | None:
    return CANARY if name.endswith(("_KEY", "_TOKEN")) else None


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything any logger says, the HTTP client's own included."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "play",
    [
        Say("fine"),
        Refuse(401, f"the key {CANARY} is wrong", code=CANARY),
        Refuse(500, "no"),
        Reproach(f"bad key {CANARY}"),
        Disconnect(),
        Raw(f"<html>{CANARY}</html>".encode(), status=502),
        Cut(),
        Break(message=f"{CANARY} is not allowed any more", code=CANARY),
    ],
    ids=lambda play: type(play).__name__,
)
@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "ollama_native"])  # which has no key
async def test_keys_stay_where_they_belong(
    dialect: str, play: Play, stream: bool, logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    transport = HttpTransport(Endpoints(canary))
    shown: list[str] = []
    async with ModelServer(play) as server:
        profile = profile_on(server, dialect)
        request = ModelRequest.ask("Hello")
        try:
            if stream:
                shown += [repr(d) async for d in transport.stream(profile, MODEL_OF[dialect], request, times=TIMES)]
            else:
                answer = await transport.complete(profile, MODEL_OF[dialect], request, times=TIMES)
                shown += [repr(answer), answer.model_dump_json()]
        except ModelError as error:
            shown += [str(error), repr(error), str(error.to_json()), str(error.__dict__)]
            shown += ["".join(traceback.format_exception(error)), str(pickle.dumps(error))]
        endpoint = await transport.endpoints.resolve(profile)
        shown += [repr(endpoint), str(endpoint), repr(transport), repr(profile)]
        assert all(CANARY in str(seen.headers) for seen in server.seen)
        assert CANARY not in str([(seen.path, seen.query, seen.body) for seen in server.seen])
    await transport.aclose()
    shown += [logged.getvalue(), *capsys.readouterr()]
    assert [text for text in shown if CANARY.lower() in text.lower()] == []


async def test_a_key_is_not_sent_to_another_host() -> None:
    async with ModelServer(Say("stolen")) as elsewhere, ModelServer() as server:
        urls = f'{{"get": "{elsewhere.url}/v1/predictions/p1"}}'
        body = f'{{"id": "p1", "status": "starting", "urls": {urls}}}'
        server.play(Raw(body.encode(), status=201))
        transport = HttpTransport(Endpoints(canary), poll_every=0.0)
        profile = profile_on(server, "replicate_predictions")
        with pytest.raises(ModelError):
            await transport.complete(profile, "openai/gpt-oss-20b", ModelRequest.ask("?"), times=TIMES)
        await transport.aclose()
        assert CANARY not in str(elsewhere.seen)
        assert len(elsewhere.seen) == 1
