"""How an agent's pursuit of its purpose goes, for people who look from outside, with what the last turns were worth."""

from __future__ import annotations

from typing import Any

from aos.agents.directory import Directory
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.kernel.errors import NotFound
from aos.kernel.journal import JournalEntry


def expect_purposeful(directory: Directory, address: str) -> PurposeDrivenAgent[Any]:
    """The behaviour at an address, if it pursues a purpose.

    Raises:
        UnknownAgentType: nobody registered the agent's type.
        NotFound: it is of another kind.
    """
    agent = directory.expect(address)
    if not isinstance(agent, PurposeDrivenAgent):
        raise NotFound(
            f"Agent type {agent.type!r} has no goals: its turns are not scored. Make it a `PurposeDrivenAgent`.",
            code="no_pursuit",
        )
    return agent


async def purpose_report(directory: Directory, address: str, *, turns: int) -> dict[str, Any]:
    """Purpose, goals, metrics and flags, and the scores of the newest turns, newest first.

    Args:
        directory: The agents.
        address: Whose pursuit.
        turns: How many turns to look back.

    Raises:
        UnknownAgentType, NotFound: there is no such agent, or it pursues no purpose.
    """
    agent = expect_purposeful(directory, address)
    version = (await directory.status(address))["version"]
    entries = await directory.journal(address, after=max(0, version - turns), limit=turns)
    history = [each for entry in reversed(entries) for each in reversed(_scores(entry))]
    return {**await agent.get_purpose_status(address), "history": history}


def _scores(entry: JournalEntry) -> list[dict[str, Any]]:
    scored = [fact for fact in entry.facts if fact["kind"] == "purpose.scored"]
    flags = [fact["flag"] for fact in entry.facts if fact["kind"] == "purpose.flagged"]
    rows = [
        {"turn": entry.version, "time": entry.time, **{name: fact[name] for name in ("score", "aligned", "useful")}}
        for fact in scored
    ]
    if rows:
        rows[-1]["flagged"] = flags
    return rows
