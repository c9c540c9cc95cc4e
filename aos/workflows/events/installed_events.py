"""Puts the rules and patterns of an application into force: their agents, and the events these subscribe to."""

from __future__ import annotations

from aos.agents import AgentRegistry
from aos.workflows.events.action import StartWorkflow
from aos.workflows.events.declared_events import DeclaredEvents, read_event_files
from aos.workflows.events.pattern_agent import PatternAgent
from aos.workflows.events.rule_agent import RuleAgent


def install_events(registry: AgentRegistry, *, start: StartWorkflow | None = None) -> DeclaredEvents:
    """Read the files beside the agents, and have the registry know what they declare.

    Args:
        registry: Of the agents; its `folders` are searched.
        start: Starts workflows for rules and patterns.

    Raises:
        InvalidInput, AlreadyExists: as `read_event_files` and `DeclaredEvents` raise them.
    """
    declared = DeclaredEvents(read_event_files(registry.folders), start=start)
    registry.register(RuleAgent(declared))
    registry.register(PatternAgent(declared))
    registry.subscriptions.append(declared.subscribers)
    return declared
