"""The seven wire dialects. Each module writes one vendor's requests, reads its answers and exports `DIALECT`."""
