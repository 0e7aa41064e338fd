"""Whether a run may be published: its checks, its license, its name, the operator's policy."""

from __future__ import annotations

from typing import Literal

from bot.errors import LicenseError, PublishError
from bot.lineage.license_terms import LLAMA, licenses_of
from leaderboard.record import Record
from leaderboard.verdict import Verdict, judge

Policy = Literal["all", "not-worse", "better"]


def require_publishable(record: Record, name: str) -> None:
    """Refuse what must not be published under any policy.

    Args:
        record: the run.
        name: the repository's name, without its organisation.

    Raises:
        PublishError: the run failed, a check failed, or it was retracted.
        LicenseError: the parents' licenses are unknown or do not go together, or ask for another
            name; names the parents that cause it.
    """
    if record.status == "failed":
        reason = f": {record.failure.message}" if record.failure else ""
        message = f"the run of {record.name} failed and has nothing to publish{reason}"
        raise PublishError(message, hint="mend the recipe and run it again")
    broken = [check.name for check in record.checks if check.hard and not check.passed]
    if broken:
        raise PublishError(
            f"{record.name} failed its checks ({', '.join(broken)}) and is not published",
            hint="see the run's checks; mend the recipe and run it again",
        )
    if record.retraction is not None:
        raise PublishError(f"{record.name} was retracted: {record.retraction.reason}")
    _require_license(record, name)


def require_known_parents(record: Record, *, allow_local: bool) -> None:
    """Refuse a merge of local folders, unless its operator publishes such merges on purpose.

    Raises:
        PublishError: a parent is not on the Hub, so that nobody else can verify the merge.
    """
    local = [parent.ref for parent in record.parents if parent.url is None]
    if local and not allow_local:
        raise PublishError(
            f"{record.name} was made from local folders ({', '.join(local[:3])}), so that nobody "
            "else can verify it",
            hint="publish its parents first and name them by their Hub ids, or add "
            "--allow-local-parents",
        )


def policy_allows(record: Record, policy: Policy, *, required: str | None = None) -> bool:
    """Whether an operator of this policy publishes a run with this verdict.

    A copy of a parent is published under no policy; a claim that does not hold after correction for
    the attempts is not "better".

    Args:
        record: the run.
        policy: what the operator publishes.
        required: the board's required suite, whose verdict decides.
    """
    judgement = judge(record, required=required)
    if judgement.verdict is Verdict.IDENTICAL:
        return False
    if policy == "better":
        return judgement.verdict is Verdict.BETTER and judgement.holds
    return policy == "all" or judgement.verdict is not Verdict.WORSE


def _require_license(record: Record, name: str) -> None:
    license = record.license
    if license is None or license.id == "unknown" or license.conflicts:
        conflicts = license.conflicts if license else ()
        reasons = "; ".join(conflicts) or "no parent says what its license is"
        raise LicenseError(
            f"{record.name} cannot be published: {reasons}",
            hint="it stays in the workspace with its record and report; use parents whose licenses "
            "are known and go together",
        )
    bound = next((found for found in licenses_of(record) if found in LLAMA), None)
    if bound is not None and not name.lower().startswith("llama"):
        raise LicenseError(
            f"{bound} asks that the name of every derived model begins with Llama; {name} does not",
            hint=f"publish it as Llama-{name}: --repo org/Llama-{name}",
        )
