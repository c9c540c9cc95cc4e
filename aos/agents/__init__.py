"""What an agent author uses."""

from aos.agents.agent import Agent, NoState
from aos.agents.context_server import ContextLimits, ContextMCPServer
from aos.agents.handlers import on, on_event, on_reply
from aos.agents.migration import migrates
from aos.agents.registry import AgentRegistry, discover
from aos.agents.task_type import TaskType
from aos.agents.wake import Wake
from aos.agents.turn import Turn
from aos.kernel.policy import AgentPolicy, RetryPolicy

__all__ = [
    "Agent",
    "AgentPolicy",
    "AgentRegistry",
    "ContextLimits",
    "ContextMCPServer",
    "NoState",
    "RetryPolicy",
    "TaskType",
    "Turn",
    "Wake",
    "discover",
    "migrates",
    "on",
    "on_event",
    "on_reply",
]
