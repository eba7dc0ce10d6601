"""A registration as it arrives: JSON with a source, or a form with a file."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from ..http.errors import HttpError, unsupported_media_type
from ..http.strict_json import is_json, json_body, parse
from ..schemas.requests import UploadVersion
from ..settings import ApiSettings
from .model_folder import model_folder
from .onnx import onnx_folder
from .zip_archive import ArchiveLimits, unpack

D = TypeVar("D", bound=UploadVersion)
DOCUMENT, ZIP, ONNX = "document", "mlflow_model", "onnx_model"
FORM = "multipart/form-data"


@dataclass(frozen=True)
class RegistrationForm(Generic[D]):
    """``source`` is what the core takes: an address, or a folder that is there until the end of
    the block. ``arguments`` describe the version, for both ways of registering."""

    document: D
    source: str | Path
    framework: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "framework": self.framework,
            "metrics": self.document.metrics,
            "parameters": self.document.parameters,
            "tags": self.document.tags,
            "description": self.document.description,
            "dataset": self.document.dataset,
            "outputs": self.document.outputs,
        }


@asynccontextmanager
async def received(
    request: Request,
    by_source: type[D],
    by_upload: type[UploadVersion],
) -> AsyncIterator[RegistrationForm[Any]]:
    """The checked registration of the request. Raises HttpError, InvalidInput, UntrustedModel."""
    kind = request.headers.get("content-type", "")
    if is_json(kind):
        document: Any = _checked(by_source, await json_body(request))
        yield RegistrationForm(document, document.source, document.framework)
        return
    if kind.partition(";")[0].strip().lower() != FORM:
        raise unsupported_media_type("application/json", FORM)
    api: ApiSettings = request.app.state.api
    async with AsyncExitStack() as stack:
        form = await request.form(max_files=1, max_fields=4, max_part_size=api.max_body)
        stack.push_async_callback(form.close)
        document, name, stream = _parts(form, by_upload)
        place = await stack.enter_async_context(_scratch())
        folder = await asyncio.to_thread(_unpacked, name, stream, place, api)
        framework = "onnx" if name == ONNX else document.framework
        yield RegistrationForm(document, folder, framework)


@asynccontextmanager
async def _scratch() -> AsyncIterator[Path]:
    """An empty folder of this request alone; removed in a thread: a large model takes a while."""
    folder = tempfile.TemporaryDirectory(prefix="model-lifecycle-upload-")
    try:
        yield Path(folder.name)
    finally:
        await asyncio.to_thread(folder.cleanup)


def _parts(form: FormData, document_type: type[UploadVersion]) -> tuple[Any, str, BinaryIO]:
    parts = form.multi_items()
    files = [(name, part) for name, part in parts if isinstance(part, UploadFile)]
    texts = [(name, part) for name, part in parts if isinstance(part, str)]
    if (
        [name for name, _ in texts] != [DOCUMENT]
        or len(files) != 1
        or files[0][0] not in (ZIP, ONNX)
    ):
        raise HttpError(
            422,
            "invalid_input",
            f"the form must have one field {DOCUMENT!r} with JSON, and one file {ZIP!r} (a zip of "
            f"an MLflow model folder) or {ONNX!r}",
            field=DOCUMENT,
        )
    document = _checked(document_type, parse(texts[0][1].encode("utf-8", "surrogatepass")))
    return document, files[0][0], files[0][1].file


def _unpacked(name: str, stream: BinaryIO, place: Path, api: ApiSettings) -> Path:
    if name == ONNX:
        return onnx_folder(stream, place)
    unpack(stream, place, ArchiveLimits(api.max_entries, api.max_expanded))
    return model_folder(place)


def _checked(kind: type[UploadVersion], document: Any) -> Any:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        ) from None
