"""A model in memory and its answers. Loads safetensors without remote code; needs torch.

It runs in the isolated process of `space_app.chat.model_child`, and on ZeroGPU in the process that
alone reaches the GPU.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty
from typing import Any

from space_app.chat.chat_backend import Finish, Piece, Sampling
from space_app.chat.repetition import is_looping

PROBE = "mergebot-system-probe"
Messages = Sequence[Mapping[str, str]]


class LoadedModel:
    """A model and its tokenizer.

    Args:
        folder: the model's folder.
        device: ``cpu``, ``cuda`` or None for what the machine has.

    Raises:
        Exception: whatever an untrusted checkpoint makes transformers raise.
    """

    def __init__(self, folder: Path, device: str | None = None) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), **safe)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype="auto", use_safetensors=True, **safe
        )
        self._model: Any = model.to(place).eval()

    def has_template(self) -> bool:
        """Whether the tokenizer has a chat template of its own."""
        return bool(self._tokenizer.chat_template)

    def writes_system(self, template: str | None) -> bool:
        """Whether a template, or the model's own where None, writes a system prompt."""
        turns = [{"role": "system", "content": PROBE}, {"role": "user", "content": "x"}]
        try:
            shown = self._tokenizer.apply_chat_template(
                turns, chat_template=template, tokenize=False
            )
        except Exception:  # noqa: BLE001 - a template may raise whatever it likes
            return False
        return PROBE in str(shown)

    def answer(
        self, messages: Messages, sampling: Sampling, template: str | None, stop: threading.Event,
        *, completion: bool,
    ) -> Iterator[Piece]:  # fmt: skip
        """The answer piece by piece.

        Args:
            messages: the conversation.
            sampling: how tokens are chosen.
            template: a chat template instead of the model's own.
            stop: ends the answer when set.
            completion: continue the last message's text instead.

        Raises:
            ValueError: the conversation is longer than the model's context.
        """
        from transformers import TextIteratorStreamer

        inputs = self._encoded(messages, template, completion=completion).to(self._model.device)
        prompt = int(inputs["input_ids"].shape[1])
        criterion = _stop_criterion(stop, prompt, _tokens_left(self._model, prompt, sampling))
        streamer = TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=0.2
        )
        worker = _Worker(
            lambda: _generate(self._model, inputs, sampling, streamer, criterion), streamer
        )
        worker.start()
        yield from _stream_pieces(streamer, worker, criterion)

    def _encoded(self, messages: Messages, template: str | None, *, completion: bool) -> Any:
        if completion:
            return self._tokenizer(
                messages[-1]["content"], return_tensors="pt", return_token_type_ids=False
            )
        return self._tokenizer.apply_chat_template(
            [dict(one) for one in messages], chat_template=template, add_generation_prompt=True,
            return_tensors="pt", return_dict=True,
        )  # fmt: skip


class _Worker(threading.Thread):
    """Runs ``generate``; an exception is kept for the reader."""

    def __init__(self, work: Callable[[], None], streamer: Any) -> None:
        super().__init__(name="generate", daemon=True)
        self.failure: Exception | None = None
        self._work = work
        self._streamer = streamer

    def run(self) -> None:
        try:
            self._work()
        except Exception as failure:  # noqa: BLE001 - handed to the thread that reads
            self.failure = failure
            self._streamer.end()


def _generate(model: Any, inputs: Any, sampling: Sampling, streamer: Any, criterion: Any) -> None:
    import torch
    from transformers import StoppingCriteriaList

    torch.manual_seed(sampling.seed)
    chosen: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        chosen = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
    with torch.inference_mode():
        model.generate(
            **inputs,
            **chosen,
            max_new_tokens=criterion.most,
            repetition_penalty=sampling.repetition_penalty,
            streamer=streamer,
            stopping_criteria=StoppingCriteriaList([criterion]),
        )


def _stop_criterion(stop: threading.Event, prompt: int, most: int) -> Any:
    """A stopping criterion that counts tokens and remembers why it stopped."""
    from transformers import StoppingCriteria

    class StopCriterion(StoppingCriteria):  # type: ignore[misc]  # transformers has no types here
        """Stops when asked to, or when the answer repeats itself."""

        def __init__(self) -> None:
            self.finish: Finish | None = None
            self.tokens = 0
            self.most = most

        def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
            import torch

            written = input_ids[0, prompt:].tolist()
            self.tokens = len(written)
            if stop.is_set():
                self.finish = "stopped"
            elif is_looping(written):
                self.finish = "repeating"
            done = self.finish is not None
            return torch.full((input_ids.shape[0],), done, device=input_ids.device)

    return StopCriterion()


def _stream_pieces(streamer: Any, worker: _Worker, criterion: Any) -> Iterator[Piece]:
    seen = 0
    while True:
        try:
            text = next(streamer)
        except Empty:
            if not worker.is_alive():
                break
            continue
        except StopIteration:
            break
        yield Piece(text, criterion.tokens - seen)
        seen = criterion.tokens
    worker.join()
    if worker.failure is not None:
        raise worker.failure
    ended: Finish = "length" if criterion.tokens >= criterion.most else "end"
    yield Piece("", criterion.tokens - seen, criterion.finish or ended)


def _tokens_left(model: Any, used: int, sampling: Sampling) -> int:
    """Tokens that may be written: what was asked for, within the model's context."""
    context = getattr(model.config, "max_position_embeddings", None)
    left = sampling.max_tokens if context is None else context - used
    if left < 1:
        raise ValueError(f"the conversation has {used} tokens; this model reads {context}")
    return int(min(left, sampling.max_tokens))


def first_line(failure: BaseException) -> str:
    """The first line of an exception's text, or its class where it has none."""
    lines = str(failure).splitlines()
    return lines[0] if lines else type(failure).__name__
