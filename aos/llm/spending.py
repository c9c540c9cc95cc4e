"""The record of what model calls cost: one row a call, kept for a month, with sums and advice for people."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aos.kernel.errors import InfrastructureError
from aos.kernel.ports import Clock, Delete, Entity, Ids, TableStore, Upsert
from aos.llm.response import Usage

_log = logging.getLogger(__name__)
KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class SpendingEntry:
    """One call. `cost_usd` is None where the price is not known."""

    request_id: str
    timestamp: str
    provider: str
    model: str
    tokens_input: int
    tokens_output: int
    tokens_total: int
    cost_usd: float | None
    latency_ms: float
    success: bool


@dataclass(frozen=True, slots=True)
class SpendingSummary:
    """Sums over a period. Calls whose price is not known count in all but the costs."""

    period_start: str
    period_end: str
    total_requests: int
    total_tokens: int
    total_cost_usd: float
    requests_of_unknown_cost: int
    avg_cost_per_request: float
    avg_tokens_per_request: float
    cost_by_provider: dict[str, float]
    cost_by_model: dict[str, float]
    requests_by_provider: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class SpendingLog:
    """Writes entries and sums them up.

    Args:
        tables: Where they are: a partition for each day.
        clock: The time.
        ids: For entries.
        table: Name of the table.
    """

    def __init__(self, tables: TableStore, clock: Clock, ids: Ids, *, table: str = "modelspending") -> None:
        self._tables = tables
        self._clock = clock
        self._ids = ids
        self._table = table

    async def record(
        self, provider: str, model: str, usage: Usage, usd: float | None, seconds: float, *, success: bool
    ) -> None:
        """Write one call down. Storage that is out of reach costs the entry, not the call."""
        now = self._clock.now()
        entry = SpendingEntry(
            request_id=self._ids.new(),
            timestamp=now.isoformat(),
            provider=provider,
            model=model,
            tokens_input=usage.input_tokens,
            tokens_output=usage.output_tokens,
            tokens_total=usage.total_tokens,
            cost_usd=usd,
            latency_ms=round(seconds * 1_000, 1),
            success=success,
        )
        row = f"{now:%H%M%S%f}:{entry.request_id}"
        values = {"entry": json.dumps(asdict(entry), separators=(",", ":"))}
        try:
            await self._tables.commit(self._table, [Upsert(Entity(now.date().isoformat(), row, values))])
        except InfrastructureError as error:
            _log.warning("A model call of %s/%s is missing from the record: %s", provider, model, error.message)

    async def entries(self, day: date) -> list[SpendingEntry]:
        """All calls of a day (UTC), oldest first."""
        found = [entity async for entity in self._rows(day)]
        return [SpendingEntry(**json.loads(str(entity.values["entry"]))) for entity in found]

    async def summary(self, start: date, end: date) -> SpendingSummary:
        """Sums from the first to the last day, both included."""
        days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        return summarize([entry for day in days for entry in await self.entries(day)], start, end)

    async def prune(self, days_back: int = 7) -> int:
        """Delete the entries of the last `days_back` days that are out of the time they are kept.

        Returns:
            How many were deleted.
        """
        first = self._clock.now().date() - timedelta(days=KEPT_DAYS + days_back)
        count = 0
        for day in (first + timedelta(days=n) for n in range(days_back)):
            rows = [entity.row async for entity in self._rows(day)]
            for start in range(0, len(rows), 100):
                batch = rows[start : start + 100]
                await self._tables.commit(self._table, [Delete(day.isoformat(), row) for row in batch])
            count += len(rows)
        return count

    async def _rows(self, day: date) -> AsyncIterator[Entity]:
        cursor: str | None = None
        while True:
            page = await self._tables.scan(self._table, day.isoformat(), limit=1_000, cursor=cursor)
            for entity in page.entities:
                yield entity
            cursor = page.cursor
            if cursor is None:
                return


def summarize(entries: Iterable[SpendingEntry], start: date | datetime, end: date | datetime) -> SpendingSummary:
    """The sums of some entries."""
    listed = list(entries)
    by_provider: defaultdict[str, float] = defaultdict(float)
    by_model: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for entry in listed:
        by_provider[entry.provider] += entry.cost_usd or 0.0
        by_model[f"{entry.provider}/{entry.model}"] += entry.cost_usd or 0.0
        counts[entry.provider] += 1
    tokens = sum(entry.tokens_total for entry in listed)
    priced = [entry.cost_usd for entry in listed if entry.cost_usd is not None]
    return SpendingSummary(
        period_start=start.isoformat(),
        period_end=end.isoformat(),
        total_requests=len(listed),
        total_tokens=tokens,
        total_cost_usd=sum(priced),
        requests_of_unknown_cost=len(listed) - len(priced),
        avg_cost_per_request=sum(priced) / len(priced) if priced else 0.0,
        avg_tokens_per_request=tokens / len(listed) if listed else 0.0,
        cost_by_provider=dict(by_provider),
        cost_by_model=dict(by_model),
        requests_by_provider=dict(counts),
    )


def recommendations(summary: SpendingSummary, *, today_usd: float, daily_budget: float = 100.0) -> list[dict[str, str]]:
    """What could be saved, and whether the day's budget is nearly used up."""
    found = []
    if summary.total_cost_usd > 50:
        found.append(
            {"type": "model_optimization", "message": "Use cheaper models where quality allows.", "saving": "30-50 %"}
        )
    if summary.avg_tokens_per_request > 2_000:
        found.append({"type": "token_optimization", "message": "Shorten prompts and answers.", "saving": "20-40 %"})
    if today_usd > 0.8 * daily_budget:
        used = f"{today_usd:.2f} of {daily_budget:.2f} USD are spent today."
        found.append({"type": "budget_alert", "message": used, "saving": ""})
    return found
