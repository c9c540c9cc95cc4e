"""Agents as MCP servers. Loaded at the first MCP request: the SDK is slow to import."""
