"""What the Hub answers when it refuses: a status, a message and the code the client reads."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse


class HubError(Exception):
    """A refusal; `code` becomes the `X-Error-Code` header from which the client picks its class."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def response(self) -> JSONResponse:
        """The answer on the wire: JSON body and the error headers of the Hub."""
        one_line = " ".join(self.message.split()).encode("latin-1", "replace").decode("latin-1")
        headers = {**self.headers, "X-Error-Message": one_line}
        if self.code is not None:
            headers["X-Error-Code"] = self.code
        body = {"error": self.message, **self.extra}
        return JSONResponse(body, status_code=self.status, headers=headers)


def invalid_token() -> HubError:
    """The message is the one by which the client tells a bad token from a missing repository."""
    return HubError(401, "Invalid credentials in Authorization header")


def login_required() -> HubError:
    return HubError(401, "Invalid username or password.")


def repo_not_found() -> HubError:
    """Also the answer for a private repository, so that its existence does not leak."""
    return HubError(404, "Repository not found", code="RepoNotFound")


def moved(url: str) -> HubError:
    """The repository has another name now; the client follows."""
    return HubError(307, f"Moved to {url}", headers={"Location": url})


def revision_not_found(revision: str) -> HubError:
    return HubError(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def entry_not_found(message: str = "Entry not found", *, commit: str | None = None) -> HubError:
    headers = {"X-Repo-Commit": commit} if commit is not None else None
    return HubError(404, message, code="EntryNotFound", headers=headers)


def gated(repo_id: str, *, logged_in: bool) -> HubError:
    message = (
        f"Access to {repo_id} is restricted and you are not in the authorized list. "
        "Visit its page to ask for access."
    )
    return HubError(403 if logged_in else 401, message, code="GatedRepo")


def forbidden(message: str) -> HubError:
    return HubError(403, message)


def conflict(message: str, **extra: object) -> HubError:
    return HubError(409, message, extra=extra)


def bad_request(message: str) -> HubError:
    return HubError(400, message)


def head_moved() -> HubError:
    return HubError(412, "A commit has happened since. Please refresh and try again.")
