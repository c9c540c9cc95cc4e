"""The workloads that ship, by name."""

from aos.testing.simulation.workload import Workload
from aos.testing.simulation.workloads.approvals import Approvals
from aos.testing.simulation.workloads.chain import Chain
from aos.testing.simulation.workloads.events import Events
from aos.testing.simulation.workloads.pauses import Pauses
from aos.testing.simulation.workloads.reminders import Reminders
from aos.testing.simulation.workloads.requests import Requests
from aos.testing.simulation.workloads.sagas import Sagas
from aos.testing.simulation.workloads.steps import Steps
from aos.testing.simulation.workloads.strict import Strict
from aos.testing.simulation.workloads.teams import Teams
from aos.testing.simulation.workloads.transfers import Transfers

WORKLOADS: dict[str, type[Workload]] = {
    workload.name: workload
    for workload in (Transfers, Chain, Requests, Reminders, Strict, Steps, Events, Pauses, Approvals, Teams, Sagas)
}
