"""AOS, the Agent Operating System: perpetual agents on Azure Functions, asleep until something happens."""

__version__ = "0.1.0"

__all__ = ["__version__"]
