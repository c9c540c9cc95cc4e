"""Nodes that hand work on to nodes, within one process: a router, a pipeline, a crew."""
