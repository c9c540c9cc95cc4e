"""`$management`: requests about an entity that are not plain sending and receiving."""
