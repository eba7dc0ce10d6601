from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.http import LIMITS, Api, served
from support.registry_fixture import new_name, trained

from model_lifecycle.api import create_app
from model_lifecycle.registry.frameworks import adapter_for

Files = dict[str, bytes]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, mlflow_imported: None) -> Files:
    """The files of a scikit-learn model as MLflow saves it."""
    root = tmp_path_factory.mktemp("saved") / "model"
    model = trained()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter_for("sklearn").save(model.model, root, input_example=model.input_example)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def zipped(files: Files, change: Any = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            if change:
                change(entry)
            archive.writestr(entry, data)
    return target.getvalue()


def upload(
    api: Api, data: bytes, part: str = "mlflow_model", document: Any = None, **fields: Any
) -> Any:
    form = document if document is not None else {"name": new_name("up"), "metrics": {"auc": 0.9}}
    return api.call(
        "POST",
        "/models",
        "contributor",
        data={"document": json.dumps(form)},
        files={part: ("model", data, "application/octet-stream")},
        **fields,
    )


def test_an_uploaded_folder_becomes_a_version(api: Api, folder: Files) -> None:
    """A zip of an MLflow model folder is registered with the metrics told, also as next version."""
    name = new_name("up")
    made = upload(api, zipped(folder), document={"name": name, "metrics": {"auc": 0.8}})
    inner = zipped({f"model/{path}": data for path, data in folder.items()})
    next_one = api.call(
        "POST",
        f"/models/{name}/versions",
        "contributor",
        data={"document": "{}"},
        files={"mlflow_model": ("model.zip", inner)},
    )

    assert (made.status_code, next_one.status_code) == (201, 201), (made.text, next_one.text)
    assert made.json()["metrics"] == {"auc": 0.8}
    assert next_one.json()["versions"] == ["1", "2"]


def test_a_repeated_upload_has_one_effect(api: Api, folder: Files) -> None:
    """The same key and file again give the same version; the same key with another file is 409."""
    name, key = new_name("up"), {"Idempotency-Key": new_name("key")}
    form = {"name": name}
    data = zipped(folder)
    first = upload(api, data, document=form, headers=key)
    again = upload(api, data, document=form, headers=key)
    other = upload(api, zipped({**folder, "more.txt": b"x"}), document=form, headers=key)

    assert [first.status_code, again.status_code, other.status_code] == [201, 201, 409]
    assert api.get(f"/models/{name}").json()["versions"] == ["1"]


@pytest.fixture(scope="module")
def elsewhere(api: Api) -> Iterator[Api]:
    """Another instance of the app over the same stores, as behind one address with the first."""
    app = create_app(api.settings, api=LIMITS)
    with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield replace(api, url=url, client=client)


def test_an_upload_repeated_elsewhere_has_one_effect(
    api: Api, elsewhere: Api, folder: Files
) -> None:
    """A key is known by what was uploaded, not by where it was unpacked: another host, and another
    archive of the same files, give the same answer."""
    name, key = new_name("up"), {"Idempotency-Key": new_name("key")}
    form = {"name": name}
    first = upload(api, zipped(folder), document=form, headers=key)
    again = upload(elsewhere, zipped(folder, method=zipfile.ZIP_STORED), document=form, headers=key)
    other = upload(elsewhere, zipped({**folder, "more": b"x"}), document=form, headers=key)

    assert [first.status_code, again.status_code, other.status_code] == [201, 201, 409]
    assert (first.json()["replayed"], again.json()["replayed"]) == (False, True)
    assert again.json()["current"] == api.get(f"/models/{name}").json()
    assert again.json() == {**first.json(), "replayed": True, "current": again.json()["current"]}
    assert api.get(f"/models/{name}").json()["versions"] == ["1"]


def test_uploads_of_one_key_at_once_have_one_effect(
    api: Api, elsewhere: Api, folder: Files
) -> None:
    """On two instances at the same time: each is answered with the one version, or told to come
    again; who comes again is answered. Which number it has is MLflow's to say: that of an attempt
    that came too late is gone."""
    name, key = new_name("up"), {"Idempotency-Key": new_name("key")}
    data = zipped(folder)

    def send(number: int) -> tuple[int, int | None]:
        there = (api, elsewhere)[number % 2]
        answer = upload(there, data, document={"name": name}, headers=key)
        return int(answer.status_code), answer.json().get("current_version")

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(send, range(4)))

    (version,) = api.get(f"/models/{name}").json()["versions"]
    assert set(answers) <= {(201, version), (503, None)}
    assert (201, version) in answers
    assert [send(0), send(1)] == [(201, version)] * 2
    assert api.get(f"/models/{name}").json()["versions"] == [version]
    assert len(api.get(f"/models/{name}/history").json()["items"]) == 1


def test_an_onnx_file_is_passed_on(api: Api) -> None:
    """It reaches the core, whose answer about the framework comes back; nothing is registered."""
    name = new_name("up")
    answer = upload(api, b"\x08\x08" + b"\0" * 2000, "onnx_model", {"name": name})
    body = answer.json()

    assert answer.status_code in (422, 501)
    assert body["code"] in ("unknown_framework", "framework_unavailable", "untrusted_model") or (
        "onnx" in body["detail"].lower()
    )
    assert api.get(f"/models/{name}").status_code == 404


def test_a_file_that_is_not_onnx(api: Api) -> None:
    """It is refused by its first byte."""
    answer = upload(api, b"hello", "onnx_model")

    assert (answer.status_code, answer.json()["field"]) == (422, "onnx_model")


def link(entry: zipfile.ZipInfo) -> None:
    if entry.filename == "extra":
        entry.external_attr = 0o120777 << 16


def fifo(entry: zipfile.ZipInfo) -> None:
    if entry.filename == "extra":
        entry.external_attr = 0o010644 << 16


def encrypted(data: bytes) -> bytes:
    """The archive with every entry marked as encrypted."""
    archive = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := archive.find(signature, at + 1)) >= 0:
            archive[at + offset] |= 1
    return bytes(archive)


def lying(data: bytes, size: int) -> bytes:
    """The archive with each entry claiming ``size`` bytes."""
    archive = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = -1
        while (at := archive.find(signature, at + 1)) >= 0:
            struct.pack_into("<I", archive, at + offset, size)
    return bytes(archive)


class Evil:
    """Makes the file ``marker`` when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


def bad_archives(folder: Files, marker: Path) -> dict[str, bytes]:
    mlmodel = folder["MLmodel"].decode()
    pickled = pickle.dumps(Evil(marker))
    names = ("../x", "/etc/x", "a/../../x", "a\\..\\x", "C:/x", "a//x", "./x", "a\nb", "x" * 300)
    return {
        **{f"name {name[:9]!r}": zipped({**folder, name: b"x"}) for name in names},
        "link": zipped({**folder, "extra": b"/etc/passwd"}, link),
        "fifo": zipped({**folder, "extra": b""}, fifo),
        "encrypted": encrypted(zipped(folder)),
        "file below a file": zipped({**folder, "a": b"x", "a/b": b"x"}),
        "too many": zipped({**folder, **{f"f{n}": b"" for n in range(60)}}),
        "bomb": zipped({**folder, "zeros": b"\0" * 9_000_000}),
        "lying bomb": lying(zipped({**folder, "zeros": b"\0" * 9_000_000}), 10),
        "bzip2": zipped(folder, method=zipfile.ZIP_BZIP2),
        "no MLmodel": zipped({"a": b"x"}),
        "empty archive": zipped({}),
        "no archive": b"hello",
        "cut off": zipped(folder)[:-40],
        "cut in the middle": zipped(folder)[:300] + zipped(folder)[-200:],
        "nothing": b"",
        "pickle by name": zipped({**folder, "model.pkl": b"x"}),
        "pickle by content": zipped({**folder, "weights.bin": pickled}),
        "pickled model": zipped({
            **folder,
            "MLmodel": mlmodel.replace("skops\n", "cloudpickle\n").encode(),
            "model.skops": pickled,
        }),
        "flavor": zipped({**folder, "MLmodel": mlmodel.replace("sklearn:", "spark:").encode()}),
        "loader": zipped({
            **folder, "MLmodel": mlmodel.replace("mlflow.sklearn", "os").encode()
        }),
        "code": zipped({
            **folder, "MLmodel": mlmodel.replace("  sklearn:\n", "  sklearn:\n    code: code\n")
            .replace("code: null", "").encode(),
        }),
        "unsafe yaml": zipped({
            **folder, "MLmodel": f"!!python/object/apply:os.system ['touch {marker}']".encode()
        }),
        "yaml bomb": zipped({
            **folder,
            "MLmodel": b"a: &a [x]\n"
            + b"".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n".encode()
                for n in range(8)
            ),
        }),
    }  # fmt: skip


def test_bad_archives(api: Api, folder: Files, tmp_path: Path) -> None:
    """Each is a 4xx within a second, names no path of ours, and leaves nothing behind."""
    marker = tmp_path / "made-by-an-upload"
    for case, data in bad_archives(folder, marker).items():
        name = new_name("up")
        started = time.perf_counter()
        answer = upload(api, data, document={"name": name})
        seconds = time.perf_counter() - started

        assert 400 <= answer.status_code < 500, (case, answer.text)
        assert seconds < 1.5, case
        assert "/tmp" not in answer.text, (case, answer.text)
        assert api.get(f"/models/{name}").status_code == 404, case
    assert not marker.exists()


def test_an_upload_beyond_the_limit(api: Api) -> None:
    """It is refused, declared or streamed."""
    answer = upload(api, b"\0" * 5_000_000)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "parts",
    [
        {"data": {"document": "{}"}},
        {"files": {"mlflow_model": b"x"}},
        {"data": {"document": "{}", "tenant": "globex"}, "files": {"mlflow_model": b"x"}},
        {"data": {"document": "{}"}, "files": {"other": b"x"}},
        {"data": {"document": '{"name":"a","name":"b"}'}, "files": {"mlflow_model": b"x"}},
        {"data": {"document": '{"name":"a","tenant":"b"}'}, "files": {"mlflow_model": b"x"}},
        {"data": {"document": "x" * 2_000_000}, "files": {"mlflow_model": b"x"}},
        {"data": {"document": "{}"}, "files": [("mlflow_model", b"x"), ("onnx_model", b"x")]},
        {"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data"}},
    ],
)
def test_odd_forms(api: Api, parts: dict[str, Any]) -> None:
    """A form has one document and one file, and nothing else."""
    answer = api.call("POST", "/models", "contributor", **parts)

    assert answer.status_code in (400, 413, 415, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_stays_on_disk(
    api: Api, folder: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After uploads that were registered, refused and too large, the place for them is empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    answers = [
        upload(api, data, document={"name": new_name("up")})
        for data in (zipped(folder), zipped(folder)[:-40], b"\0" * 5_000_000)
    ]

    assert [answer.status_code for answer in answers] == [201, 422, 413]
    assert set(tmp_path.iterdir()) == before
