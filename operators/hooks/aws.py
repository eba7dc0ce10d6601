"""Credentials of S3 from an Airflow connection of type ``aws``, through the Amazon provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_lifecycle.registry.domain.errors import FrameworkUnavailable, InvalidInput


@dataclass(frozen=True)
class AwsS3Client:
    """Makes clients of S3 with the credentials of ``aws_conn_id``: keys, profile, role, as the
    provider understands them. Its endpoint counts where the registry's connection names none.

    Nothing is imported or asked before the first call, so tasks that need no file pay nothing.
    """

    aws_conn_id: str

    def __call__(self, config: Any, endpoint_url: str | None) -> Any:
        try:
            from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
        except ImportError:
            raise FrameworkUnavailable(
                f"the Amazon provider, for the AWS connection {self.aws_conn_id!r},",
                "pip install 'airflow-provider-model-lifecycle[amazon]'",
            ) from None
        from airflow.sdk.exceptions import AirflowNotFoundException

        hook: AwsGenericHook[Any] = AwsGenericHook(
            aws_conn_id=self.aws_conn_id, client_type="s3", config=config
        )
        try:
            # The provider would go on without it, with whatever the worker's environment holds.
            hook.get_connection(self.aws_conn_id)
        except AirflowNotFoundException:
            raise InvalidInput(
                f"there is no AWS connection {self.aws_conn_id!r}; add it, or leave aws_conn_id "
                "empty to take the credentials of the environment",
                field="aws_conn_id",
            ) from None
        client: Any = hook.get_session().client(
            "s3",
            endpoint_url=endpoint_url or hook.conn_config.get_service_endpoint_url("s3"),
            config=config,
            verify=hook.verify,
        )
        return client
