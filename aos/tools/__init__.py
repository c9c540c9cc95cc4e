"""What agents work with: callable pieces of work behind one small contract, and the code review."""
