"""transformers in this process: CPU, CUDA, and ZeroGPU where ``spaces`` is installed.

Loads safetensors without remote code; torch is imported when the first model is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from queue import Empty
from typing import Any

from space_app.chat.chat_backend import ChatModel, Finish, LoadState, Piece, Request, Template
from space_app.chat.repetition import is_looping

SECONDS_PER_TOKEN = 0.05
"""A careful guess, for the share of ZeroGPU time that a visitor is asked for."""
PROBE = "mergebot-system-probe"


class TransformersBackend:
    """Runs models with transformers.

    Args:
        device: ``cpu``, ``cuda`` or None for what the machine has.
    """

    name = "transformers"
    accepts_templates = True

    def __init__(self, device: str | None = None) -> None:
        self._device = device
        self._loaded: dict[str, tuple[Any, Any]] = {}
        self._generate = _with_zero_gpu(self._answer)

    def offers(self, model: ChatModel) -> bool:
        """Folders and Hub repositories, where torch is installed."""
        return bool(model.location) and find_spec("transformers") is not None

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        """Fetch where needed, then load."""
        local = Path(model.location).is_dir()
        yield LoadState("loading" if local else "downloading", total=model.size or 0)
        try:
            self._loaded[model.key] = self._open(model.location)
        except Exception as failure:  # noqa: BLE001 - a stranger's checkpoint may fail in any way
            yield LoadState("failed", f"{model.name} could not be loaded: {_first_line(failure)}")
            return
        yield LoadState("ready")

    def is_loaded(self, model: ChatModel) -> bool:
        """Whether the model is in memory."""
        return model.key in self._loaded

    def unload(self, model: ChatModel) -> None:
        """Forget the model; its memory is given back when no answer uses it any more."""
        self._loaded.pop(model.key, None)

    def template(self, model: ChatModel) -> Template | None:
        """The tokenizer's own template or the lender's, and whether it writes a system prompt."""
        tokenizer = self._loaded[model.key][1]
        with_template_of = _borrowed_template(tokenizer, model)
        if with_template_of is None and not tokenizer.chat_template:
            return None
        template_source = (
            model.template_source.name if with_template_of and model.template_source else None
        )
        turns = [{"role": "system", "content": PROBE}, {"role": "user", "content": "x"}]
        try:
            shown = tokenizer.apply_chat_template(
                turns, chat_template=with_template_of, tokenize=False
            )
        except Exception:  # noqa: BLE001 - a template may raise whatever it likes
            return Template(system=False, template_source=template_source)
        return Template(system=PROBE in str(shown), template_source=template_source)

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Generate in a thread of its own and hand over what is ready."""
        yield from self._generate(request, stop)

    def _open(self, location: str) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        safe: dict[str, Any] = {"trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(location, **safe)
        model = AutoModelForCausalLM.from_pretrained(
            location, dtype="auto", use_safetensors=True, **safe
        )
        return model.to(device).eval(), tokenizer

    def _answer(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        from transformers import TextIteratorStreamer

        model, tokenizer = self._loaded[request.model.key]
        inputs = _encode(tokenizer, request).to(model.device)
        watch = _watch(stop, inputs["input_ids"].shape[1], _tokens_left(model, inputs, request))
        streamer = TextIteratorStreamer(
            tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=0.2
        )
        worker = _Worker(model, inputs, request, streamer, watch)
        worker.start()
        yield from _stream_pieces(streamer, worker, watch)


class _Worker(threading.Thread):
    """Runs ``generate``; what it raises is kept for the reader."""

    def __init__(
        self, model: Any, inputs: Any, request: Request, streamer: Any, watch: Any
    ) -> None:
        super().__init__(name="generate", daemon=True)
        self.failure: Exception | None = None
        self._run: Callable[[], Any] = lambda: _generate(model, inputs, request, streamer, watch)
        self._streamer = streamer

    def run(self) -> None:
        try:
            self._run()
        except Exception as failure:  # noqa: BLE001 - handed to the thread that reads
            self.failure = failure
            self._streamer.end()


def _generate(model: Any, inputs: Any, request: Request, streamer: Any, watch: Any) -> None:
    import torch
    from transformers import StoppingCriteriaList

    sampling = request.sampling
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
            max_new_tokens=watch.room,
            repetition_penalty=sampling.repetition_penalty,
            streamer=streamer,
            stopping_criteria=StoppingCriteriaList([watch]),
        )


def _watch(stop: threading.Event, prompt: int, room: int) -> Any:
    """A stopping criterion that counts tokens and remembers why it stopped."""
    from transformers import StoppingCriteria

    class Watch(StoppingCriteria):  # type: ignore[misc]  # transformers has no types here
        """Stops when asked to, or when the answer repeats itself."""

        def __init__(self) -> None:
            self.finish: Finish | None = None
            self.tokens = 0
            self.room = room

        def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
            import torch

            recipe_yaml = input_ids[0, prompt:].tolist()
            self.tokens = len(recipe_yaml)
            if stop.is_set():
                self.finish = "stopped"
            elif is_looping(recipe_yaml):
                self.finish = "repeating"
            done = self.finish is not None
            return torch.full((input_ids.shape[0],), done, device=input_ids.device)

    return Watch()


def _stream_pieces(streamer: Any, worker: _Worker, watch: Any) -> Iterator[Piece]:
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
        yield Piece(text, watch.tokens - seen)
        seen = watch.tokens
    worker.join()
    if worker.failure is not None:
        raise worker.failure
    ended: Finish = "length" if watch.tokens >= watch.room else "end"
    yield Piece("", watch.tokens - seen, watch.finish or ended)


def _encode(tokenizer: Any, request: Request) -> Any:
    if request.completion:
        return tokenizer(
            request.turns[-1].content, return_tensors="pt", return_token_type_ids=False
        )
    turns = [turn.as_message() for turn in request.turns]
    template = _borrowed_template(tokenizer, request.model)
    return tokenizer.apply_chat_template(
        turns, chat_template=template, add_generation_prompt=True, return_tensors="pt",
        return_dict=True,
    )  # fmt: skip


def _borrowed_template(tokenizer: Any, model: ChatModel) -> str | None:
    """The lender's template, for a model that has a lender and no template of its own."""
    if tokenizer.chat_template or model.template_source is None:
        return None
    return _template_of(model.template_source)


@lru_cache(maxsize=32)
def _template_of(model: ChatModel) -> str | None:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model.location, trust_remote_code=False)
    except Exception as failure:  # a stranger's tokenizer may fail in any way
        raise ValueError(
            f"the chat template of {model.name} cannot be read: {_first_line(failure)}"
        ) from failure
    template: str | None = tokenizer.chat_template
    return template


def _tokens_left(model: Any, inputs: Any, request: Request) -> int:
    """Tokens that may be written: what was asked for, within the model's context."""
    context = getattr(model.config, "max_position_embeddings", None)
    used = int(inputs["input_ids"].shape[1])
    left = request.sampling.max_tokens if context is None else context - used
    if left < 1:
        raise ValueError(f"the conversation has {used} tokens; this model reads {context}")
    return int(min(left, request.sampling.max_tokens))


def _with_zero_gpu(function: Callable[..., Iterator[Piece]]) -> Callable[..., Iterator[Piece]]:
    """The function on a ZeroGPU slice where the Space has them, itself elsewhere."""
    if find_spec("spaces") is None:
        return function
    import spaces

    def seconds(request: Request, _stop: threading.Event) -> int:
        return 10 + int(request.sampling.max_tokens * SECONDS_PER_TOKEN)

    decorated: Callable[..., Iterator[Piece]] = spaces.GPU(duration=seconds)(function)
    return decorated


def _first_line(failure: Exception) -> str:
    lines = str(failure).splitlines()
    return lines[0] if lines else type(failure).__name__
