"""Business apps, and the commands of other systems, from the command line."""

from __future__ import annotations

from tests.cli.test_commands import Terminal, terminal

__all__ = ["terminal"]


def test_an_app_is_registered_found_and_forgotten(terminal: Terminal) -> None:
    told = terminal("app", "register", "Business Infinity", "--agent", "counter=sums").stdout
    assert "App business_infinity is registered. It asks on aos-requests, and is answered on" in told
    assert "business_infinity-responses" in told
    assert "Business Infinity" in terminal("app", "list", "--agent", "counter").stdout
    assert terminal("app", "list", "--agent", "nobody").stdout.strip() == "There are no apps."
    assert terminal.json("app", "show", "business_infinity")["agents_to_orchestrate"][0]["role"] == "sums"
    assert "Write `--agent cfo=finance`" in terminal("app", "register", "Other", "--agent", "cfo", code=1).output
    assert "unknown_workflow" in terminal("app", "register", "Other", "--workflow", "none", code=1).output
    assert "is forgotten" in terminal("app", "delete", "business_infinity").stdout
    assert "not_found" in terminal("app", "show", "business_infinity", code=1).output


def test_an_agent_is_stopped_and_started_in_the_words_of_other_systems(terminal: Terminal) -> None:
    terminal("agent", "send", "counter", "counter.add", '{"by": 1}')
    assert "counter is paused" in terminal("agent", "command", "stop", "counter", "--reason", "audit").stdout
    assert terminal.json("agent", "show", "counter")["reason"] == "audit"
    assert terminal.json("agent", "command", "start", "counter")["status"] == "sleeping"
    assert "counter" in terminal("agent", "command", "reload_registry").stdout
    assert "needs an `agent_id`" in terminal("agent", "command", "stop", code=1).output


def test_what_an_agent_answers_is_shown_to_who_waits(terminal: Terminal) -> None:
    sent = terminal("agent", "send", "counter", "counter.add", '{"by": 1}', "--id", "m-1").stdout
    assert "Message m-1 is in the mailbox of counter." in sent
    again = terminal.json("agent", "send", "counter", "counter.add", '{"by": 1}', "--id", "m-1", "--wait", "5")
    assert again["outcome"] == "applied"
