"""Decisions with their reasons."""
