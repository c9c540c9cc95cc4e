"""What an operator does with agents: stops them and lets them go on, looks how they are, and has them repaired."""

from aos.lifecycle.health import Health
from aos.lifecycle.lifecycle import Lifecycle
from aos.lifecycle.recovery import Recovery
from aos.lifecycle.teams import Teams

__all__ = ["Health", "Lifecycle", "Recovery", "Teams"]
