"""The API against its own description. ``make fuzz`` runs the same with many more cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.http import Api
from support.registry_fixture import new_name

from model_lifecycle.api.schemas.fields import SOURCE_PATTERN

CASES = int(os.environ.get("MODEL_LIFECYCLE_FUZZ_CASES", "3"))
#: A run of the whole, so that a small bound on cases does not become a long one in time.
SECONDS = 30 if CASES <= 3 else 3000
PHASES = ("--phases", "coverage,fuzzing,stateful") if CASES <= 3 else ()
_HOOKS = '''
import json, os, re, uuid
import schemathesis

KNOWN = json.loads(os.environ["CONTRACT_KNOWN"])
SOURCES = os.environ["CONTRACT_SOURCES"]

@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every other name generated is that of something that exists."""
    for name, values in KNOWN.items():
        if path_parameters and name in path_parameters and len(str(path_parameters[name])) % 2:
            path_parameters[name] = values[len(str(path_parameters[name])) % len(values)]
    return path_parameters

@schemathesis.hook
def map_headers(context, headers):
    """No key is used by two cases: its second use is answered as the first was, also where the
    model has been deleted in between, which looks like something made that is not there."""
    key = (headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,150}", key):
        headers["Idempotency-Key"] = f"{key}{uuid.uuid4().hex}"
    return headers

@schemathesis.hook
def map_body(context, body):
    """Every other source generated is one that exists; what is meant to be wrong stays."""
    source = body.get("source") if isinstance(body, dict) else None
    sound = isinstance(source, str) and len(source) <= 1000 and re.search(SOURCES, source)
    if sound and len(str(body)) % 2:
        body["source"] = os.environ["CONTRACT_SOURCE"]
    return body
'''
#: Where what the schema allows may still be refused: page tokens belong to a query, forms need one
#: file of two, evidence has to be about the version's own files, and If-Match may name a state of
#: the past.
_ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "412", "501"]
#: An If-Match that is no tag names no state: 412 is its rejection.
_REJECTED = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "414", "415", "422"]
#: What these are sent is also judged by more than the schema: by what the registry holds, and, for
#: the sections of a policy, by the gates.
_JUDGED_FURTHER = (
    "GET /api/v1/models",
    "GET /api/v1/models/{model_id}/history",
    "GET /api/v1/models/{model_id}/versions",
    "GET /api/v1/models/{model_id}/versions/{version}/evidence",
    "POST /api/v1/models/{model_id}/versions/{version}/evidence",
    "GET /api/v1/experiments",
    "GET /api/v1/experiments/{exp_id}/runs",
    "POST /api/v1/models",
    "POST /api/v1/models/{model_id}/versions",
    "PUT /api/v1/models/{model_id}/policy",
)


def _config() -> str:
    option = "checks.positive_data_acceptance.expected-statuses"
    parts = [
        f"{option} = {json.dumps(_ACCEPTED)}",
        f"checks.negative_data_rejection.expected-statuses = {json.dumps(_REJECTED)}",
        # A registry without a ledger key signs no proofs, and says so.
        'checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]',
    ]
    for name in _JUDGED_FURTHER:
        parts += [
            "[[operations]]",
            f"include-name = {json.dumps(name)}",
            f"{option} = {json.dumps([*_ACCEPTED, '400', '422'])}",
        ]
    return "\n".join(parts)


def schemathesis(api: Api, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A run over all routes but the probe that depends on MLflow's speed."""
    schema = folder / "openapi.json"
    schema.write_text(json.dumps(api.openapi()))
    (folder / "schemathesis.toml").write_text(_config())
    hooks = folder / "contract_hooks.py"
    hooks.write_text(_HOOKS)
    names = [new_name() for _ in range(2)]
    for name in names:
        api.register(name)
    known = {"model_id": names, "version": [1, 2]}
    # One worker: with two, CPython 3.11 loses count of its recursion depth.
    program = Path(sys.executable).with_name("schemathesis")
    return subprocess.run(
        [
            *(str(program), "run", str(schema), "--url", api.url, "--seed", "11", "--no-color"),
            *("--max-examples", str(CASES), "--suppress-health-check", "all", "--no-shrink"),
            *("--request-timeout", "20", "--workers", "1", "--continue-on-failure", *options),
        ],
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "contract_hooks",
            "PYTHONPATH": str(folder),
            "CONTRACT_KNOWN": json.dumps(known),
            "CONTRACT_SOURCE": api.acme.source,
            "CONTRACT_SOURCES": SOURCE_PATTERN,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(SECONDS * 4)
def test_all_checks_with_a_credential(api: Api, tmp_path: Path) -> None:
    """Every answer is as described: statuses, headers, bodies; stateful links included."""
    key = api.acme.keys["admin"]
    completed = schemathesis(
        api, tmp_path, "-H", f"Authorization: Bearer {key}", "--checks", "all", *PHASES
    )

    assert completed.returncode == 0, completed.stdout[-40000:] + completed.stderr[-2000:]


@pytest.mark.timeout(SECONDS * 4)
def test_all_checks_without_a_credential(api: Api, tmp_path: Path) -> None:
    """Nothing but probes is answered, and every refusal is as described."""
    checks = "not_a_server_error,status_code_conformance,content_type_conformance"
    completed = schemathesis(
        api,
        tmp_path,
        *("--checks", f"{checks},response_headers_conformance,response_schema_conformance"),
        *("--phases", "coverage,fuzzing"),
    )

    assert completed.returncode == 0, completed.stdout[-40000:] + completed.stderr[-2000:]
