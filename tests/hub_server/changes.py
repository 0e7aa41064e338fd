"""One commit: the operations a client sends, applied to a tree."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tests.hub_server import errors
from tests.hub_server.hub import Hub
from tests.hub_server.storage.blobs import git_blob_oid, lfs_pointer
from tests.hub_server.storage.history import Entry, Tree
from tests.hub_server.storage.repositories import Repo
from tests.hub_server.upload_rules import regular_entry


class HeaderValue(BaseModel):
    summary: str
    description: str = ""
    parentCommit: str | None = None  # noqa: N815  # the wire's spelling


class Header(BaseModel):
    key: Literal["header"]
    value: HeaderValue


class FileValue(BaseModel):
    path: str
    content: str
    encoding: Literal["base64", "utf-8"] = "utf-8"


class File(BaseModel):
    key: Literal["file"]
    value: FileValue


class LfsFileValue(BaseModel):
    path: str
    oid: str
    algo: Literal["sha256"] = "sha256"


class LfsFile(BaseModel):
    key: Literal["lfsFile"]
    value: LfsFileValue


class DeletedValue(BaseModel):
    path: str


class Deleted(BaseModel):
    key: Literal["deletedFile", "deletedFolder"]
    value: DeletedValue


Line = TypeAdapter[Header | File | LfsFile | Deleted](
    Annotated[Header | File | LfsFile | Deleted, Field(discriminator="key")]
)


@dataclass(kw_only=True)
class Changes:
    """Collects the lines of a commit; file contents are stored as they arrive."""

    hub: Hub
    repo: Repo
    header: HeaderValue | None = None
    writes: dict[str, Entry] = field(default_factory=dict)
    deleted: list[Deleted] = field(default_factory=list)

    def add_lines(self, lines: list[bytes]) -> None:
        """Take NDJSON lines; HubError 400 when one is malformed or its LFS object is missing."""
        for line in lines:
            self._add_line(line)

    def checked_header(self) -> HeaderValue:
        """The commit's header; HubError 400 when the client sent none."""
        if self.header is None:
            raise errors.bad_request("The commit has no header line")
        return self.header

    def apply(self, tree: Tree) -> dict[str, Entry]:
        """The tree after the commit; deletions come first, as git would see them.

        Raises:
            HubError: 404 EntryNotFound for the deletion of something that is not there.
        """
        result = dict(tree)
        for deletion in self.deleted:
            path = deletion.value.path
            prefix = path.rstrip("/") + "/"
            if deletion.key == "deletedFile":
                gone = [path] if path in result else []
            else:
                gone = [name for name in result if name.startswith(prefix)]
            if not gone:
                raise errors.entry_not_found("A file with this name doesn't exist")
            for name in gone:
                del result[name]
        return {**result, **self.writes}

    def _add_line(self, line: bytes) -> None:
        try:
            parsed = Line.validate_json(line)
        except ValidationError as error:
            raise errors.bad_request(f"Invalid commit line: {error.errors()[0]['msg']}") from error
        if isinstance(parsed, Header):
            self.header = parsed.value
        elif isinstance(parsed, File):
            self._add_file(parsed.value)
        elif isinstance(parsed, LfsFile):
            self._add_lfs_file(parsed.value)
        else:
            self.deleted.append(parsed)

    def _add_file(self, value: FileValue) -> None:
        _check_path(value.path)
        content = value.content.encode()
        if value.encoding == "base64":
            try:
                content = base64.b64decode(content, validate=True)
            except binascii.Error as error:
                raise errors.bad_request(f"{value.path}: content is not base64") from error
        sha256 = self.hub.blobs.add([content])
        self.writes[value.path] = regular_entry(value.path, sha256, content)

    def _add_lfs_file(self, value: LfsFileValue) -> None:
        _check_path(value.path)
        size = self.hub.repositories.object_size(self.repo, value.oid)
        if size is None:
            raise errors.bad_request(f"{value.path}: LFS object {value.oid} was not uploaded")
        self.writes[value.path] = Entry(
            path=value.path,
            sha256=value.oid,
            oid=git_blob_oid(lfs_pointer(value.oid, size)),
            size=size,
            lfs=True,
        )


def _check_path(path: str) -> None:
    parts = path.split("/")
    if any(part in {"", ".", "..", ".git"} for part in parts):
        raise errors.bad_request(f"Invalid path in repository: {path!r}")
