"""Print docs/reference/api.md: ``python -m model_lifecycle.api.write_reference``."""

from __future__ import annotations

import sys

from .app import create_app
from .openapi.reference import page

if __name__ == "__main__":
    sys.stdout.write(page(create_app().openapi()))
