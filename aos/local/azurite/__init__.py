"""Azurite, the storage emulator: installed from a committed lock file and run as a child process."""

from aos.local.azurite.server import Azurite

__all__ = ["Azurite"]
