"""Tasks: pieces of work that business apps ask for, each seen through by an agent of its own."""
