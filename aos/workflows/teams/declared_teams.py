"""The teams that are declared by name: `<name>.team.yaml` (or `.yml`, `.json`) beside the agents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound
from aos.workflows.declared_file import files_named, read_mapping
from aos.workflows.messages import TeamStart
from aos.workflows.teams.definition import Team, parse_team

SUFFIXES = (".team.yaml", ".team.yml", ".team.json")


class DeclaredTeams:
    """Teams by name."""

    def __init__(self, teams: Iterable[Team] = ()) -> None:
        self._teams: dict[str, Team] = {}
        for team in teams:
            self.add(team)

    def __iter__(self) -> Iterator[Team]:
        return iter(self._teams.values())

    def add(self, team: Team) -> None:
        """Raises `AlreadyExists` where the name is taken."""
        if team.name in self._teams:
            raise AlreadyExists(f"There are two teams called {team.name!r}. Give one another `name`.")
        self._teams[team.name] = team

    @property
    def members(self) -> dict[str, list[str]]:
        """The agents of each team."""
        return {
            name: list(dict.fromkeys(member.agent for member in team.members if member.agent))
            for name, team in self._teams.items()
        }

    def find(self, name: str) -> Team:
        """The team of this name. Raises `NotFound`, naming those there are."""
        if name not in self._teams:
            known = ", ".join(sorted(self._teams)) or "none"
            raise NotFound(f"There is no team {name!r}. There are: {known}.", code="unknown_team")
        return self._teams[name]


def team_of(asked: TeamStart, find: Callable[[str], Team]) -> Team:
    """The team that an order is for, with the order's limits in place of its own.

    Args:
        asked: The order.
        find: Gives the declared team of a name; raises `NotFound`.

    Raises:
        InvalidInput: it names no team and describes none, or does both; or what it describes is none.
    """
    if (asked.definition is None) == (asked.name is None):
        raise InvalidInput("Name a team with `name`, or give its `definition`; one of them.")
    team = find(asked.name) if asked.name is not None else parse_team(asked.definition)
    if not asked.limits:
        return team
    stated = team.model_dump(mode="json")
    return parse_team({**stated, "limits": {**stated["limits"], **asked.limits}})


def read_teams(folders: Iterable[str | Path]) -> list[Team]:
    """The teams declared in the files of folders and of what is in them, in the order of their paths.

    Raises:
        InvalidInput: a file declares no team; the message names it.
    """
    return [read_team(path) for path in files_named(folders, SUFFIXES)]


def read_team(path: Path) -> Team:
    """The team that a file declares; without a `name` in it, the file's own is the team's. Raises `InvalidInput`."""
    content = read_mapping(path, "a mapping with `kind` and `members`")
    try:
        return parse_team({"name": path.name.partition(".")[0], **content})
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}") from error
