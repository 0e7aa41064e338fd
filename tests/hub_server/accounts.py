"""Who exists, which token speaks for whom, and what each may do in a namespace."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.hub_server.errors import HubError, invalid_token
from tests.hub_server.names import RepoName

WRITE_ROLES = frozenset({"admin", "write", "contributor"})


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom a token speaks for; `role` is the token's own scope, `read` or `write`.

    `repository` (as in its URL, `datasets/org/name`) limits a trusted publisher's token to one.
    """

    user: str
    role: str = "write"
    repository: str | None = None


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Tokens and organisations; handed in at every start, never stored on disk.

    `publishers` maps the id tokens of trusted CI jobs to the one repository each may write.
    """

    tokens: Mapping[str, Identity] = field(default_factory=dict)
    orgs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    publishers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def default(cls) -> Accounts:
        """A writer, a stranger and a read-only token: enough to try every access rule."""
        return cls(
            tokens={
                "hf_tester": Identity(user="tester"),
                "hf_reader": Identity(user="tester", role="read"),
                "hf_stranger": Identity(user="stranger"),
            },
            orgs={"mergebot": {"tester": "admin"}},
        )

    def identify(self, authorization: str | None) -> Identity | None:
        """The identity behind an `Authorization` header, None for an anonymous visitor.

        Raises:
            HubError: 401 for a token nobody owns.
        """
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        identity = self.tokens.get(token) or self._publisher(token)
        if scheme.lower() != "bearer" or identity is None:
            raise invalid_token()
        return identity

    def exchange(self, id_token: str, repository: str) -> str:
        """The token with which a trusted CI job writes to its repository.

        Raises:
            HubError: 401 unless the repository trusts the job.
        """
        if self.publishers.get(id_token) != repository:
            raise HubError(401, f"{repository} has no trusted publisher for this id token")
        return _session_token(id_token)

    def token_of(self, user: str, role: str = "write") -> str:
        """A token that speaks for `user`; KeyError when there is none."""
        for token, identity in self.tokens.items():
            if identity == Identity(user=user, role=role):
                return token
        raise KeyError(user)

    def is_member(self, identity: Identity | None, repo: RepoName) -> bool:
        """Whether the repository is the caller's own or its organisation's."""
        if identity is None:
            return False
        if identity.repository is not None:
            return identity.repository == repo.url_path
        members = self.orgs.get(repo.namespace, {})
        return identity.user == repo.namespace or identity.user in members

    def may_write(self, identity: Identity | None, repo: RepoName) -> bool:
        if identity is None or identity.role != "write" or not self.is_member(identity, repo):
            return False
        if identity.repository is not None or identity.user == repo.namespace:
            return True
        return self.orgs[repo.namespace][identity.user] in WRITE_ROLES

    def may_create(self, identity: Identity, repo: RepoName) -> bool:
        """Trusted publishers write to what exists, they create nothing."""
        return identity.repository is None and self.may_write(identity, repo)

    def _publisher(self, token: str) -> Identity | None:
        for id_token, repository in self.publishers.items():
            if token == _session_token(id_token):
                return Identity(user="trusted-publisher", repository=repository)
        return None

    def whoami(self, identity: Identity) -> dict[str, object]:
        """The body of `GET /api/whoami-v2`."""
        orgs = [
            {"type": "org", "name": name, "fullname": name, "roleInOrg": members[identity.user]}
            for name, members in self.orgs.items()
            if identity.user in members
        ]
        return {
            "type": "user",
            "id": f"user-{identity.user}",
            "name": identity.user,
            "fullname": identity.user.title(),
            "email": f"{identity.user}@example.org",
            "emailVerified": True,
            "canPay": False,
            "isPro": False,
            "avatarUrl": "/avatars/none.svg",
            "orgs": orgs,
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": "local", "role": identity.role},
            },
        }


def _session_token(id_token: str) -> str:
    return f"hf_jwt_{hashlib.sha256(id_token.encode()).hexdigest()}"
