"""The HTTP surface: an ASGI app over the services of the system."""
