"""Which steps can be done, and which never will be, once a step is settled.

A step that was skipped by its own condition counts as done, with the output null; so does an optional one that failed.
All that depends on any other failure is skipped.
"""

from __future__ import annotations

from aos.workflows.definition.graph import Graph
from aos.workflows.run.marks import Mark, Marks


def mark_beginning(graph: Graph, marks: Marks) -> None:
    """Make the pending steps ready that need nothing more."""
    for place in marks.places(Mark.PENDING):
        if _can_be_done(graph, marks, place):
            marks[place] = Mark.READY


def mark_followers(graph: Graph, marks: Marks, place: int) -> int:
    """Make ready, or skip, what depends on a step that was just settled; returns how many were skipped."""
    if marks[place].satisfies:
        for follower in graph.needed_by[place]:
            if marks[follower] is Mark.PENDING and _can_be_done(graph, marks, follower):
                marks[follower] = Mark.READY
        return 0
    skipped, waiting = 0, [place]
    while waiting:
        for follower in graph.needed_by[waiting.pop()]:
            if marks[follower] is Mark.PENDING:
                marks[follower] = Mark.SKIPPED
                skipped += 1
                waiting.append(follower)
    return skipped


def _can_be_done(graph: Graph, marks: Marks, place: int) -> bool:
    return all(marks[need].satisfies for need in graph.needs[place])
