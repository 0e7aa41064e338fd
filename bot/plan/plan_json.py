"""``plan.json``: a plan as canonical JSON, both ways, and its digest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.errors import PlanError, Problem
from bot.plan.merge_plan import Budget, ParentView, Plan, Slot, TensorJob, Value
from bot.tokens.token_alignment_json import dump_alignment, load_alignment

FORMAT = "mergebot-plan-1"


def dump_plan(plan: Plan) -> str:
    """The plan as JSON: sorted keys, no blanks, the same text for the same plan everywhere."""
    return _canonical({**_content(plan), "digest": plan.digest}) + "\n"


def with_digest(plan: Plan) -> Plan:
    """The plan with the digest of everything that decides the output's bytes.

    Budget and warnings are left out: they change no byte.
    """
    content = _content(plan)
    decisive = {key: value for key, value in content.items() if key not in {"budget", "warnings"}}
    return replace(plan, digest=hashlib.sha256(_canonical(decisive).encode()).hexdigest())


def load_plan(text: str) -> Plan:
    """Read what ``dump_plan`` wrote.

    Raises:
        PlanError: not a plan, another format, or a digest that is not the content's.
    """
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise _unreadable(f"it has the format {content['format']!r}, not {FORMAT!r}")
        plan = with_digest(_read(content))
        stated = content["digest"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(f"it is not what mergebot writes ({error!r})") from error
    if plan.digest != stated:
        raise _unreadable("its digest is not that of its content")
    return plan


def _unreadable(reason: str) -> PlanError:
    hint = "delete plan.json and make the plan again"
    return PlanError([Problem(message=f"the plan cannot be used: {reason}", hint=hint)])


def _read(content: Mapping[str, Any]) -> Plan:
    return Plan(
        jobs=tuple(_read_job(row) for row in content["jobs"]),
        parents=content["parents"],
        sources={key: ParentView(**row) for key, row in content["sources"].items()},
        files={path: base64.b64decode(data) for path, data in content["files"].items()},
        budget=Budget(**content["budget"]),
        dtype=Dtype(content["dtype"]),
        config_source=content["donor"],
        alignments={name: load_alignment(rows) for name, rows in content["alignments"].items()},
        warnings=tuple(content["warnings"]),
    )


def _content(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "jobs": [_job(job) for job in plan.jobs],
        "parents": dict(plan.parents),
        "sources": {key: asdict(view) for key, view in plan.sources.items()},
        "files": {path: base64.b64encode(data).decode() for path, data in plan.files.items()},
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


def _read_job(row: Mapping[str, Any]) -> TensorJob:
    return TensorJob(
        output=TensorSpec(name=row["name"], dtype=Dtype(row["dtype"]), shape=tuple(row["shape"])),
        method=row["method"],
        models=tuple(Slot(source=source, tensor=tensor) for source, tensor in row["models"]),
        base=Slot(source=row["base"][0], tensor=row["base"][1]) if row["base"] else None,
        parameters={name: _read_value(value) for name, value in row["parameters"].items()},
        seed=row["seed"],
    )


def _read_value(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value
