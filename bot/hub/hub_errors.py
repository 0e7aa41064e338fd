"""The client's exceptions as errors of ours: what the Hub said, and what to do about it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

import httpx2 as httpx
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    OIDCError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from bot.errors import AccessError, HubError, MergebotError, StorageError
from bot.redaction import redact

LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token that may"
AGAIN = "run the same command again; what was finished is kept"
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)

# What the client raises over an answer of a form it does not expect.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RuntimeError)

HEAD_MOVED = (409, 412)
"""Another commit is in progress, or has happened since the parent was read."""

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class BrokenTransferError(Exception):
    """Bytes arrived that are not those that were announced; asking again may help."""


@contextmanager
def explained(doing: str, repo: str, page: str) -> Iterator[None]:
    """Turn whatever the client raises inside into a HubError, an AccessError or a StorageError.

    Args:
        doing: what was tried, as in "cannot <doing> org/name".
        repo: the repository.
        page: its address, for the next step.
    """
    try:
        yield
    except MergebotError:
        raise
    except (
        HfHubHTTPError, EntryNotFoundError, OIDCError, httpx.HTTPError, OSError, *_UNREADABLE,
    ) as error:  # fmt: skip
        raise _as_ours(error, f"cannot {doing} {repo}", repo, page) from error
    except BrokenTransferError as error:
        raise HubError(f"cannot {doing} {repo}: {error}", hint=AGAIN) from error


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    error = _root(error)
    if isinstance(error, BrokenTransferError | FileMetadataError | JSONDecodeError):
        return True
    status = status_of(error)
    if status is not None:
        return status in TRANSIENT
    if isinstance(error, LocalEntryNotFoundError):
        cause = error.__cause__
        return cause is not None and is_transient(cause)
    if isinstance(error, OfflineModeIsEnabled):
        return False
    if isinstance(
        error,
        httpx.TransportError
        | httpx.DecodingError
        | UnicodeDecodeError
        | ConnectionError
        | TimeoutError,
    ):
        return not _has_no_network(error)
    return isinstance(error, OSError) and "Consistency check failed" in str(error)


def may_pass(error: Exception) -> bool:
    """Whether reading anew and trying again may help: a passing failure, or a head that moved."""
    return is_transient(error) or status_of(error) in HEAD_MOVED


def _has_no_network(error: BaseException | None) -> bool:
    """Whether a name could not be looked up: a machine without network says so for ever."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False


def status_of(error: BaseException) -> int | None:
    """The HTTP status the Hub answered with, None where there was no answer."""
    error = _root(error)
    return int(error.response.status_code) if isinstance(error, HfHubHTTPError) else None


def _root(error: BaseException) -> BaseException:
    """What an upload failed of: the client wraps it once more."""
    if isinstance(error, RuntimeError) and error.__cause__ is not None:
        return error.__cause__
    return error


def _as_ours(error: BaseException, what: str, repo: str, page: str) -> MergebotError:
    error = _root(error)
    if isinstance(error, OfflineModeIsEnabled):
        return HubError(f"{what}: this run is offline", hint="unset HF_HUB_OFFLINE and run again")
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return _as_ours(error.__cause__, what, repo, page)
    known = _refusal(error, what, repo, page)
    if known is not None:
        return known
    status = status_of(error)
    if status is None and isinstance(error, OSError) and error.errno in _FULL_DISK:
        return StorageError(f"{what}: {error.strerror}", hint="free some space and run again")
    said = _said(error)
    if isinstance(error, _UNREADABLE) and not isinstance(error, HfHubHTTPError | OSError):
        return HubError(f"{what}: the Hub's answer cannot be read ({said})", hint=AGAIN)
    if _has_no_network(error):
        return HubError(
            f"{what}: there is no network",
            hint="connect and run it again; HF_HUB_OFFLINE=1 works from the cache",
        )
    if status == 402:
        return HubError(f"{what}: the account's plan does not include it ({said})")
    if status == 429:
        return HubError(f"{what}: the Hub's rate limit is used up", hint="wait, then run it again")
    return HubError(f"{what}: {said}", hint=AGAIN)


def _refusal(error: BaseException, what: str, repo: str, page: str) -> MergebotError | None:
    """What asking again would not change."""
    if isinstance(error, OIDCError):
        hint = "compare repository, branch and workflow with those the Hub's settings trust"
        return AccessError(f"{what}: trusted publishing failed ({_said(error)})", hint=hint)
    if isinstance(error, GatedRepoError):
        message = f"{repo} is gated, and your account has not been let in"
        return AccessError(message, hint=f"open {page}, accept its conditions, then run again")
    if isinstance(error, RepositoryNotFoundError):
        message = f"there is no {repo} on the Hub, or it is private and you may not see it"
        return AccessError(message, hint=f"check the name at {page}; {LOGIN} see it")
    if isinstance(error, RevisionNotFoundError):
        hint = f"branches, tags and commits are listed at {page}/commits/main"
        return HubError(f"{what}: it has no such branch, tag or commit", hint=hint)
    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return HubError(f"{what}: a file it should have is not there", hint=f"look at {page}")
    if isinstance(error, BadRequestError):
        return HubError(f"{what}: the Hub refused the request ({_said(error)})")
    status = status_of(error)
    if status == 401:
        return AccessError(f"{what}: the Hub does not accept your token", hint=LOGIN)
    if status == 403:
        return AccessError(f"{what}: your token does not allow it ({_said(error)})", hint=LOGIN)
    return None


def _said(error: BaseException) -> str:
    message = getattr(error, "server_message", None) or str(error) or type(error).__name__
    return redact(" ".join(str(message).split())[:300])
