"""Who exists, which token speaks for whom, and what each may do in a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.hub_server.errors import invalid_token

WRITE_ROLES = frozenset({"admin", "write", "contributor"})


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The person a token speaks for; `role` is the token's own scope, `read` or `write`."""

    user: str
    role: str = "write"


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Tokens and organisations; handed in at every start, never stored on disk."""

    tokens: Mapping[str, Identity] = field(default_factory=dict)
    orgs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
        identity = self.tokens.get(token.strip())
        if scheme.lower() != "bearer" or identity is None:
            raise invalid_token()
        return identity

    def token_of(self, user: str, role: str = "write") -> str:
        """A token that speaks for `user`; KeyError when there is none."""
        for token, identity in self.tokens.items():
            if identity == Identity(user=user, role=role):
                return token
        raise KeyError(user)

    def is_member(self, identity: Identity | None, namespace: str) -> bool:
        if identity is None:
            return False
        return identity.user == namespace or identity.user in self.orgs.get(namespace, {})

    def may_write(self, identity: Identity | None, namespace: str) -> bool:
        if identity is None or identity.role != "write":
            return False
        if identity.user == namespace:
            return True
        return self.orgs.get(namespace, {}).get(identity.user) in WRITE_ROLES

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
