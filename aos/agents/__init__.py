"""What an agent author uses."""

from aos.agents.agent import Agent, NoState
from aos.agents.context_server import ContextLimits, ContextMCPServer
from aos.agents.handlers import on, on_event, on_reply
from aos.agents.registry import AgentRegistry, discover
from aos.agents.task_type import TaskType
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import Turn

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
    "discover",
    "on",
    "on_event",
    "on_reply",
]
