from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("commit_subject.py")


@pytest.mark.parametrize(
    ("subject", "accepted"),
    [
        ("Add keyset pagination to list_versions", True),
        ("Embed the registry's page in Airflow", True),
        ('Revert "Add a column"', True),
        ("Add " + "x" * 69, False),
        ("add a column", False),
        ("Added a column", False),
        ("Fixing the retry", False),
        ("The retry is fixed", False),
        ("Add a column.", False),
        ("", False),
    ],
)
def test_subject(tmp_path: Path, subject: str, accepted: bool) -> None:
    """The hook accepts imperative subjects of at most 72 characters, and says why it refuses."""
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\nWhy: because.\n", encoding="utf-8")

    done = subprocess.run([sys.executable, SCRIPT, message], capture_output=True, text=True)

    assert (done.returncode == 0) is accepted
    assert bool(done.stderr) is not accepted
