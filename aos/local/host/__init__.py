"""The embedded Functions host: loads a `function_app.py` and drives its triggers as the real host does."""
