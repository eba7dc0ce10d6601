"""HTTP semantics: problem details, ETags, idempotency, pagination, strict JSON."""
