"""The isolated process in which a merge is loaded and generates text for the first time.

``python -m bot.check.model_child request.json`` prints one JSON line per check, as
`leaderboard.record_provenance.Check` writes it, and stops where the other checks mean nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bot.check.model_checks import (
    Generation,
    check_generation,
    check_round_trip,
    check_special_tokens,
    check_vocabulary,
    configured_special_tokens,
)
from bot.machine_limits import usable_cpus
from leaderboard.record_provenance import Check

NEW_TOKENS = 32


def main(arguments: Sequence[str]) -> int:
    """Run the checks that the request file asks for."""
    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    for check in checks(request):
        sys.stdout.write(check.model_dump_json() + "\n")
        sys.stdout.flush()
    return 0


def checks(request: dict[str, Any]) -> Iterator[Check]:
    """The checks of a request, one after another."""
    folder = Path(request["model"])
    tokenizer = None
    try:
        tokenizer = _tokenizer(folder)
    except Exception as error:  # noqa: BLE001 (any failure of an untrusted tokenizer is the answer)
        yield Check(name="tokenizer", hard=True, passed=False, detail=_message(error))
    else:
        parents = [Path(parent) for parent in request["parents"]]
        yield check_round_trip(tokenizer, [partial(_tokenizer, parent) for parent in parents])
    try:
        model, info = _model(folder, request["device"], request["threads"])
    except Exception as error:  # noqa: BLE001 (any failure to load is the answer)
        yield Check(name="loads", hard=True, passed=False, detail=_message(error))
        return
    loading = list(_loading_checks(info))
    yield from loading
    if tokenizer is None:
        return
    rows = model.get_input_embeddings().weight.shape[0]
    yield check_vocabulary(tokenizer, rows, model.config.vocab_size, request["parent_rows"])
    special = check_special_tokens(tokenizer, configured_special_tokens(model), rows)
    yield special
    if special.passed and loading[0].passed:
        yield from _generation_checks(model, tokenizer, request["prompts"])


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        str(folder), trust_remote_code=False, local_files_only=True
    )


def _model(folder: Path, device: str, threads: int | None) -> tuple[Any, dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM

    # torch counts the machine's processors, whatever a control group allows.
    torch.set_num_threads(threads or min(torch.get_num_threads(), usable_cpus()))
    model, info = AutoModelForCausalLM.from_pretrained(
        str(folder), trust_remote_code=False, local_files_only=True, use_safetensors=True,
        dtype="auto", output_loading_info=True, ignore_mismatched_sizes=True,
    )  # fmt: skip
    return model.to(device).eval(), info


def _loading_checks(info: dict[str, Any]) -> Iterator[Check]:
    missing, unused = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    misshapen = [
        f"{name} ({list(found)} in the file, {list(wanted)} in the architecture)"
        for name, found, wanted in sorted(info["mismatched_keys"])
    ]
    detail = _listed("missing tensors", missing) or _listed("wrong shapes", misshapen)
    yield Check(name="loads", hard=True, passed=not detail, detail=detail)
    yield Check(
        name="no unused tensors", hard=False, passed=not unused,
        detail=_listed("tensors the architecture does not use", unused),
    )  # fmt: skip


def _generation_checks(model: Any, tokenizer: Any, prompts: Sequence[str]) -> Iterator[Check]:
    import torch

    generations = []
    with torch.inference_mode():
        for prompt in prompts:
            ids = tokenizer(prompt, return_tensors="pt")["input_ids"].to(model.device)
            logits = model(ids).logits
            if not bool(torch.isfinite(logits).all()):
                detail = f"the logits after {prompt!r} are not finite"
                yield Check(name="finite logits", hard=True, passed=False, detail=detail)
                return
            answer = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1,
                max_new_tokens=NEW_TOKENS, pad_token_id=tokenizer.pad_token_id or 0,
            )[0, ids.shape[1] :].tolist()  # fmt: skip
            text = tokenizer.decode(answer, skip_special_tokens=True)
            generations.append(Generation(prompt=prompt, tokens=tuple(answer), text=text))
    yield Check(name="finite logits", hard=True, passed=True)
    yield check_generation(generations)


def _listed(what: str, names: Sequence[str], most: int = 5) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{what}: {', '.join(names[:most])}{rest}"


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
