"""The model router: agents ask it, and it chooses a provider, translates, limits, prices and records."""
