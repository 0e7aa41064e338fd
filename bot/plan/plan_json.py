"""``plan.json``: what a merge will do, as JSON for people and programs, and the plan's digest.

A plan is made again from headers whenever it is needed. The file says which plan a merge was made
with: a stage compares its digest and reads nothing else back. Side files are named by their
digests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bot.errors import RecordError
from bot.plan.merge_plan import Plan, TensorJob
from bot.tokens.token_alignment_json import dump_alignment
from leaderboard.versioned_json import JsonFormat

PLAN_FILE = "plan.json"
FORMAT = JsonFormat(name="mergebot.plan", version=1, error=RecordError, remade=True)
_DIGESTED_FORM = "mergebot-plan-1"
"""Part of what the digest is made of, like the key ``donor``: an old name that must not change, or
finished and unfinished merges would no longer be recognised."""


def dump_plan(plan: Plan) -> str:
    """The plan as JSON: the same text for the same plan everywhere, on one line."""
    sums = {
        path: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for path, data in plan.files.items()
    }
    content = {**_content(plan), "files": sums, "digest": plan.digest}
    content["config_source"] = content.pop("donor")
    return _canonical(FORMAT.mark(content)) + "\n"


def planned_digest(path: Path) -> str | None:
    """The digest of the plan that a ``plan.json`` holds; None where there is none in this form.

    Raises:
        RecordError: a newer mergebot wrote the file.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT.name:
        return None  # also a plan of the form before versions
    digest = FORMAT.migrate(content, where=str(path)).get("digest")
    return digest if isinstance(digest, str) else None


def with_digest(plan: Plan) -> Plan:
    """The plan with the digest of everything that decides the output's bytes.

    Budget and warnings are left out: they change no byte.
    """
    files = {path: base64.b64encode(data).decode() for path, data in plan.files.items()}
    content = {**_content(plan), "files": files, "format": _DIGESTED_FORM}
    decisive = {key: value for key, value in content.items() if key not in {"budget", "warnings"}}
    return replace(plan, digest=hashlib.sha256(_canonical(decisive).encode()).hexdigest())


def _content(plan: Plan) -> dict[str, Any]:
    return {
        "jobs": [_job(job) for job in plan.jobs],
        "parents": dict(plan.parents),
        "sources": {key: asdict(view) for key, view in plan.sources.items()},
        "budget": asdict(plan.budget),
        "dtype": plan.dtype,
        "donor": plan.config_source,
        "alignments": {name: dump_alignment(rows) for name, rows in plan.alignments.items()},
        "warnings": list(plan.warnings),
    }


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _job(job: TensorJob) -> dict[str, Any]:
    return {
        "name": job.output.name,
        "dtype": job.output.dtype,
        "shape": list(job.output.shape),
        "method": job.method,
        "models": [[slot.source, slot.tensor] for slot in job.models],
        "base": [job.base.source, job.base.tensor] if job.base else None,
        "parameters": dict(job.parameters),
        "seed": job.seed,
    }
