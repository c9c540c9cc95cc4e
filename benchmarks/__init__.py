"""Measurements of the system. Each script runs by itself; `make bench` runs them all."""
