"""The system of one process: its services, under the names people know them by.

`aos.composition` wires it to Azure; tests wire it to memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aos import __version__
from aos.agents import Agent, AgentRegistry
from aos.agents.alarm import AlarmClock
from aos.agents.apps import Apps
from aos.agents.conversations.formal_agent import FormalConversationAgent
from aos.agents.declarations import Declarations
from aos.agents.directory import Directory
from aos.agents.questions import Questions
from aos.agents.surroundings import House
from aos.agents.unified_agent_manager import UnifiedAgentManager
from aos.config import AOSConfig
from aos.governance.decision import Decision, Option, weigh
from aos.kernel import ports
from aos.kernel.errors import InvalidInput
from aos.kernel.kernel import Kernel
from aos.kernel.meter import process_total
from aos.lifecycle import Health, Lifecycle, Recovery, Teams
from aos.lifecycle.commands import AgentCommands
from aos.llm.installed import InstalledModels
from aos.mcp.servers import McpServers
from aos.messaging.app_agent import AppAgent
from aos.messaging.message_bus import MessageBus
from aos.messaging.requests import RequestDesk, Services
from aos.messaging.workflow_requests import WorkflowRequests
from aos.read_models import ReadModels
from aos.storage.artifacts import Artifacts
from aos.storage.documents import Documents
from aos.telemetry.heartbeat import Heartbeat
from aos.telemetry.redaction import redact_text
from aos.tools.egress import Egress
from aos.tools.webhook import Webhooks
from aos.workflows.callback_agent import CallbackAgent
from aos.workflows.definition.definitions import Definitions
from aos.workflows.definition.workflow_file import read_workflow_files
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.events.installed_events import install_events
from aos.workflows.events.workflow_starter import WorkflowStarter
from aos.workflows.human.links import LinkSigner, Secrets
from aos.workflows.human.parked import ParkedQuestions
from aos.workflows.human.people import People
from aos.workflows.human.request_agent import RequestAgent
from aos.workflows.optimizing.optimizer import Optimizer
from aos.workflows.orchestrations import Orchestrations
from aos.workflows.planning.candidates import Candidates
from aos.workflows.planning.planner_agent import PlannerAgent
from aos.workflows.run.run_agent import RunAgent
from aos.workflows.run.worker import WorkflowWorker
from aos.workflows.run_orders import RunOrders
from aos.workflows.scheduling.lane_state import LaneLimits
from aos.workflows.scheduling.scheduler_agent import SchedulerAgent
from aos.workflows.scheduling.schedules import Schedules
from aos.workflows.tasks.execution_choice import ExecutionChoice
from aos.workflows.tasks.task_agent import TaskAgent
from aos.workflows.tasks.tasks import Tasks
from aos.workflows.teams.declared_teams import DeclaredTeams, read_teams
from aos.workflows.teams.team_agent import TeamAgent
from aos.workflows.teams.team_runs import TeamRuns
from aos.workflows.teams.voice import TeamVoice
from aos.workflows.workflows import Workflows

_PATIENCE = 5.0
"""Seconds a health check waits for each part."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """The outside world of one system.

    Attributes:
        open_body: Turns the body of a received message into what was sent, where that is kept in a blob.
        probe_bus: Raises where messages cannot be sent.
        close: Ends all connections.
    """

    tables: ports.TableStore
    blobs: ports.BlobStore
    bus: ports.MessageBus
    clock: ports.Clock
    ids: ports.Ids
    open_body: Callable[[bytes], Awaitable[bytes]]
    probe_bus: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]


class AgentOperatingSystem:
    """The system of one process.

    Attributes:
        config: What it was configured with.
        registry: Its agent types.
        kernel: Runs turns.
        lifecycle, health, recovery: Stop agents and let them go on, tell how they do, repair those that are stuck.
        agent_manager: Registers agents, and says how they all are.
        team_runs: Teams at work.
        definitions: The workflows there are.
        candidates: The agents that do steps of work.
        workflows, run_orders: Their runs, and what starts them.
        orchestrations: Tasks in the words of other systems.
        schedules: The lanes in which work waits for its turn.
        optimizer: Says what the runs of workflows tell.
        declared_events: The rules and patterns that events are for.
        tasks, directory, artifacts, documents: What business apps and people work with.
        models: The model router, where one is configured.
        mcp_servers: The MCP servers whose tools agents may be granted.
        messages: Sends to agents and topics.
        formal_conversations: Which formal conversations somebody takes part in.
        requests: Answers business apps that speak Service Bus.
        heartbeat: Tells that this host is alive.
        alarm: Wakes agents by the clock.
        declarations: The agents declared at run time.
        apps: The business apps.
        commands: Starts and stops agents for them.
        questions: What messages wait for people to answer.
        people: What agents ask of people, those questions among it.
    """

    def __init__(
        self,
        config: AOSConfig,
        adapters: Adapters,
        registry: AgentRegistry,
        models: InstalledModels | None = None,
        mcp_servers: McpServers | None = None,
        *,
        secrets: Secrets | None = None,
    ) -> None:
        self.config = config
        self.models = models or InstalledModels({}, secrets=_no_secrets)
        self.mcp_servers = mcp_servers or McpServers()
        self.adapters = adapters
        self.registry = registry
        self._teams = DeclaredTeams(read_teams(registry.folders))
        packaged = {name: file.workflow for name, file in read_workflow_files(registry.folders).items()}
        self.definitions = Definitions(
            WorkflowStore(adapters.tables, adapters.blobs, adapters.clock, packaged),
            registry,
            lambda: self.mcp_servers,
            lambda: self._teams.members,
        )
        callbacks = config.callbacks
        self.webhooks = Webhooks(Egress.to(callbacks.hosts, allow_private=callbacks.allow_private), callbacks.key)
        self._lane_limits = LaneLimits(**config.scheduler.model_dump())
        self._register_system_agents()
        self.declared_events = install_events(registry, start=WorkflowStarter(self.definitions.store))
        self._lists = ReadModels.over(adapters.tables, adapters.clock)
        self.kernel = Kernel(
            registry,
            tables=adapters.tables,
            blobs=adapters.blobs,
            bus=adapters.bus,
            clock=adapters.clock,
            ids=adapters.ids,
            settings=config.kernel_settings(),
            projections=self._lists.projections,
        )
        registry.surroundings.find_router = lambda: self.models.router
        registry.surroundings.servers = self.mcp_servers
        registry.surroundings.house = House(self.kernel, adapters.clock, adapters.ids)
        self.directory = Directory(self.kernel, registry, self._lists.agents, adapters.clock, adapters.ids)
        self._open_operations()
        self._open_people(secrets or _no_secrets)
        self._open_work()
        self._open_desk()

    def _register_system_agents(self) -> None:
        """The agents that the services are made of."""
        for agent in (
            TaskAgent(),
            TeamAgent(self._teams.find),
            TeamVoice(),
            RunAgent(self.definitions.store),
            WorkflowWorker(),
            PlannerAgent(lambda: self.candidates, self.definitions.store),
            SchedulerAgent(self._lane_limits),
            CallbackAgent(self.webhooks),
            AppAgent(),
            FormalConversationAgent(),
            RequestAgent(),
        ):
            self.registry.register(agent)

    def _open_operations(self) -> None:
        """What those who run agents work with."""
        outside, kernel = self.adapters, self.kernel
        teams = Teams(outside.tables, kernel.settings.orders_table, self._teams.members)
        self.lifecycle = Lifecycle(kernel, self.directory, self._lists.agents, teams, outside.clock)
        self.health = Health(kernel, self.directory, outside.tables, outside.blobs, outside.clock)
        self.recovery = Recovery(kernel, self._lists.agents, outside.tables, outside.clock)
        self.agent_manager = UnifiedAgentManager(self.registry, self.directory, outside.clock)
        self.messages = MessageBus(kernel.mailbox, self.registry, outside.clock, outside.ids)
        self.heartbeat = Heartbeat(outside.tables, outside.clock, outside.ids)
        self.alarm = AlarmClock(self.registry, outside.tables, kernel.mailbox, outside.clock, kernel.heads)
        self.declarations = Declarations(self.registry, outside.tables, outside.clock, servers=self.mcp_servers.names)
        self.commands = AgentCommands(self.lifecycle, self.directory, self.declarations, self.registry)

    def _open_people(self, secrets: Secrets) -> None:
        """What people are asked, and what is said between agents and them."""
        outside = self.adapters
        self.formal_conversations = self._lists.formal_conversations
        self.questions = Questions(self.kernel.heads, self._lists.questions)
        self.people = People(
            self.kernel,
            self.directory,
            self._lists.requests,
            ParkedQuestions(self.questions, self.directory),
            LinkSigner(secrets, outside.clock),
            outside.clock,
            outside.ids,
        )

    def _open_work(self) -> None:
        """Tasks, workflows, teams, and what they leave behind."""
        outside, kernel, store = self.adapters, self.kernel, self.definitions.store
        self.artifacts = Artifacts(outside.blobs)
        self.documents = Documents(outside.blobs, outside.clock)
        self.task_index = self._lists.tasks
        self.candidates = Candidates(self.registry, self.directory)
        choice = ExecutionChoice(self.candidates, store, lambda: self.mcp_servers)
        self.tasks = Tasks(kernel, self.task_index, choice, self.webhooks, outside.clock, outside.ids)
        self.orchestrations = Orchestrations(self.tasks, outside.tables, outside.clock)
        self.workflows = Workflows(kernel, store, self._lists.runs, self.people, outside.clock, outside.ids)
        self.messages.listen(self.workflows.hear)
        self.run_orders = RunOrders(self.workflows, outside.tables, outside.clock, outside.ids)
        self.optimizer = Optimizer(kernel, store, self._lists.runs)
        self.schedules = Schedules(kernel, self._lane_limits, outside.clock, outside.ids)
        self.team_runs = TeamRuns(kernel, self._teams, self._lists.teams, outside.clock, outside.ids)

    def _open_desk(self) -> None:
        """Where business apps that speak Service Bus are answered."""
        self.apps = Apps(self.adapters.tables, self.config.app_registry)
        self.requests = RequestDesk(
            Services(
                directory=self.directory,
                workflows=WorkflowRequests(self.tasks, self.workflows, self.run_orders),
                documents=self.documents,
                dead_letters=self.kernel.dead_letters,
                bus=self.adapters.bus,
                clock=self.adapters.clock,
                status=self.get_system_status,
                commands=self.commands,
            )
        )

    async def initialize(self) -> None:
        """Look whether storage answers and be seen as alive. Raises `StoreUnavailable`."""
        await self.heartbeat.beat()

    async def start(self) -> None:
        """As `initialize`: nothing stays running between events, so there is nothing more to start."""
        await self.initialize()

    async def stop(self) -> None:
        """End all connections. Agents are not concerned: they are asleep."""
        await self.mcp_servers.close()
        await self.models.close()
        await self.adapters.close()

    def register_agent(self, agent: Agent[Any]) -> None:
        """Add an agent type to this process. Raises `AlreadyExists`."""
        self.registry.register(agent)

    def unregister_agent(self, agent_type: str) -> bool:
        """Take an agent type out of this process; its agents keep their state."""
        return self.registry.unregister(agent_type)

    @property
    def agent_ids(self) -> list[str]:
        """Ids of the agents that take messages in this process, in alphabetical order."""
        return sorted(agent.type for agent in self.registry if agent.listed)

    async def get_agent(self, address: str) -> dict[str, Any]:
        """One agent with its state. Raises `NotFound`."""
        return await self.directory.detail(address)

    async def list_agents(self) -> list[dict[str, Any]]:
        """All agents."""
        return await self.directory.all()

    async def process_event(self, event: Mapping[str, Any]) -> str:
        """Put an event into its agent's mailbox.

        Args:
            event: `agent_id` (or `to`), `type` (or `event_type`), and `data` (or `payload`).

        Returns:
            The message's id.

        Raises:
            InvalidInput: it does not say for whom or what it is.
        """
        address = event.get("agent_id") or event.get("to")
        message_type = event.get("type") or event.get("event_type")
        if not address or not message_type:
            raise InvalidInput("An event needs `agent_id` (for whom) and `type` (what it means).")
        data = event.get("data", event.get("payload"))
        return await self.directory.send(address, message_type, data, source="/events", message_id=event.get("id"))

    async def send_message(self, sender: str, to: str, message_type: str, data: Any = None) -> str:
        """Send one agent a message in the name of `sender`; returns its id."""
        return await self.directory.send(to, message_type, data, source=sender)

    async def broadcast_message(self, sender: str, message_type: str, data: Any = None) -> list[str]:
        """Send every listed agent that handles this type of message a copy, but not the sender; returns the ids."""
        addressed = [
            agent.type
            for agent in self.registry
            if agent.listed and agent.type != sender and message_type in agent.message_types
        ]
        return [await self.directory.send(to, message_type, data, source=sender) for to in addressed]

    async def execute_workflow(self, name: str, inputs: Mapping[str, Any]) -> str:
        """Submit a task of the kind `name`; `inputs` are the fields of `TaskRequest`. Returns the task's id."""
        return await self.tasks.execute(name, inputs)

    def make_decision(self, question: str, options: Sequence[Option], weights: Mapping[str, float]) -> Decision:
        """Weigh options by criteria. See `aos.governance.decision.weigh`."""
        return weigh(question, options, weights)

    async def run_maintenance(self) -> dict[str, int]:
        """Remove what has expired, and repair agents that are stuck; returns how much of each kind."""
        return {
            "repairs": await self.recovery.sweep(),
            "idempotency_keys": await self.task_index.sweep() + await self.run_orders.keys.sweep(),
            "hosts": await self.heartbeat.sweep(),
            "wakes": await self.alarm.sweep(),
        }

    async def get_system_status(self) -> dict[str, Any]:
        """How the system is, looking at each part."""
        components = await self.check()
        healthy = all(check["status"] == "healthy" for check in components.values())
        return {
            "service": "AgentOperatingSystem",
            "status": "operational" if healthy else "degraded",
            "version": __version__,
            "timestamp": self.adapters.clock.now().isoformat(),
            "environment": self.config.environment,
            "uptime_seconds": round(self.heartbeat.uptime, 3),
            "components": components,
            "agents": len([agent for agent in self.registry if agent.listed]),
            "usage": process_total.to_json(),
        }

    async def check(self) -> dict[str, dict[str, Any]]:
        """Look at each part of the outside world: `status` healthy or unhealthy, and what is wrong."""
        tables, blobs, bus = await asyncio.gather(
            self._look(lambda: self.adapters.tables.get("hosts", "hosts", "none")),
            self._look(lambda: self.adapters.blobs.stat("none")),
            self._look(self.adapters.probe_bus),
        )
        return {"tables": tables, "blobs": blobs, "bus": bus}

    async def open_body(self, body: bytes) -> bytes:
        """The body that was sent, where the bus carried only a claim check for it."""
        return await self.adapters.open_body(body)

    async def _look(self, probe: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
        started = self.adapters.clock.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                await probe()
        except TimeoutError:
            return {"status": "unhealthy", "error": f"no answer within {_PATIENCE:g} seconds"}
        except Exception as error:  # noqa: BLE001  # whatever is wrong is the answer
            return {"status": "unhealthy", "error": redact_text(str(error))}
        return {"status": "healthy", "ms": round((self.adapters.clock.monotonic() - started) * 1000, 2)}


async def _no_secrets(_: str) -> str | None:
    return None
