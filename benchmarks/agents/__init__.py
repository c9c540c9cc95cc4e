"""Agents that measurements are taken with; the setting `AOS_AGENTS_PACKAGE` names this package."""
