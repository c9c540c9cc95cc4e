"""`aos agent pause` and its like, and `aos team`."""

from __future__ import annotations

from tests.cli.test_commands import Terminal, terminal

__all__ = ["terminal"]


def test_an_agent_is_stopped_looked_at_and_released(terminal: Terminal) -> None:
    assert "given no orders" in terminal("agent", "history", "boss").stdout
    assert "counter is paused." in terminal("agent", "pause", "counter", "--reason", "Audit").stdout
    terminal("agent", "send", "counter", "counter.add", '{"by": 3}')
    health = terminal("agent", "health", "counter").stdout
    assert "degraded" in health
    assert "Audit" in health
    assert "counter is sleeping, 1 messages wait." in terminal("agent", "resume", "counter").stdout
    assert terminal.json("agent", "show", "counter")["state"]["total"] == 3
    assert "Audit" in terminal("agent", "history", "counter").stdout
    assert "More: --after" in terminal("agent", "history", "counter", "--limit", "1").stdout
    assert terminal.json("agent", "history", "counter")["orders"][0]["event"] == "pause"
    assert "counter is draining." in terminal("agent", "drain", "counter").stdout
    quarantined = terminal("agent", "quarantine", "counter", "--reason", "Odd")
    assert "counter is quarantined." in quarantined.stdout
    assert "unhealthy" in terminal("agent", "health", "counter", code=1).stdout
    assert '"unhealthy"' in terminal("agent", "health", "counter", "--json", code=1).stdout


def test_an_agent_is_ended_and_registered_again(terminal: Terminal) -> None:
    assert "needs a `reason`" in terminal("agent", "terminate", "counter", code=1).output
    assert "counter is terminated." in terminal("agent", "terminate", "counter", "--reason", "Done").stdout
    assert "counter is initialized." in terminal("agent", "register", "counter").stdout
    assert "no file 'No File'" in terminal("agent", "register", "No File", code=2).output


def test_types_and_teams_take_orders(terminal: Terminal) -> None:
    terminal("agent", "send", "counter:eu", "counter.add")
    assert "type counter is paused, 1 living agents with it." in terminal("agent", "pause", "--type", "counter").stdout
    terminal.world.clock.advance(1)
    assert "type counter is open" in terminal("agent", "resume", "--type", "counter").stdout
    assert "There are no teams" in terminal("team", "list").stdout
    assert "Team desk: counter:*, boss" in terminal("team", "set", "desk", "counter:*", "boss").stdout
    assert "counter:*, boss" in terminal("team", "list").stdout
    assert terminal.json("team", "list")["teams"][0]["team"] == "desk"
    told = terminal("agent", "pause", "--team", "desk", "--reason", "Fire drill").stdout
    assert "boss is paused." in told
    assert terminal.json("team", "set", "odd", "boss:nobody")["members"] == ["boss:nobody"]
    assert "boss:nobody: There is no agent" in terminal("agent", "pause", "--team", "odd", code=1).stdout
    assert "forgotten" in terminal("team", "delete", "odd").stdout
    assert terminal.json("team", "delete", "desk") == {"team": "desk", "deleted": True}
    assert "Name one agent" in terminal("agent", "pause", code=2).output
    assert terminal.json("agent", "pause", "counter:eu")["status"] == "paused"
