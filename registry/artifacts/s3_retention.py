"""How long a bucket with object lock keeps what is written once (S3: "Locking objects")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

#: Where a bucket has object lock and no default retention. In governance mode: its owner can still
#: remove an object, which needs a permission of its own.
_DEFAULT = timedelta(days=365)
_MODE = "GOVERNANCE"


@dataclass(frozen=True)
class Retention:
    """``period`` is None where S3 sets the retention by itself, or the bucket has no lock."""

    period: timedelta | None

    def options(self) -> dict[str, Any]:
        """The arguments of ``put_object`` for an object that is written now."""
        if self.period is None:
            return {}
        return {
            "ObjectLockMode": _MODE,
            "ObjectLockRetainUntilDate": datetime.now(UTC) + self.period,
        }


def retention(s3: Any, bucket: str) -> Retention:
    """The retention of a bucket. Blocking; a bucket whose lock cannot be read has none."""
    from botocore.exceptions import ClientError

    try:
        response = s3.get_object_lock_configuration(Bucket=bucket)
    except ClientError:
        return Retention(None)
    configuration = response.get("ObjectLockConfiguration", {})
    has_lock = configuration.get("ObjectLockEnabled") == "Enabled"
    has_default = bool(configuration.get("Rule", {}).get("DefaultRetention"))
    return Retention(_DEFAULT if has_lock and not has_default else None)
