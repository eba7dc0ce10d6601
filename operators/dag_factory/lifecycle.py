"""Whole lifecycles as one call, so that a user's DAG file is a dozen lines around ``train``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, chain

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.stages import Stage

from ..hooks.model_registry import ModelRegistryHook
from ..prepare_data import PrepareDataOperator
from ..promote import PromoteModelOperator
from ..register import RegisterModelOperator
from ..rollback import RollbackModelOperator
from ..set_policy import SetPolicyOperator
from ..shadow_test import ShadowTestOperator
from ..train import TrainModelOperator
from ..validate import ValidateModelOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier

    from model_lifecycle.registry.domain.models import TrainedModel
    from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

_MODEL_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$"
_VERSION = "{{ ti.xcom_pull(task_ids='register')['version'] }}"
_TRAINED = "{{{{ ti.xcom_pull(task_ids='train')['{}'] }}}}"


def retrain_and_promote(
    *,
    dag_id: str,
    tenant_id: str,
    model_id: str,
    train: Callable[..., TrainedModel],
    validation_data: str | Callable[..., str],
    shadow_window: tuple[str | date, str | date],
    train_kwargs: Mapping[str, Any] | None = None,
    validation_kwargs: Mapping[str, Any] | None = None,
    record_traffic: Callable[..., Any] | None = None,
    traffic_kwargs: Mapping[str, Any] | None = None,
    policy: PromotionPolicy | None = None,
    approval: bool | Mapping[str, Any] = False,
    notifiers: Sequence[BaseNotifier] = (),
    description: str = "",
    model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
    schedule: Any = None,
    **dag_kwargs: Any,
) -> DAG:
    """A DAG that trains a model, judges it twice, and promotes it if both gates say PASS.

    train → register → set_policy → validation_data → validate → promote_to_staging →
    record_traffic → shadow_test → approve → promote_to_production. What is not given has no task. A
    verdict other than PASS skips the promotion that needs it and what follows; the run succeeds,
    and production stays as it is. Every argument that reaches a user's function, the path of the
    data and the ends of the window may be templates of the DAG's ``params``, so that one DAG can
    be triggered for other windows.

    :param train: function of ``train_kwargs`` that returns a ``TrainedModel``.
    :param validation_data: path or URI of the held-out labelled data (parquet), or a function
        of ``validation_kwargs`` that writes it and returns where.
    :param shadow_window: first day and the day after the last, as ISO text, dates or datetimes;
        without a time zone they are UTC.
    :param record_traffic: function of ``traffic_kwargs`` that writes the window's requests into
        the traffic layout, for systems whose serving does not log them there itself.
    :param policy: the model's promotion policy; none leaves the model's own alone.
    :param approval: whether a person has to approve before production, or the arguments of
        ``ApproveModelOperator``, such as ``assigned_users``. A policy given with it must require
        approval, so that no promotion from elsewhere passes by the person.
    :param notifiers: Airflow notifiers that are called on promotions, refusals and rejections.
    :param description: of the model, for people.
    :param dag_kwargs: everything else that a DAG takes, such as ``params`` and ``start_date``.
    """
    start, end = shadow_window
    model: dict[str, Any] = {
        "tenant_id": tenant_id,
        "model_id": model_id,
        "model_registry_conn_id": model_registry_conn_id,
    }
    with _dag(dag_id, schedule, (tenant_id, model_id), _RETRAIN_DOC, dag_kwargs) as dag:
        steps: list[Any] = [
            TrainModelOperator(task_id="train", train=train, op_kwargs=train_kwargs, **model),
            RegisterModelOperator(
                task_id="register",
                source=_TRAINED.format("model_uri"),
                framework=_TRAINED.format("framework"),
                model_type=_TRAINED.format("model_type"),
                description=description,
                **model,
            ),
        ]
        if policy is not None:
            steps.append(SetPolicyOperator(task_id="set_policy", policy=policy.document(), **model))
        if callable(validation_data):
            steps.append(
                PrepareDataOperator(
                    task_id="validation_data", prepare=validation_data, op_kwargs=validation_kwargs
                )
            )
            validation_data = "{{ ti.xcom_pull(task_ids='validation_data') }}"
        steps += [
            ValidateModelOperator(
                task_id="validate", version=_VERSION, data=validation_data, **model
            ),
            PromoteModelOperator(
                task_id="promote_to_staging",
                version=_VERSION,
                target_stage=Stage.STAGING.value,
                notifiers=notifiers,
                **model,
            ),
        ]
        if record_traffic is not None:
            steps.append(
                PrepareDataOperator(
                    task_id="record_traffic", prepare=record_traffic, op_kwargs=traffic_kwargs
                )
            )
        steps.append(
            ShadowTestOperator(
                task_id="shadow_test", version=_VERSION, start=start, end=end, **model
            )
        )
        if approval or isinstance(approval, Mapping):
            steps.append(_approve(approval, policy, {"notifiers": notifiers, **model}))
        steps.append(
            PromoteModelOperator(
                task_id="promote_to_production",
                version=_VERSION,
                target_stage=Stage.PRODUCTION.value,
                notifiers=notifiers,
                **model,
            )
        )
        chain(*steps)
    return dag


def _approve(
    approval: bool | Mapping[str, Any], policy: PromotionPolicy | None, model: Mapping[str, Any]
) -> Any:
    from ..approve import ApproveModelOperator

    if policy is not None and not policy.require_approval:
        raise InvalidInput(
            "approval is asked for, but the policy does not require it, so that a promotion from "
            "elsewhere would pass it by; state require_approval=True in the policy",
            field="policy.require_approval",
        )
    given = approval if isinstance(approval, Mapping) else {}
    return ApproveModelOperator(**{"task_id": "approve", "version": _VERSION, **model, **given})


def rollback_dag(
    *,
    dag_id: str,
    tenant_id: str,
    models: Sequence[str] | None = None,
    notifiers: Sequence[BaseNotifier] = (),
    model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
    **dag_kwargs: Any,
) -> DAG:
    """A DAG that a person triggers to bring an earlier version back into production.

    Its form asks for the model, the version (empty: the previous one in production) and the
    reason. One run at a time.

    :param models: the models the form offers; none: any name.
    :param notifiers: Airflow notifiers that are called on the rollback.
    """
    choice = {"enum": list(models)} if models else {"pattern": _MODEL_PATTERN}
    params = {
        "model": Param(
            models[0] if models and len(models) == 1 else None,
            title="Model (required)",
            description="The model to roll back.",
            type="string",
            **choice,
        ),
        "to_version": Param(
            None,
            title="Version (optional)",
            description="The version to bring back. Empty: the previous one in production.",
            type=["null", "integer"],
            minimum=1,
        ),
        "reason": Param(
            None,
            title="Reason (10 to 1000 characters)",
            description="Why, in at least 10 characters. The run starts when the reason is long "
            "enough. The ledger keeps it.",
            type="string",
            minLength=10,
            maxLength=1000,
        ),
    }
    dag_kwargs = {**dag_kwargs, "params": {**params, **dag_kwargs.get("params", {})}}
    with _dag(dag_id, None, (tenant_id, "rollback"), _ROLLBACK_DOC, dag_kwargs) as dag:
        RollbackModelOperator(
            task_id="rollback",
            tenant_id=tenant_id,
            model_id="{{ params.model }}",
            # Rendered as text, empty for null: rendering to native objects would also turn a
            # model that is named "007" into a number.
            to_version="{{ params.to_version or '' }}",
            reason="{{ params.reason }}",
            notifiers=notifiers,
            model_registry_conn_id=model_registry_conn_id,
        )
    return dag


def _dag(
    dag_id: str, schedule: Any, tags: tuple[str, str], doc: str, dag_kwargs: Mapping[str, Any]
) -> DAG:
    """One run at a time, so that two candidates of one model never race; no catching up."""
    settings = {"catchup": False, "max_active_runs": 1, "doc_md": doc, **dag_kwargs}
    settings["tags"] = ["model-lifecycle", *tags, *settings.get("tags", ())]
    settings["default_args"] = {
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        **(settings.get("default_args") or {}),
    }
    return DAG(dag_id=dag_id, schedule=schedule, **settings)


_RETRAIN_DOC = """
Trains a version and registers it in development. **validate** judges it on held-out labelled
data, **shadow_test** on recorded requests, both against the version in production. A promotion
that lacks a PASS is skipped, and production stays as it is; the task's log says why.

A retry repeats the same operation and changes nothing twice. Trigger a new run for a new version.
"""

_ROLLBACK_DOC = """
Brings an earlier version back into production, in one operation. The version in production now
goes back to development; the files of the one that returns are verified first.
"""
