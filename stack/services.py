"""All parts, in the order in which they start."""

from __future__ import annotations

from .airflow import (
    API_SERVER,
    DAG_PROCESSOR,
    SCHEDULER,
    TRIGGERER,
)
from .api import API
from .mlflow import MLFLOW
from .postgres import POSTGRES
from .seaweed import SEAWEED
from .service import StackService

#: What the others keep their data in.
STORES = (POSTGRES, SEAWEED)
SERVICES = (MLFLOW, API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER, API)
PARTS = (*STORES, *SERVICES)
BY_NAME = {part.name: part for part in PARTS}


def owner_of(port: str) -> StackService:
    """The part that opens the port of this name."""
    return next(part for part in PARTS if port in part.ports or port.startswith(f"{part.name}-"))
