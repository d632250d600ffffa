"""The route by which templates are tried, as Backstage's template editor does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, fields, validates_schema

from portal.api.answers import answer
from portal.api.errors import fault_answer
from portal.errors import InputError
from portal.model.secret import Secret

if TYPE_CHECKING:
    from portal.scaffolder.skeleton import SkeletonEntry
    from portal.services.dry_run import DryRuns
    from portal.services.task_rights import TaskAccess

_MODE, _EXECUTABLE_MODE = 0o644, 0o755


class _Lenient(Schema):
    """Members that are not known are left alone, as Backstage does."""

    class Meta:
        """See above."""

        unknown = "exclude"


class UploadedFile(_Lenient):
    """A file beside the template."""

    path = fields.String(required=True)
    base64Content = fields.String(required=True)  # noqa: N815  # as Backstage has it
    executable = fields.Boolean(load_default=False)


class DryRunInput(_Lenient):
    """The body of a request for a dry run: a template with what stands beside it, or the reference of one.

    A reference is Portal's own addition: Backstage runs what the request brings alone.
    """

    template = fields.Dict(keys=fields.String())
    templateRef = fields.String(metadata={"description": "Reference of a template of the catalog."})  # noqa: N815  # as for tasks
    values = fields.Dict(keys=fields.String(), required=True)
    secrets = fields.Dict(keys=fields.String(), values=fields.String())
    directoryContents = fields.List(fields.Nested(UploadedFile))  # noqa: N815  # as Backstage has it

    @validates_schema
    def require_template(self, body: dict[str, Any], **_more: Any) -> None:
        """Refuse a request that tells of no template."""
        missing = [name for name in ("template", "directoryContents") if name not in body]
        if missing and "templateRef" not in body:
            raise ValidationError({name: [fields.Field.default_error_messages["required"]] for name in missing})


def add_dry_run_route(blueprint: Blueprint, dry_runs: DryRuns, access: TaskAccess) -> None:
    """Add the route below /api/scaffolder that tries a template."""

    @blueprint.post("/v2/dry-run")
    @blueprint.arguments(DryRunInput)
    @blueprint.response(200)
    def dry_run(body: dict[str, Any]) -> Response:
        """Run a template, and return what it would make.

        The request brings the template, or `templateRef` names one of the catalog. That one is answered with what it
        made before it failed, beside its `error`; of the other, as Backstage has it, the error is the answer.
        """
        from portal.services.dry_run import DryRun  # noqa: PLC0415  # who tries no template need not import it

        secrets = {name: Secret(text) for name, text in (body.get("secrets") or {}).items()}
        user, rights = access.user_ref(), access.rights()
        if "templateRef" in body:
            result = dry_runs.run_stored(
                body["templateRef"], body["values"], secrets=secrets, actor_ref=user, rights=rights
            )
        else:
            files = _files(body["directoryContents"])
            result = dry_runs.run(
                DryRun(body["template"], body["values"], secrets=secrets, files=files, actor_ref=user, rights=rights)
            )
            if result.error is not None:
                return fault_answer(result.error["name"], result.error["message"])
        return answer(
            {
                "log": [{"body": line} for line in result.log],
                "steps": result.steps,
                "output": result.output,
                "directoryContents": [_shown(entry) for entry in result.files],
            }
            | ({} if result.error is None else {"error": result.error})
        )


def _files(uploaded: Sequence[Mapping[str, Any]]) -> list[SkeletonEntry]:
    from portal.scaffolder.skeleton import SkeletonEntry  # noqa: PLC0415  # as above

    files = []
    for index, file in enumerate(uploaded):
        if file["path"].rstrip("/.") == "":
            raise InputError(f"request/body/directoryContents/{index}/path: expected the path of a file")
        try:
            content = base64.b64decode(file["base64Content"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"request/body/directoryContents/{index}/base64Content: {error}") from error
        files.append(
            SkeletonEntry(file["path"], mode=_EXECUTABLE_MODE if file["executable"] else _MODE, content=content)
        )
    return files


def _shown(entry: SkeletonEntry) -> dict[str, Any]:
    """Return a file as clients read it; of a link, what it leads to."""
    content = entry.target.encode() if entry.kind == "symlink" else entry.content
    return {
        "path": entry.path,
        "base64Content": base64.b64encode(content).decode(),
        "executable": entry.kind == "file" and bool(entry.mode & 0o111),
    }
