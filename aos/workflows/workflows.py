"""What apps and people do with runs of workflows: start, look, steer. All of it reads, or posts to mailboxes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aos.agents.topics import matches
from aos.kernel.address import check_address
from aos.kernel.errors import InvalidInput, NotAllowedNow, NotFound
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.workflows.definition.inputs import checked_inputs
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.human.people import People
from aos.workflows.human.request import GivenAnswer
from aos.workflows.messages import CANCEL, EVENT, PAUSE, RERUN, RESPOND, RESUME, START, Parent, StartRun
from aos.workflows.newest_list import new_id
from aos.workflows.run.parts import OPTION
from aos.workflows.run.run_agent import CHECKPOINT, ROLLBACK, Checkpoint
from aos.workflows.run.run_state import Call, RunState
from aos.workflows.run_index import RunIndex
from aos.workflows.run_reader import RunReader, run_address

SOURCE = "/api/workflows"


class Workflows(RunReader):
    """The runs of the system.

    Attributes:
        store: Where the workflows are that can be run.
    """

    def __init__(
        self, kernel: Kernel, store: WorkflowStore, index: RunIndex, people: People, clock: Clock, ids: Ids
    ) -> None:
        super().__init__(kernel, store, index)
        self._people = people
        self._clock = clock
        self._ids = ids

    async def start(
        self,
        workflow: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        owner: str | None = None,
        priority: int = 5,
        deadline: datetime | None = None,
        budget: float | None = None,
        parent: Parent | None = None,
        labels: tuple[str, ...] = (),
        options: Mapping[str, Any] | None = None,
        reply_to: str | None = None,
        traceparent: str | None = None,
    ) -> str:
        """Start a run.

        Args:
            workflow: Its name, or `name@version`. The run keeps this version.
            inputs: What it is given.
            run_id: The same id starts one run, however often this is called.
            owner: For whom.
            priority: 1 (least) to 10 (most).
            deadline: When it has failed if it is not done.
            budget: US dollars it may spend.
            parent: Who gets `workflow.progress`.
            labels: What is to be known of the inputs, such as `untrusted:web`.
            options: `concurrency`: fewer steps at a time than the workflow allows; `metadata`: shown with the run.
            reply_to: Where `RunEnded` goes: an agent's address or `queue:<name>`.
            traceparent: W3C trace context of the caller.

        Returns:
            The run's id.

        Raises:
            NotFound: there is no such workflow.
            InvalidInput: an input is missing or wrong, the deadline has passed, or the id cannot be one.
        """
        found = await self.store.find(workflow)
        self._check_deadline(deadline)
        request = StartRun(
            definition=found.digest,
            name=found.name,
            inputs=checked_inputs(found, inputs or {}),
            owner=owner,
            priority=priority,
            deadline=deadline,
            budget=budget,
            parent=parent,
            labels=list(labels),
            options={name: value for name, value in (options or {}).items() if name != OPTION},
        )
        run_id = run_id or new_id(self._clock.now(), self._ids)
        check_address(run_address(run_id))
        # Announcing and posting again is harmless, and finishes what a crash may have left undone.
        await self._index.announce(run_id, request)
        more = {"reply_to": reply_to, "traceparent": traceparent, "priority": priority, "labels": frozenset(labels)}
        await self._post(run_id, START, request.model_dump(mode="json"), message_id=f"start-{run_id}", **more)
        return run_id

    def _check_deadline(self, deadline: datetime | None) -> None:
        if deadline is not None and (deadline.tzinfo is None or deadline <= self._clock.now()):
            raise InvalidInput("`deadline` must be a time to come, with a zone.")

    async def cancel(self, run_id: str, reason: str = "cancelled on request") -> bool:
        """Ask a run to stop; False where it has ended. Raises `NotFound`."""
        return await self._steer(run_id, CANCEL, {"reason": reason})

    async def pause(self, run_id: str) -> bool:
        """Have a run begin nothing more; what is under way is taken when it comes. False where it has ended."""
        return await self._steer(run_id, PAUSE, None)

    async def resume(self, run_id: str) -> bool:
        """Have a paused run go on; False where it has ended. Raises `NotFound`."""
        return await self._steer(run_id, RESUME, None)

    async def rerun(self, run_id: str, from_step: str) -> None:
        """Do a step of a run anew, and all that depends on it.

        Raises:
            NotFound: there is no such run or step.
            NotAllowedNow: the run is being ended.
        """
        state = await self._begun(run_id)
        await self._place(run_id, state, from_step)
        if state.stopping is not None:
            raise NotAllowedNow(f"Run {run_id!r} is being ended. Wait until it has.", code="run_ending")
        await self._post(run_id, RERUN, {"from_step": from_step})

    async def checkpoint(self, run_id: str, name: str | None = None) -> str:
        """Keep how the steps of a run stand, to go back to it; returns the checkpoint's name. Raises `NotFound`."""
        await self._begun(run_id)
        kept = Checkpoint(name=name or f"c-{self._ids.new()[:8]}")
        await self._post(run_id, CHECKPOINT, kept.model_dump())
        return kept.name

    async def rollback(self, run_id: str, name: str) -> None:
        """Do anew what was not done at a checkpoint, and all that depends on it. Raises `NotFound`."""
        if not any(kept["name"] == name for kept in await self.checkpoints(run_id)):
            raise NotFound(f"Run {run_id!r} has no checkpoint {name!r}.")
        await self._post(run_id, ROLLBACK, {"name": name})

    async def event(self, run_id: str, topic: str, data: Any = None) -> None:
        """Bring an event to one run. Raises `NotFound`."""
        await self._begun(run_id)
        await self._post(run_id, EVENT, {"topic": topic, "data": data})

    async def hear(self, event: Message) -> None:
        """Bring what an agent published to all runs that wait for it; one storage operation where none does."""
        await self.publish(
            event.topic or "", event.data, message_id=f"{event.source}-{event.id}", labels=tuple(event.labels)
        )

    async def publish(
        self, topic: str, data: Any = None, *, message_id: str | None = None, labels: tuple[str, ...] = ()
    ) -> int:
        """Bring an event to all runs that wait for one of its topic; returns to how many.

        Args:
            topic: Words with dots between.
            data: JSON.
            message_id: Of the event; bringing one again changes nothing.
            labels: What is to be known of the data, such as `untrusted:web`.
        """
        event_id, told = message_id or f"event-{self._ids.new()}", 0
        about = {"topic": topic, "data": data}
        for pattern in await self._index.patterns():
            if not matches(pattern, topic):
                continue
            cursor: str | None = None
            while True:
                waiting, cursor = await self._index.waiting_for(pattern, cursor=cursor)
                for run_id in waiting:
                    await self._post(run_id, EVENT, about, message_id=event_id, labels=frozenset(labels))
                told += len(waiting)
                if cursor is None:
                    break
        return told

    async def respond(self, run_id: str, step: str, value: Any, *, by: str, wait: float = 0.0) -> bool:
        """Answer a step that waits: for people, by answering its request; for an event, with its data.

        Args:
            run_id: Of the run.
            step: Its id, with `[index]` behind it for an item of a map or a round of a loop.
            value: The answer; true approves and false rejects.
            by: Who answers.
            wait: Seconds to wait until a person's answer is known to count or not.

        Returns:
            Whether the answer is known to count.

        Raises:
            NotFound: there is no such run or step.
            NotAllowedNow: the step does not wait (`step_not_waiting`).
            AnswerInvalid, PermissionDenied, RequestClosed: as `People.answer` raises them.
        """
        state = await self._begun(run_id)
        call = await self._call(run_id, state, step)
        if call is not None and call.kind == "human":
            given = {"approved": value} if isinstance(value, bool) else {"value": value}
            answered = await self._people.answer(call.to, GivenAnswer.model_validate({"by": by, **given}), wait=wait)
            return answered.accepted
        if call is None or call.kind != "event":
            raise NotAllowedNow(f"Step {step!r} of run {run_id!r} waits for nobody.", code="step_not_waiting")
        await self._post(run_id, RESPOND, {"step": step, "value": value})
        return False

    async def _call(self, run_id: str, state: RunState, step: str) -> Call | None:
        id, _, index = step.rstrip("]").partition("[")
        place = await self._place(run_id, state, id)
        return state.calls.get(f"{place}.{index}" if index else str(place))

    async def _steer(self, run_id: str, message_type: str, data: Any) -> bool:
        state = await self._state(run_id)
        if state is None:
            await self._announced(run_id)
        elif state.status.is_final:
            return False
        await self._post(run_id, message_type, data)
        return True

    async def _post(
        self, run_id: str, message_type: str, data: Any, *, message_id: str | None = None, **more: Any
    ) -> None:
        address = run_address(run_id)
        message = Message(
            id=message_id or f"{message_type}-{self._ids.new()}",
            source=SOURCE,
            type=message_type,
            time=self._clock.now(),
            to=address,
            data=data,
            conversation_id=address,
            **more,
        )
        await self._kernel.mailbox.post(message)
