from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess, run


def command(home: Path, *words: str) -> CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("model-lifecycle"))
    return run([program, *words, "--home", str(home)], capture_output=True, text=True, check=False)


def test_keys_are_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    """The key itself is in the answer to `create` and nowhere else."""
    assert command(tmp_path, "db", "upgrade").returncode == 0
    options = ("--tenant", "acme", "--json")
    made = command(tmp_path, "keys", "create", "--name", "ci", "--role", "viewer", *options)
    key = json.loads(made.stdout)
    listed = command(tmp_path, "keys", "list", *options)
    revoked = command(tmp_path, "keys", "revoke", key["key_id"], *options)
    foreign = command(tmp_path, "keys", "revoke", key["key_id"], "--tenant", "globex")

    assert key["key"].startswith(f"mlk_{key['key_id']}_")
    assert key["key"] not in listed.stdout
    assert [item["roles"] for item in json.loads(listed.stdout)["keys"]] == [["viewer"]]
    assert json.loads(revoked.stdout)["revoked_at"] is not None
    assert foreign.returncode == 3


def test_a_server_without_a_registry_says_so(tmp_path: Path) -> None:
    """`serve` in the wrong folder ends with a sentence and an exit code, not with a server."""
    completed = command(tmp_path / "nothing", "serve")

    assert completed.returncode == 2
    assert "there is no registry here" in completed.stderr
