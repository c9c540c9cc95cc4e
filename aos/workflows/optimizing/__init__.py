"""What the runs of a workflow tell about it: advice with numbers, and comparisons of two variants."""
