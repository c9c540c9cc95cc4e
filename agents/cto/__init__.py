"""The chief technology officer: weighs what was found, and decides."""

from agents.cto.agent import ChiefTechnologyOfficer

AGENT = ChiefTechnologyOfficer

__all__ = ["AGENT"]
