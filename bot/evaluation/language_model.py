"""lm-eval's Hugging Face model, made to refuse what it would score silently.

Three things give a number that is not a score: a prompt cut to fit, a NaN in the logits (argmax
picks token 0), and a ``generation_config.json`` that decodes one model of a comparison otherwise
than the rest. Here the first two raise, and the third is replaced.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from bot.errors import EvaluationError
from bot.evaluation.evaluation_settings import Settings

Progress = Callable[[int, int], None]
"""Told how many of the requests of the running task are done, and how many there are."""


class _FiniteLogits(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed
    """Remembers, without waiting for the device, whether any row's best logit was not finite."""

    def __init__(self, device: torch.device) -> None:
        self.broken = torch.zeros((), dtype=torch.bool, device=device)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        del input_ids
        # Masked tokens are -inf by right; the maximum is finite unless the model is broken, and
        # torch's maximum is NaN as soon as one element is.
        self.broken |= ~torch.isfinite(scores.amax(dim=-1)).all()
        return scores


class _Counter:
    """Stands where lm-eval hands each finished request to its cache, and only counts."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.done = self.total = 0

    def begin(self, requests: int) -> None:
        self.done, self.total = 0, requests

    def add_partial(self, *request_and_answer: Any) -> None:
        del request_and_answer
        self.done += 1
        self._progress(self.done, self.total)


class CheckedLM(HFLM):  # type: ignore[misc]  # lm_eval has no types
    """A causal language model on one device, under the settings of a comparison.

    Args:
        path: a folder with safetensors, config and tokenizer; nothing is fetched, no code run.
        settings: the comparison's settings.
        progress: called after every finished request.

    Raises:
        EvaluationError: the folder does not load, or has no chat template where one is applied.
    """

    def __init__(self, path: Path, settings: Settings, progress: Progress) -> None:
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        try:
            super().__init__(
                pretrained=str(path), backend="causal", dtype=settings.dtype,
                device=settings.device, batch_size=settings.batch_size,
                max_length=settings.max_length, trust_remote_code=False,
                use_safetensors=True, local_files_only=True,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluationError(
                f"{path} does not load: {type(error).__name__}: {error}"
            ) from error
        if settings.apply_chat_template and not self.tokenizer.chat_template:
            raise EvaluationError(
                f"{path.name} has no chat template, and this suite applies one",
                hint="use a suite without the template for base models",
            )
        self.model.generation_config = _greedy(self.model.generation_config)
        positions = getattr(self.config, "max_position_embeddings", None)
        self.capacity = min(settings.max_length, positions or settings.max_length)
        self.cache_hook = _Counter(progress)
        self.generated = self.capped = 0

    def tok_batch_encode(
        self, strings: list[str], padding_side: str = "left",
        left_truncate_len: int | None = None, truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        """Tokens [batch, length] and their mask; a prompt that would be cut raises."""
        ids, mask = super().tok_batch_encode(strings, padding_side, None, truncation)
        if left_truncate_len is not None:
            answer = self.max_length - left_truncate_len
            self._refuse_truncation(ids.shape[1], answer)
        return ids, mask

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """One answer per request, in their order."""
        self.cache_hook.begin(len(requests))
        answers: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
        return answers

    def _loglikelihood_tokens(
        self, requests: list[Any], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        self.cache_hook.begin(len(requests))
        # The last token of the answer is predicted, not read: it needs no position.
        for _, context, continuation in requests:
            self._refuse_truncation(len(context), len(continuation) - 1)
        answers: list[tuple[float, bool]] = super()._loglikelihood_tokens(
            requests, disable_tqdm=disable_tqdm, override_bs=override_bs
        )
        return answers

    def _refuse_truncation(self, prompt: int, answer: int) -> None:
        if prompt + answer > self.capacity:
            raise EvaluationError(
                f"a prompt of {prompt} tokens with {answer} for the answer does not fit into "
                f"{self.capacity}; cutting it would change the question",
                hint="raise the suite's max_length, or use a model with a longer context",
            )

    def _model_generate(
        self, context: torch.Tensor, max_length: int, stop: list[str], **options: Any
    ) -> torch.Tensor:
        check = _FiniteLogits(context.device)
        tokens: torch.Tensor = super()._model_generate(
            context, max_length, stop, logits_processor=LogitsProcessorList([check]), **options
        )
        if bool(check.broken):
            raise EvaluationError(
                "the model's logits are not finite", hint="check its weights for NaN and infinity"
            )
        self._count_capped(tokens[:, context.shape[1] :], max_length - context.shape[1], stop)
        return tokens

    def _count_capped(self, answers: torch.Tensor, cap: int, stop: Sequence[str]) -> None:
        self.generated += len(answers)
        if answers.shape[1] < cap:
            return
        ends = torch.isin(
            answers, torch.tensor(_ids(self.model.generation_config.eos_token_id)).to(answers)
        )
        texts = self.tokenizer.batch_decode(answers)
        stopped = (any(word in text for word in stop if word) for text in texts)
        self.capped += sum(
            not ended and not stops
            for ended, stops in zip(ends.any(dim=1).tolist(), stopped, strict=True)
        )

    def release(self) -> None:
        """Give the model's memory back."""
        self._model = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _greedy(own: GenerationConfig) -> GenerationConfig:
    """Only the special tokens of a model's own generation config, for greedy decoding."""
    return GenerationConfig(
        bos_token_id=own.bos_token_id, eos_token_id=own.eos_token_id, pad_token_id=own.pad_token_id
    )


def _ids(eos: int | Iterable[int] | None) -> list[int]:
    if eos is None:
        return []
    return [eos] if isinstance(eos, int) else list(eos)
