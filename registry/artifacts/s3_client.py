"""The connection to S3, and its errors told as the registry's: the only place that knows boto3."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    ArtifactNotFound,
    BackendUnavailable,
    FrameworkUnavailable,
    InvalidInput,
)

from .checksums import PART_SIZE
from .protocol import BACKEND

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


class S3Connection:
    """A boto3 client, made at first use in the thread that uses it. Clients are thread-safe."""

    def __init__(
        self,
        endpoint_url: str | None,
        make_client: Callable[[Any, str | None], Any] | None = None,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._make_client = make_client or _from_environment
        self._client: Any = None
        self._making = threading.Lock()

    def client(self) -> Any:
        """The client. Raises FrameworkUnavailable when boto3 is not installed."""
        with self._making:
            if self._client is None:
                self._client = self._make()
            return self._client

    def transfers(self) -> Any:
        """Multipart settings; the part size is fixed because ETags depend on it."""
        from boto3.s3.transfer import TransferConfig

        return TransferConfig(
            multipart_threshold=PART_SIZE, multipart_chunksize=PART_SIZE, max_concurrency=8
        )

    def close(self) -> None:
        with self._making:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _make(self) -> Any:
        try:
            import boto3  # noqa: F401
            from botocore.config import Config
        except ImportError:
            raise FrameworkUnavailable(
                "boto3, for artifacts in S3,", "pip install 'airflow-provider-model-lifecycle[s3]'"
            ) from None
        try:
            return self._make_client(
                Config(
                    connect_timeout=2,
                    read_timeout=60,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                    max_pool_connections=32,
                    # As boto3 does by itself over HTTPS: what arrived is proven by its digest.
                    s3={"payload_signing_enabled": False},
                ),
                self._endpoint_url,
            )
        except ValueError as error:
            raise InvalidInput(
                f"s3_endpoint_url cannot be used: {error}", field="s3_endpoint_url"
            ) from None


def _from_environment(config: Any, endpoint_url: str | None) -> Any:
    import boto3
    import botocore.session

    # A session of our own: boto3's default session is not thread-safe.
    session = botocore.session.get_session()
    data_path = session.get_config_variable("data_path")
    session.register_component("data_loader", _service_descriptions(data_path))
    own = boto3.session.Session(botocore_session=session)
    return own.client("s3", endpoint_url=endpoint_url, config=config)


@functools.cache
def _service_descriptions(data_path: str | None) -> Any:
    """Botocore's description of S3's API: much JSON, which each session would read again."""
    from botocore.loaders import create_loader

    return create_loader(data_path)


@contextlib.contextmanager
def translated(path: str, bucket: str) -> Iterator[None]:
    """boto3's errors as the registry's."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        raise _client_error(error, path, bucket) from error
    except NoCredentialsError as error:
        raise BackendUnavailable(BACKEND, "there are no credentials for S3") from error
    except (EndpointConnectionError, HTTPClientError) as error:
        raise BackendUnavailable(BACKEND, "the S3 server cannot be reached") from error
    except (BotoCoreError, Boto3Error) as error:
        inner = error.__context__
        if isinstance(inner, ClientError):
            raise _client_error(inner, path, bucket) from error
        raise BackendUnavailable(BACKEND, f"S3 failed with {type(error).__name__}") from error


def _client_error(error: Any, path: str, bucket: str) -> Exception:
    details = error.response.get("Error", {})
    code = str(details.get("Code", ""))
    if code == "NoSuchBucket" or (code in _ABSENT and not path):
        return BackendUnavailable(BACKEND, f"there is no bucket {bucket!r}")
    if code in _ABSENT:
        return ArtifactNotFound(path)
    if code in _TAKEN:
        return AlreadyExists(f"{path!r} exists already")
    return BackendUnavailable(BACKEND, f"S3 answered {code}: {details.get('Message', '')[:200]}")
