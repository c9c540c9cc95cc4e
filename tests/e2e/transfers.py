"""Money moving between accounts under load, and the check that none was lost and no transfer took effect twice."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from aos.kernel.errors import AosError
from aos.kernel.message import Message
from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from tests.fixtures.agents.account import OPENING_BALANCE, RECEIPTS

INBOX = "agent-inbox"
_AGAIN = 0.2


@dataclass(slots=True)
class Transfer:
    """One transfer; `done` is when its receipt came, on the clock of `time.monotonic`."""

    payer: str
    payee: str
    amount: int
    asked: float
    done: float | None = None


@dataclass(slots=True)
class Ledger:
    """What the journals of all accounts say.

    Attributes:
        lost: Transfers without a decision, and debits without a credit.
        doubled: Transfers that took effect more than once.
        disordered: Accounts that decided transfers in another order than they were asked.
        created: Money there is too much, or (negative) too little.
        broken: Journals whose chain does not hold.
    """

    transfers: int
    refused: int
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    created: int = 0
    overdrawn: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    turns: int = 0

    @property
    def clean(self) -> bool:
        faults = (self.lost, self.doubled, self.disordered, self.overdrawn, self.broken)
        return not any(faults) and self.created == 0


class TransferLoad:
    """Asks for transfers with a number of them under way at a time, whatever happens to the bus meanwhile."""

    def __init__(self, bus: str, *, accounts: int = 16, window: int = 32, seed: int = 1, name: str = "") -> None:
        self._bus = bus
        self._random = random.Random(seed)
        self._window = window
        self.accounts = [f"account:{name}{number}" for number in range(accounts)]
        self.transfers: list[Transfer] = []
        self._open: dict[int, None] = {}
        self.reconnects = 0
        self.repeated_receipts = 0
        self._wanted: int | None = None
        self._moved = asyncio.Event()

    @property
    def done(self) -> int:
        return len(self.transfers) - len(self._open)

    def last(self) -> None:
        """Ask for no more."""
        self._wanted = len(self.transfers)

    async def run(self, count: int | None = None) -> None:
        """Ask for `count` transfers (without it, until `last` is called), and wait until each has its receipt."""
        self._wanted = count
        while not self._finished():
            try:
                async with MultiplexedReceiver.connect(self._bus) as bus:
                    await self._work(bus)
            except (AosError, OSError):
                self.reconnects += 1
                await asyncio.sleep(_AGAIN)

    async def settled(self, before: float) -> float:
        """Wait until all that was asked for before a moment is done; when the last of it was."""
        asked = [transfer for transfer in self.transfers if transfer.asked < before]
        while any(transfer.done is None for transfer in asked):
            await self._moves()
        return max((transfer.done or 0.0 for transfer in asked), default=before)

    async def reached(self, done: int) -> None:
        """Wait until so many transfers are done."""
        while self.done < done:
            await self._moves()

    async def _moves(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _finished(self) -> bool:
        return self._wanted is not None and len(self.transfers) >= self._wanted and not self._open

    async def _work(self, bus: MultiplexedReceiver) -> None:
        receiver = await bus.receiver(RECEIPTS)
        # What was sent over a connection that broke may not have arrived. Sent twice it is taken once.
        await self._send(bus, list(self._open))
        while not self._finished():
            await self._send(bus, self._ask_more())
            messages = await receiver.receive(64, 0.5)
            now = time.monotonic()
            for message in messages:
                self._receipt(json.loads(bytes(message.body)), now)
            if messages:
                self._moved.set()
                await receiver.complete(messages)

    def _ask_more(self) -> list[int]:
        room = self._window - len(self._open)
        if self._wanted is not None:
            room = min(room, self._wanted - len(self.transfers))
        numbers = list(range(len(self.transfers), len(self.transfers) + max(room, 0)))
        for number in numbers:
            payer, payee = self._random.sample(self.accounts, 2)
            self.transfers.append(Transfer(payer, payee, self._random.randint(1, 400), time.monotonic()))
            self._open[number] = None
        return numbers

    def _receipt(self, receipt: dict[str, Any], now: float) -> None:
        number = receipt["transfer"]
        if number in self._open:
            del self._open[number]
            self.transfers[number].done = now
        else:
            self.repeated_receipts += 1

    async def _send(self, bus: MultiplexedReceiver, numbers: Sequence[int]) -> None:
        if numbers:
            await bus.send(INBOX, [self._message(number) for number in numbers])

    def _message(self, number: int) -> OutgoingMessage:
        transfer = self.transfers[number]
        message = Message(
            id=f"transfer-{number}",
            source="/tests/transfers",
            type="transfer.requested",
            time=datetime.now(UTC),
            to=transfer.payer,
            data={"number": number, "to": transfer.payee, "amount": transfer.amount},
        )
        return OutgoingMessage(message.encode(), message_id=f"{transfer.payer}-{number}", session_id=transfer.payer)


async def audit(http: httpx.AsyncClient, load: TransferLoad) -> Ledger:
    """Read all accounts and journals through the API, and compare them with what was asked for."""
    decided: Counter[int] = Counter()
    debited: Counter[int] = Counter()
    credited: Counter[int] = Counter()
    ledger = Ledger(transfers=len(load.transfers), refused=0)
    money = 0
    for address in load.accounts:
        facts, turns, balance = await _life(http, address, ledger)
        ledger.turns += turns
        money += balance
        if balance < 0:
            ledger.overdrawn.append(address)
        order = [fact["transfer"] for fact in facts if fact["kind"] != "credited"]
        if order != sorted(order):
            ledger.disordered.append(address)
        decided.update(order)
        debited.update(fact["transfer"] for fact in facts if fact["kind"] == "debited")
        credited.update(fact["transfer"] for fact in facts if fact["kind"] == "credited")
    numbers = range(len(load.transfers))
    ledger.refused = decided.total() - debited.total()
    ledger.lost = [n for n in numbers if not decided[n] or debited[n] > credited[n]]
    ledger.doubled = [n for n in numbers if decided[n] > 1 or credited[n] > debited[n]]
    ledger.created = money - OPENING_BALANCE * len(load.accounts)
    return ledger


async def _life(http: httpx.AsyncClient, address: str, ledger: Ledger) -> tuple[list[dict[str, Any]], int, int]:
    """Everything an account put on record, how many turns it took, and what it holds."""
    detail = await http.get(f"/api/v1/agents/{address}")
    if detail.status_code == 404:
        return [], 0, OPENING_BALANCE
    detail.raise_for_status()
    verified = (await http.get(f"/api/v1/agents/{address}/verification")).raise_for_status().json()
    if not verified["intact"]:
        ledger.broken.append(f"{address}: {verified['problem']}")
    facts: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = await http.get(f"/api/v1/agents/{address}/journal", params={"after": after, "limit": 100})
        content = page.raise_for_status().json()
        facts += [fact for entry in content["entries"] for fact in entry["facts"]]
        after = content["after"]
    return facts, detail.json()["version"], detail.json()["state"]["balance"]
