"""What a workflow is: its shape, its file, its expressions, its checks and its pictures. Pure, without I/O."""
