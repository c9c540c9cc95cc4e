"""What agents are tested on: stores and a bus in memory that keep the rules of the real ones, and a virtual clock."""

from aos.testing.blobs import MemoryBlobStore
from aos.testing.bus import MemoryBus
from aos.testing.chaos import ChaosKind, chaos
from aos.testing.clock import SeededIds, Timer, VirtualClock
from aos.testing.crash_kit import crash_test
from aos.testing.crash_report import CrashReport, Finding
from aos.testing.external_calls import Effect, ExternalCalls, Ledger
from aos.testing.faults import Action, Fault, FaultPlan, Faults, SimulatedCrash, crashes
from aos.testing.faulty import FaultyBlobs, FaultyBus, FaultyTables
from aos.testing.receivers import MemoryReceiver, MemorySession
from aos.testing.scenario import Finished, Scenario
from aos.testing.tables import MemoryTableStore
from aos.testing.topology import agent_topology

__all__ = [
    "Action",
    "ChaosKind",
    "CrashReport",
    "Effect",
    "ExternalCalls",
    "Fault",
    "FaultPlan",
    "Faults",
    "FaultyBlobs",
    "FaultyBus",
    "FaultyTables",
    "Finding",
    "Finished",
    "Ledger",
    "MemoryBlobStore",
    "MemoryBus",
    "MemoryReceiver",
    "MemorySession",
    "MemoryTableStore",
    "Scenario",
    "SeededIds",
    "SimulatedCrash",
    "Timer",
    "VirtualClock",
    "agent_topology",
    "chaos",
    "crash_test",
    "crashes",
]
