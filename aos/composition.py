"""The composition root: builds a system from settings. Nobody else constructs adapters.

Importing this module loads no Azure SDK; the adapters do so at first use.
"""

from __future__ import annotations

import importlib

from aos.agents import AgentRegistry, discover
from aos.config import AOSConfig
from aos.kernel.errors import SettingInvalid


def registry_of(config: AOSConfig) -> AgentRegistry:
    """The agent types and task types of the configured package.

    Raises:
        SettingInvalid: the package, or one of its agents, cannot be imported.
    """
    registry = AgentRegistry()
    if config.agents_package:
        try:
            package = importlib.import_module(config.agents_package)
        except ImportError as error:
            raise SettingInvalid(
                f"Setting 'agents_package' names {config.agents_package!r}, which cannot be imported: {error}."
            ) from error
        discover(package, registry)
    return registry
