"""The Functions entry. All it does is build the app; see `aos.functions`."""

from aos.functions import create_function_app

app = create_function_app()
