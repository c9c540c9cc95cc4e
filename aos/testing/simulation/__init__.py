"""Whole systems of agents on a virtual clock, with faults at every await: the same seed gives the same run."""

from aos.testing.simulation.run import Report, simulate
from aos.testing.simulation.trouble import Trouble
from aos.testing.simulation.workload import Actor, Ending, Workload, elsewhere
from aos.testing.simulation.workloads import WORKLOADS

__all__ = ["WORKLOADS", "Actor", "Ending", "Report", "Trouble", "Workload", "elsewhere", "simulate"]
