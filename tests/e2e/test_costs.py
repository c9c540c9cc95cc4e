"""What a hop costs over the real SDKs: one send, one receive, one complete; warm one storage transaction, cold two."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.conftest import post, until, usage

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOPS = 100


async def test_a_hop_costs_a_send_a_receive_a_complete_and_a_storage_transaction(http: httpx.AsyncClient) -> None:
    before = await usage(http)
    await post(http, "counter:a", "pass", HOPS)
    # The last hop arrives where the first did.
    await until(http, "/api/v1/agents/counter:a", lambda agent: (agent["state"] or {}).get("value") == HOPS // 2 + 1)
    after = await usage(http)
    spent = {name: after[name] - before.get(name, 0) for name in ("bus_sends", "bus_receives")}
    assert spent == {"bus_sends": HOPS + 1, "bus_receives": HOPS + 1}
    done = await until(http, "/api/v1/system/status", lambda status: _completed(status, before) >= HOPS + 1)
    assert _completed(done, before) == HOPS + 1

    for agent, turns in (("counter:a", HOPS // 2 + 1), ("counter:b", HOPS // 2)):
        entries = (await http.get(f"/api/v1/agents/{agent}/journal", params={"limit": 1000})).json()["entries"]
        assert len(entries) == turns
        # Cold at first: the head is looked for. Warm ever after.
        assert [entry["usage"]["storage_operations"] for entry in entries] == [3] + [1] * (turns - 1)


def _completed(status: dict[str, dict[str, int]], before: object) -> int:
    assert isinstance(before, dict)
    return status["usage"]["bus_completes"] - int(before.get("bus_completes", 0))
