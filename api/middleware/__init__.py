"""ASGI middleware: access log, authentication, request limits."""
