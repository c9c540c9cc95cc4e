"""The Functions app: triggers that hand over to the kernel and the API."""

import azure.functions as func

__all__ = ["create_function_app"]


def create_function_app() -> func.FunctionApp:
    """The app with all its triggers."""
    from aos.functions.http import http_triggers
    from aos.functions.triggers import triggers

    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.register_functions(triggers)
    app.register_functions(http_triggers())
    return app
