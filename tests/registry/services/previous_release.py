"""A program of the previous release that runs on while the ledger is upgraded under it.

It uses nothing but the public face of the registry. Arguments: the home of a registry and, where
the ledger is not in it, the ledger's URL. It speaks one line of JSON when it is ready for the
upgrade, and one when it has done its work after it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pandas as pd
from sklearn.linear_model import LogisticRegression

from model_lifecycle.registry import open_registry
from model_lifecycle.registry.administration import upgrade_ledger
from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.ledger.migrate import HEAD
from model_lifecycle.registry.settings import Settings


async def main(home: str, database_url: str = "") -> None:
    settings = Settings({}, home=home, database_url=database_url)
    await upgrade_ledger(settings.database_url)
    async with open_registry(settings) as registry:
        frame = pd.DataFrame({"delay": [float(number) for number in range(40)]})
        model = LogisticRegression().fit(frame, frame["delay"] > 20)
        trained = TrainedModel(model, "sklearn", {"auc": 0.9}, {}, input_example=frame.head(3))
        logged = await registry.log_model("acme", "origin", trained, created_by="old")

        async def promote() -> int:
            made = await registry.register_model(
                "acme", "churn", logged.model_uri, "sklearn", None, None, created_by="old"
            )
            version = max(made.versions)
            for stage in ("staging", "production"):
                await registry.transition_stage(
                    "acme", "churn", version, stage, actor="old", reason="drill", force=True
                )
            return version

        await promote()
        _print({"head": HEAD, "source": logged.model_uri})
        await asyncio.to_thread(sys.stdin.readline)
        promoted = await promote()
        back = await registry.rollback("acme", "churn", actor="old", reason="late")
        repeated = [
            await registry.transition_stage(
                "acme",
                "churn",
                promoted,
                "staging",
                actor="old",
                reason="r",
                force=True,
                operation_id="again",
            )
            for _ in range(2)
        ]
        _print(
            {
                "promoted": promoted,
                "production": back.production_version,
                "repeated": repeated[0].epoch == repeated[1].epoch,
                "entries": len(await registry.history("acme", "churn")),
                "reconcile": [item.code for item in await registry.reconcile("acme")],
            }
        )


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
