"""Brings state that an earlier version of an agent's code wrote to the version of today, step by step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aos.kernel.errors import InfrastructureError, SettingInvalid, StoreUnavailable

STATE_VERSION = "aos.version"
"""Member of the stored state that holds its version; absent at version 1."""

Migration = Callable[[dict[str, Any]], dict[str, Any]]
Step = TypeVar("Step", bound=Callable[..., dict[str, Any]])
_MARK = "__aos_migrates__"


def migrates(from_version: int) -> Callable[[Step], Step]:
    """Declare how state of one version becomes the next: `def name(self, state)`, from JSON object to JSON object.

    The method must depend on nothing but the state: it runs at each waking until a turn has written the result.
    """

    def mark(step: Step) -> Step:
        setattr(step, _MARK, from_version)
        return step

    return mark


def migrations_of(cls: type, version: int) -> dict[int, str]:
    """Names of the methods that migrate, by the version they start from.

    Raises:
        SettingInvalid: there is not exactly one for each version before `version`.
    """
    found: dict[int, str] = {}
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        start = getattr(method, _MARK, None)
        if start is None:
            continue
        if start in found:
            raise SettingInvalid(f"{cls.__name__}.{name} and .{found[start]} both migrate from {start}. Keep one.")
        found[start] = name
    if sorted(found) != list(range(1, version)):
        raise SettingInvalid(
            f"{cls.__name__} has `state_version` {version} and migrations from {sorted(found) or 'none'}. "
            f"It needs one from each version before {version}, beginning with 1."
        )
    return found


def migrated(
    agent: str, state: dict[str, Any], stored: int, version: int, steps: Mapping[int, Migration]
) -> dict[str, Any]:
    """The author's part of a state, at `version`.

    Args:
        agent: Whose it is, for errors.
        state: The author's part, as stored.
        stored: The version it was stored with.
        version: The version the code knows.
        steps: From each earlier version to the next.

    Raises:
        InfrastructureError: the state is of a later version, or a step failed. Nothing is lost: the message returns.
    """
    if stored > version:
        raise StoreUnavailable(
            f"The state of {agent!r} has version {stored}; this code knows versions up to {version}. Deploy the code "
            "that wrote it, or a newer one; until then its messages wait.",
            code="state_too_new",
        )
    for start in range(stored, version):
        try:
            state = steps[start](state)
        except InfrastructureError:
            raise
        except Exception as error:
            raise StoreUnavailable(
                f"The state of {agent!r} could not be migrated from version {start}: {type(error).__name__}: {error}. "
                "Correct the migration and deploy it; until then its messages wait.",
                code="state_migration_failed",
            ) from error
    return state
