"""`python -m aos.tools.review.inspectors <name>`: one inspector over the files named on stdin."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys

INSPECTORS = ("complexity", "docstrings", "functions", "secrets")


def main() -> int:
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in INSPECTORS:
        sys.stderr.write(f"There is no inspector {name!r}. There are: {', '.join(INSPECTORS)}.\n")
        return 2
    request = json.load(sys.stdin)
    # Libraries print. Only the answer may go to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        answer = importlib.import_module(f"aos.tools.review.inspectors.{name}").inspect(
            request["root"], request["files"]
        )
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
