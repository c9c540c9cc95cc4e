"""The Functions entry. All it does is build the app; see `aos.functions`."""

from aos.functions import create_function_app
from aos.functions.process import close

__all__ = ["app", "close"]

app = create_function_app()
