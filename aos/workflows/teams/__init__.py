"""Several agents, or voices of a model, at one task: each team is an agent whose transcript only grows."""
