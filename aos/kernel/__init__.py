"""The turn, and nothing else: pure Python that imports no SDK, no web framework and no other room."""
