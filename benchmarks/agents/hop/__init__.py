"""An agent with about 1 KB of state that passes messages on."""

from pydantic import BaseModel, Field

from aos.agents import Agent, Turn, on

DONE = "businessinfinity-responses"
RING = 100
STRIDE = 37
"""Coprime to the number of agents, so that a chain visits them all."""


class HopState(BaseModel):
    """About 1 KB of JSON, a part of which every turn changes."""

    hops: int = 0
    last: str = ""
    notes: list[str] = Field(default_factory=lambda: ["x" * 90] * 10)


class Hop(BaseModel):
    """Attributes: chain: Which chain it belongs to. left: How many more hops it is to make. ring: Agents it visits."""

    chain: int
    left: int
    ring: int = RING


class HopAgent(Agent[HopState]):
    type = "hop"
    purpose = "Pass it on"
    listed = False

    @on("hop")
    async def hop(self, turn: Turn, state: HopState, hop: Hop) -> None:
        state.hops += 1
        state.last = turn.message.id
        if hop.left:
            number = int(turn.agent.partition(":")[2])
            following = number // hop.ring * hop.ring + (number + STRIDE) % hop.ring
            turn.send(f"hop:{following}", "hop", hop.model_copy(update={"left": hop.left - 1}).model_dump())
        else:
            turn.export(DONE, {"chain": hop.chain})


AGENT = HopAgent
