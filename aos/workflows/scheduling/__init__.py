"""Who goes first: lanes that admit pieces of work by priority, deadline and age, each an agent with a line in rows."""
