"""Teams for orders: names for lists of agents and agent types that are stopped and released together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aos.kernel.address import check_address
from aos.kernel.errors import Conflict, InvalidInput, NotAllowedNow, NotFound
from aos.kernel.ports import Delete, Entity, TableStore, Upsert
from aos.kernel.scanning import all_rows

PARTITION = "teams"
MOST_MEMBERS = 200
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_ALL = ":*"


class Teams:
    """One row for each team.

    Args:
        tables: Where they are.
        table: Name of the table.
        declared: Members of the teams that files declare; a row of the same name goes before.
    """

    def __init__(self, tables: TableStore, table: str, declared: Mapping[str, Sequence[str]] | None = None) -> None:
        self._tables = tables
        self._table = table
        self._declared = {name: list(members) for name, members in (declared or {}).items() if members}

    async def put(self, name: str, members: Sequence[str]) -> dict[str, Any]:
        """Make a team, or replace one.

        Args:
            name: Of the team.
            members: Addresses of agents, and `<type>:*` for all agents of a type.

        Raises:
            InvalidInput: a name or a member is not one, or there are too many.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} cannot be the name of a team. Use lower-case letters, digits, _ and -.")
        if not members or len(members) > MOST_MEMBERS:
            raise InvalidInput(f"A team has 1 to {MOST_MEMBERS} members.")
        for member in members:
            check_address(member.removesuffix(_ALL))
        listed = list(dict.fromkeys(members))
        await self._tables.commit(self._table, [Upsert(Entity(PARTITION, name, {"members": json.dumps(listed)}))])
        return {"team": name, "members": listed}

    async def get(self, name: str) -> dict[str, Any]:
        """A team with its members. Raises `NotFound`."""
        entity = await self._tables.get(self._table, PARTITION, name)
        if entity is not None:
            return _shown(entity)
        if name in self._declared:
            return {"team": name, "members": self._declared[name]}
        raise NotFound(f"There is no team {name!r}. Make it with its members first.")

    async def all(self) -> list[dict[str, Any]]:
        """All teams: those that were made, by name, and the declared ones."""
        found = [_shown(entity) for entity in await all_rows(self._tables, self._table, PARTITION)]
        made = {team["team"] for team in found}
        return found + [{"team": name, "members": who} for name, who in self._declared.items() if name not in made]

    async def delete(self, name: str) -> None:
        """Forget a team that was made. Its members stay as they are.

        Raises:
            NotFound: there is none.
            NotAllowedNow: a file declares it.
        """
        await self.get(name)
        if await self._tables.get(self._table, PARTITION, name) is None:
            raise NotAllowedNow(f"Team {name!r} is declared in a file. Remove it there.")
        try:
            await self._tables.commit(self._table, [Delete(PARTITION, name)])
        except Conflict as error:
            raise NotFound(f"There is no team {name!r} any more.") from error


def whole_type(member: str) -> str | None:
    """The type where a member stands for all agents of one, else None."""
    return member.removesuffix(_ALL) if member.endswith(_ALL) else None


def _shown(entity: Entity) -> dict[str, Any]:
    return {"team": entity.row, "members": json.loads(str(entity.values["members"]))}
