"""Finds the workflows that come with an application: files beside its agents, and in installed packages of agents."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from types import ModuleType

from aos.agents.registry import ENTRY_POINTS
from aos.kernel.errors import SettingInvalid
from aos.workflows.definition.workflow_file import WorkflowFile, read_workflow_files


def installed_workflows(package: str) -> dict[str, WorkflowFile]:
    """The workflows of an application, by name.

    Args:
        package: Name of the Python package with the agents, in whose folders the files are; empty for none.

    Raises:
        SettingInvalid: the package cannot be imported.
        InvalidInput: a file is not right; the message names file, line and remedy. What it refers to is not looked
            for: that takes `WorkflowFile.refuse_problems` with what is known.
        AlreadyExists: two workflows have one name.
    """
    folders: list[str] = []
    if package:
        try:
            folders += importlib.import_module(package).__path__
        except ImportError as error:
            raise SettingInvalid(
                f"Setting 'agents_package' names {package!r}, which cannot be imported: {error}."
            ) from error
    for point in entry_points(group=ENTRY_POINTS):
        offered = point.load()
        if isinstance(offered, ModuleType) and hasattr(offered, "__path__"):
            folders += offered.__path__
    return read_workflow_files(dict.fromkeys(folders))
