"""What tests of agents run on: stores in memory that keep the rules of the real ones, and a clock that obeys."""

from aos.testing.blobs import MemoryBlobStore
from aos.testing.clock import SeededIds, Timer, VirtualClock
from aos.testing.tables import MemoryTableStore

__all__ = ["MemoryBlobStore", "MemoryTableStore", "SeededIds", "Timer", "VirtualClock"]
