"""A model provider on loopback for tests: it speaks every dialect of `aos.llm`, and misbehaves on request."""

from aos.testing.models.script import (
    Break,
    Cut,
    Disconnect,
    Garble,
    Pending,
    Play,
    Raw,
    Refuse,
    Reproach,
    Say,
    SayCall,
    Stall,
)
from aos.testing.models.server import ModelServer, Seen

__all__ = [
    "Break",
    "Cut",
    "Disconnect",
    "Garble",
    "ModelServer",
    "Pending",
    "Play",
    "Raw",
    "Refuse",
    "Reproach",
    "Say",
    "SayCall",
    "Seen",
    "Stall",
]
