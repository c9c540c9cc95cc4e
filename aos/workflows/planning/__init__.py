"""How a piece of work is done: how hard it is, who takes part, and in which workflow."""
