"""What an agent author uses."""

from aos.agents.agent import Agent, NoState
from aos.agents.context_server import ContextLimits, ContextMCPServer
from aos.agents.function_agent import new_agent
from aos.agents.handlers import on, on_event, on_reply
from aos.agents.leadership_agent import LeadershipAgent
from aos.agents.migration import migrates
from aos.agents.perpetual_agent import PerpetualAgent
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.agents.registry import AgentRegistry, discover
from aos.agents.turn import Turn
from aos.agents.wake import Wake
from aos.kernel.policy import AgentPolicy, RetryPolicy

__all__ = [
    "Agent",
    "AgentPolicy",
    "AgentRegistry",
    "ContextLimits",
    "ContextMCPServer",
    "LeadershipAgent",
    "NoState",
    "PerpetualAgent",
    "PurposeDrivenAgent",
    "RetryPolicy",
    "Turn",
    "Wake",
    "discover",
    "migrates",
    "new_agent",
    "on",
    "on_event",
    "on_reply",
]
