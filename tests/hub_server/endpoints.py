"""The classes of requests, named once: faults are dialled and requests counted by them."""

from __future__ import annotations

import re
from enum import StrEnum


class Endpoint(StrEnum):
    WHOAMI = "whoami"
    TOKEN_EXCHANGE = "token-exchange"
    VALIDATE_YAML = "validate-yaml"
    CREATE = "create"
    DELETE = "delete"
    MOVE = "move"
    DUPLICATE = "duplicate"
    SETTINGS = "settings"
    ACCESS_REQUEST = "access-request"
    AUTH_CHECK = "auth-check"
    LIST = "list"
    INFO = "info"
    TREE = "tree"
    PATHS_INFO = "paths-info"
    SAFETENSORS_METADATA = "safetensors-metadata"
    RESOLVE_HEAD = "resolve-head"
    RESOLVE_GET = "resolve-get"
    CDN_HEAD = "cdn-head"
    CDN_GET = "cdn-get"
    PREUPLOAD = "preupload"
    LFS_BATCH = "lfs-batch"
    LFS_PUT = "lfs-put"
    LFS_COMPLETE = "lfs-complete"
    LFS_VERIFY = "lfs-verify"
    LFS_DUPLICATE = "lfs-duplicate"
    COMMIT = "commit"
    COMMITS = "commits"
    SUPER_SQUASH = "super-squash"
    REFS = "refs"
    BRANCH = "branch"
    TAG = "tag"
    DISCUSSIONS = "discussions"
    SPACE = "space"
    ADMIN = "admin"
    OTHER = "other"
    ANY = "any"  # only to dial faults: the n-th request, whatever it is


_REPO = r"/api/(?:models|datasets|spaces)/[^/]+/[^/]+"
_TABLE: tuple[tuple[str, str, Endpoint], ...] = (
    (r".*", r"/_admin/.*", Endpoint.ADMIN),
    (r"GET", r"/api/whoami-v2", Endpoint.WHOAMI),
    (r"POST", r"/oauth/token", Endpoint.TOKEN_EXCHANGE),
    (r"POST", r"/api/validate-yaml", Endpoint.VALIDATE_YAML),
    (r"POST", r"/api/repos/create", Endpoint.CREATE),
    (r"DELETE", r"/api/repos/delete", Endpoint.DELETE),
    (r"POST", r"/api/repos/move", Endpoint.MOVE),
    (r"POST", _REPO + r"/duplicate", Endpoint.DUPLICATE),
    (r"PUT", _REPO + r"/settings", Endpoint.SETTINGS),
    (r".*", _REPO + r"/user-access-request/.*", Endpoint.ACCESS_REQUEST),
    (r"GET", _REPO + r"/auth-check(?:/write)?", Endpoint.AUTH_CHECK),
    (r"GET", _REPO + r"/tree/.*", Endpoint.TREE),
    (r"POST", _REPO + r"/paths-info/.*", Endpoint.PATHS_INFO),
    (r"GET", _REPO + r"/safetensors-metadata/.*", Endpoint.SAFETENSORS_METADATA),
    (r"POST", _REPO + r"/preupload/.*", Endpoint.PREUPLOAD),
    (r"POST", _REPO + r"/lfs-files/duplicate", Endpoint.LFS_DUPLICATE),
    (r"POST", _REPO + r"/commit/.*", Endpoint.COMMIT),
    (r"GET", _REPO + r"/commits/.*", Endpoint.COMMITS),
    (r"POST", _REPO + r"/super-squash/.*", Endpoint.SUPER_SQUASH),
    (r"GET", _REPO + r"/refs", Endpoint.REFS),
    (r".*", _REPO + r"/branch/.*", Endpoint.BRANCH),
    (r".*", _REPO + r"/tag/.*", Endpoint.TAG),
    (r".*", _REPO + r"/discussions(?:/.*)?", Endpoint.DISCUSSIONS),
    (r"GET", _REPO + r"(?:/revision/.*)?", Endpoint.INFO),
    (r".*", r"/api/spaces/[^/]+/[^/]+/.*", Endpoint.SPACE),
    (r"GET", r"/api/(?:models|datasets|spaces)", Endpoint.LIST),
    (r"POST", r"/.*\.git/info/lfs/objects/batch", Endpoint.LFS_BATCH),
    (r"POST", r"/.*\.git/info/lfs/complete/.*", Endpoint.LFS_COMPLETE),
    (r"POST", r"/.*\.git/info/lfs/verify", Endpoint.LFS_VERIFY),
    (r"PUT", r"/upload/.*", Endpoint.LFS_PUT),
    (r"GET", r"/content/.*", Endpoint.CDN_GET),
    (r"HEAD", r"/content/.*", Endpoint.CDN_HEAD),
    (r"GET", r"/.*/resolve/.*", Endpoint.RESOLVE_GET),
    (r"HEAD", r"/.*/resolve/.*", Endpoint.RESOLVE_HEAD),
)
_COMPILED = tuple(
    (re.compile(method), re.compile(path), endpoint) for method, path, endpoint in _TABLE
)


def classify(method: str, raw_path: str) -> Endpoint:
    """The class of a request, by its method and its path as sent (still quoted, no query)."""
    for methods, paths, endpoint in _COMPILED:
        if methods.fullmatch(method) and paths.fullmatch(raw_path):
            return endpoint
    return Endpoint.OTHER
