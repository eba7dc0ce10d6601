"""The OpenAPI document, field by field, against tests/golden/api.

``tests/support/golden.py`` says how the file is regenerated.
"""

from __future__ import annotations

from support.golden import assert_golden

from model_lifecycle.api import ApiSettings, create_app
from model_lifecycle.registry.settings import Settings


def test_the_openapi_document_stays() -> None:
    """Clients are generated from it: a change of it is a change of theirs."""
    app = create_app(Settings({}, home="unused"), api=ApiSettings({}))

    assert_golden("api/openapi", app.openapi())
