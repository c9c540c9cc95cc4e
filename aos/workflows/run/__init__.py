"""Runs of workflows: the agent that sees one through, and what it goes by."""
