"""The Hub itself: state, settings and the rules of who may see and change what."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub_server import errors
from tests.hub_server.accounts import Accounts, Identity
from tests.hub_server.dials import Dials
from tests.hub_server.faults import FaultDial
from tests.hub_server.names import RepoName
from tests.hub_server.storage.blobs import BlobStore
from tests.hub_server.storage.database import Database
from tests.hub_server.storage.discussions import Discussions
from tests.hub_server.storage.history import History
from tests.hub_server.storage.repositories import Repo, Repositories
from tests.hub_server.storage.spaces import SpaceValues
from tests.hub_server.traffic import RequestLog


@dataclass(kw_only=True)
class Hub:
    """Everything the routes need; `endpoint` and `cdn` are the two origins' URLs."""

    data: Path
    endpoint: str
    cdn: str
    accounts: Accounts
    dials: Dials
    faults: FaultDial = field(default_factory=FaultDial)
    requests: RequestLog = field(default_factory=RequestLog)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.database = Database(self.data / "hub.sqlite")
        self.blobs = BlobStore(self.data)
        self.repositories = Repositories(self.database)
        self.history = History(self.database)
        self.discussions = Discussions(self.database)
        self.spaces = SpaceValues(self.database)
        self._secret = _stored_secret(self.data / "signing.key")

    def close(self) -> None:
        self.database.close()

    def sign(self, *parts: object) -> str:
        """A signature that lets an URL speak for itself, as object stores do."""
        text = "\0".join(map(str, parts)).encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    def check_signature(self, signature: str, *parts: object) -> None:
        """Raises HubError 403 unless `signature` was made by `sign` for the same parts."""
        if not hmac.compare_digest(signature, self.sign(*parts)):
            raise errors.forbidden("SignatureDoesNotMatch")

    def url(self, repo: Repo) -> str:
        return f"{self.endpoint}/{repo.name.url_path}"

    def readable(self, name: RepoName, caller: Identity | None) -> Repo:
        """The repository, if the caller may know that it exists.

        Raises:
            HubError: 404 RepoNotFound for a missing repository and for somebody else's private one.
        """
        repo = self.repositories.find(name)
        if repo is None or not self._may_see(repo, caller):
            raise errors.repo_not_found()
        return repo

    def writable(self, name: RepoName, caller: Identity | None) -> Repo:
        """The repository, if the caller may change it; HubError 401 or 403 otherwise."""
        repo = self.readable(name, caller)
        if caller is None:
            raise errors.login_required()
        if not self.accounts.may_write(caller, repo.name):
            raise errors.forbidden(f"You don't have the rights to write to {repo.name.id}")
        return repo

    def check_push(self, repo: Repo, caller: Identity, revision: str) -> None:
        """Raises HubError 403 unless the caller may push there; pull requests are open to all."""
        if not revision.startswith("refs/pr/"):
            self.writable(repo.name, caller)
        elif caller.role != "write":
            raise errors.forbidden("This token may only read")

    def check_file_access(self, repo: Repo, caller: Identity | None) -> None:
        """Raises HubError GatedRepo unless the caller may read the files of a gated repository."""
        if not repo.is_gated or self.accounts.is_member(caller, repo.name):
            return
        if caller is None or not self.repositories.is_granted(repo, caller.user):
            raise errors.gated(repo.name.id, logged_in=caller is not None)

    def lists(self, repo: Repo, caller: Identity | None) -> bool:
        """Whether the repository appears in the caller's listings."""
        return self._may_see(repo, caller)

    def _may_see(self, repo: Repo, caller: Identity | None) -> bool:
        return not repo.private or self.accounts.is_member(caller, repo.name)


def _stored_secret(path: Path) -> bytes:
    """The signing key of this data folder, made at first use."""
    if not path.exists():
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()
