"""The transformers backend: lm-eval's Hugging Face model, strict where lm-eval is silent.

Four things give a number that is not a score: a prompt that is cut to fit, a NaN in the logits
(argmax picks token 0), a prompt that is not what the tokenizer's owner meant (see
`bot.evaluation.backends.hf_tokenizer`), and a ``generation_config.json`` that decodes one model
otherwise than the others. The first three are errors; the last is replaced by greedy decoding.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import torch
from lm_eval.models.huggingface import HFLM
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from bot.errors import EvaluationError
from bot.evaluation.backends import Progress
from bot.evaluation.backends.hf_tokenizer import PromptEncoding, load_tokenizer
from bot.evaluation.evaluation_settings import Settings
from bot.machine_limits import usable_cpus


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
        EvaluationError: the folder does not load, its tokenizer does not fit the model, or it has
            no chat template where the settings require one.
    """

    def __init__(self, path: Path, settings: Settings, progress: Progress) -> None:
        # torch counts the machine's processors, whatever a control group allows.
        torch.set_num_threads(settings.threads or min(torch.get_num_threads(), usable_cpus()))
        try:
            super().__init__(
                pretrained=str(path), tokenizer=load_tokenizer(path), backend="causal",
                dtype=settings.dtype, device=settings.device, batch_size=settings.batch_size,
                max_length=settings.max_length, trust_remote_code=False,
                use_safetensors=True, local_files_only=True,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluationError(
                f"{path} does not load: {type(error).__name__}: {error}"
            ) from error
        rows = self.model.get_input_embeddings().weight.shape[0]
        self.encoding = PromptEncoding(self.tokenizer, rows)
        own = self.tokenizer.get_chat_template() if self.tokenizer.chat_template else None
        self.template = _template(path.name, own, settings)
        self.model.generation_config = _greedy(self.model.generation_config, self.tokenizer)
        positions = getattr(self.config, "max_position_embeddings", None)
        self.capacity = min(settings.max_length, positions or settings.max_length)
        self.cache_hook = _Counter(progress)
        self.generated = self.capped = 0
        self.questions: list[str] = []

    def tok_encode(self, string: str, add_special_tokens: bool | None = None,
                   **options: Any) -> list[int]:  # fmt: skip
        """The tokens of a text, without what the tokenizer would put after it."""
        ids: list[int] = super().tok_encode(string, add_special_tokens, **options)
        return self.encoding.checked(ids, with_special=add_special_tokens is not False)

    def tok_batch_encode(
        self, strings: list[str], padding_side: str = "left",
        left_truncate_len: int | None = None, truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        """Tokens [batch, length] and their mask; a prompt that would be cut raises."""
        del truncation
        rows = [self.tok_encode(string) for string in strings]
        longest = max(map(len, rows))
        if left_truncate_len is not None:
            self._refuse_truncation(longest, self.max_length - left_truncate_len)
        padded = self.tokenizer.pad(
            {"input_ids": rows}, padding_side=padding_side, return_tensors="pt"
        )
        return padded["input_ids"], padded["attention_mask"]

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as a prompt in the template that is used for this model.

        Raises:
            EvaluationError: the template refuses the conversation. lm-eval would leave the system
                message out, for this model only.
        """
        self.questions.append(json.dumps(chat_history))
        try:
            prompt: str = self.tokenizer.apply_chat_template(
                chat_history, chat_template=self.template, tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )  # fmt: skip
        except jinja2.TemplateError as error:
            roles = ", ".join(dict.fromkeys(turn["role"] for turn in chat_history))
            raise EvaluationError(
                f"the chat template refuses a conversation with the roles {roles}: {error}",
                hint="choose one template for all models with --chat-template, or none",
            ) from error
        return prompt

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


def _greedy(own: GenerationConfig, tokenizer: Any) -> GenerationConfig:
    """Greedy decoding with only the special tokens of a model's own generation config."""
    ends = dict.fromkeys([*_ids(own.eos_token_id), tokenizer.eos_token_id])
    return GenerationConfig(
        bos_token_id=own.bos_token_id, eos_token_id=list(ends), pad_token_id=tokenizer.pad_token_id
    )


def _template(name: str, own: str | None, settings: Settings) -> str | None:
    """The text of the template for a model's prompts, None for plain prompts."""
    if not settings.apply_chat_template:
        return None
    text = settings.chat_template or own
    if text is None and settings.without_template == "refuse":
        raise EvaluationError(
            f"{name} has no chat template, and this suite applies one",
            hint="choose one template for all models with --chat-template, or a suite without",
        )
    return text


def _ids(eos: int | Iterable[int] | None) -> list[int]:
    if eos is None:
        return []
    return [eos] if isinstance(eos, int) else list(eos)


def load_model(path: Path, settings: Settings, progress: Progress) -> CheckedLM:
    """Load a model folder; see `CheckedLM`."""
    return CheckedLM(path, settings, progress)
