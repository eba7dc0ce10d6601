"""A promoter that uses MLflow alone, as its documentation has it. A program: it answers the
commands of the promoters in ``tests/race``, ``promote`` only.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

from mlflow import MlflowClient


def promote(client: MlflowClient, name: str, version: int, at: float) -> dict[str, Any]:
    """Archive whatever is in production, and put ``version`` there, at the moment ``at``."""
    time.sleep(max(0.0, at - time.monotonic()))
    try:
        client.transition_model_version_stage(
            name, str(version), "Production", archive_existing_versions=True
        )
    except Exception as error:
        return {"outcome": f"{type(error).__name__}: {error}"[:200]}
    return {"outcome": "done"}


def main(settings: dict[str, str]) -> None:
    warnings.simplefilter("ignore")  # stages are deprecated
    client = MlflowClient(settings["tracking_uri"], settings["tracking_uri"])
    client.get_registered_model(settings["model"])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer = promote(client, settings["model"], command["version"], command["at"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
