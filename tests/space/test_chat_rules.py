from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space_app.chat.answer_stream import Answer, answer, answer_pair
from space_app.chat.chat_backend import ChatModel, LoadState, Piece, Request, Sampling, Turn
from space_app.chat.chat_service import ChatService, Question, state_words
from space_app.chat.history import before_last_answer, inert
from space_app.chat.model_cache import ModelCache
from space_app.chat.rate_limits import Limits, RequestQueue, Throttle
from space_app.chat.repetition import is_looping
from tests.present import present
from tests.space.backends import ScriptedBackend
from tests.space.covering import covers


def model(name: str = "a", size: int = 10) -> ChatModel:
    return ChatModel(key=name, name=name, location=f"org/{name}", size=size)


def question(prompt: str = "hi", *models: ChatModel, **changes: Any) -> Question:
    chosen = models or (model(),)
    fields: dict[str, Any] = {
        "visitor": "v", "models": chosen, "histories": ((Turn("user", prompt),),) * len(chosen),
        "system": "", "sampling": Sampling(),
    }  # fmt: skip
    return Question(**(fields | changes))


def chat_service(backend: ScriptedBackend, budget: int = 100, **limits: Any) -> ChatService:
    return ChatService(ModelCache((backend,), budget), Limits(**({"per_minute": 99} | limits)))


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(1, 64), st.integers(24, 80))
def test_a_repeated_unit_is_a_loop_however_it_began(
    start: list[int], period: int, extra: int
) -> None:
    unit = [f"t{place}" for place in range(period)]
    looped = list(itertools.islice(itertools.cycle(unit), period * 4 + extra))
    assert is_looping([*start, *looped])


def test_an_answer_is_not_a_loop() -> None:
    assert not is_looping(list("the quick brown fox jumps over the lazy dog again and again"))
    assert not is_looping(["ha"] * 8)
    assert not is_looping(list(range(300)))
    assert not is_looping([])


@covers("CH1", "CH4")
def test_an_answer_grows_and_its_statistics_count_what_came() -> None:
    ticks = itertools.count(0, 0.5)
    request = Request(model=model(), turns=(Turn("user", "x"),), sampling=Sampling())
    backend = ScriptedBackend({"x": "one two three"})
    shown = list(answer(backend, request, threading.Event(), clock=lambda: next(ticks)))
    assert [one.text for one in shown] == ["one", "one two", "one two three", "one two three"]
    assert shown[-1].tokens == 3
    assert shown[-1].seconds == 2.0
    assert shown[-1].stats == "2 tok/s · 3 tokens · 2.0 s"


def test_an_engine_that_breaks_leaves_its_words_in_the_pane() -> None:
    class Breaking(ScriptedBackend):
        def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
            yield from itertools.islice(super().stream(request, stop), 1)
            raise RuntimeError("out of memory\ntraceback")

    request = Request(model=model(), turns=(Turn("user", "x"),), sampling=Sampling())
    *_, last = answer(Breaking({"x": "one two"}), request, threading.Event())
    assert last.text == "one"
    assert last.stats == "failed: out of memory"


def test_in_lockstep_neither_side_is_ahead_while_both_write() -> None:
    slow, fast = ScriptedBackend({"x": "a b c d"}, pause=0.02), ScriptedBackend({"x": "A B C D"})
    request = Request(model=model(), turns=(Turn("user", "x"),), sampling=Sampling())
    stops = (threading.Event(), threading.Event())
    for left, right in answer_pair((slow, fast), (request, request), stops, lockstep=True):
        if not (left.done or right.done):
            assert left.tokens == right.tokens
    assert (left.text, right.text) == ("a b c d", "A B C D")


def test_models_leave_in_the_order_they_were_used() -> None:
    backend = ScriptedBackend()
    model_cache = ModelCache((backend,), budget=25)
    for name in ("a", "b", "a", "c"):
        assert list(model_cache.acquire(model(name)))[-1].kind == "ready"
    assert backend.unloaded == ["b"]
    assert model_cache.state(model("b")).kind == "evicted"
    assert model_cache.state(model("a")).kind == "ready"
    assert model_cache.state(model("z")).kind == "not loaded"


@covers("CH6")
def test_a_model_that_does_not_fit_is_refused_before_anything_is_loaded() -> None:
    backend = ScriptedBackend()
    model_cache = ModelCache((backend,), budget=15_000_000_000)
    big = model("big", 29_000_000_000)
    assert model_cache.refusal(big) == "needs 29.0 GB, 15.0 GB free; try a smaller model"
    assert list(model_cache.acquire(big))[-1].kind == "failed"
    pair = (model("x", 10**10), model("y", 10**10))
    assert "try one model alone" in present(model_cache.refusal(*pair))
    assert backend.loaded == []


def test_load_states_are_words() -> None:
    assert state_words(LoadState("downloading", done=3_100_000_000, total=16_100_000_000)) == (
        "Downloading 3.1 GB of 16.1 GB…"
    )
    assert state_words(LoadState("not loaded")) == "Not loaded…"
    assert state_words(LoadState("failed", "no such file")) == "Failed: no such file"


def test_the_desk_answers_and_says_when_it_is_done() -> None:
    backend = ScriptedBackend({"hi": "hello there"}, templates=set())
    shown = list(chat_service(backend).ask("s", question()))
    assert shown[-1].status == "Done."
    assert shown[-1].answers[0].text == "hello there"
    assert shown[-1].notes == ("No chat template for a: it continues your text.",)
    assert backend.requests[0].completion


def test_a_system_prompt_goes_to_templates_only() -> None:
    backend = ScriptedBackend(templates={"a"})
    list(
        chat_service(backend).ask("s", question("hi", model("a"), model("b"), system=" be brief "))
    )
    roles = {one.model.name: [turn.role for turn in one.turns] for one in backend.requests}
    assert roles == {"a": ["system", "user"], "b": ["user"]}


@covers("CH2")
def test_stopping_ends_the_answer_and_keeps_what_was_written() -> None:
    backend = ScriptedBackend({"hi": " ".join(["word"] * 500)}, pause=0.005)
    service = chat_service(backend)
    shown = []
    for one in service.ask("s", question()):
        shown.append(one)
        if one.answers and one.answers[0].tokens == 3:
            service.stop("s")
    last = shown[-1].answers[0]
    assert last.finish == "stopped"
    assert "stopped" in last.stats
    assert 3 <= last.tokens < 20


def test_one_side_can_be_stopped_alone() -> None:
    backend = ScriptedBackend({"hi": " ".join(["word"] * 30)}, pause=0.005)
    service = chat_service(backend)
    for one in service.ask("s", question("hi", model("a"), model("b"))):
        if one.answers and one.answers[0].tokens == 2:
            service.stop("s", 0)
    assert [answer.finish for answer in one.answers] == ["stopped", "end"]


@covers("BV7")
def test_too_many_questions_are_refused_with_the_time_to_wait() -> None:
    moment = [0.0]
    throttle = Throttle(Limits(per_minute=2, per_hour=3), clock=lambda: moment[0])
    for at in (0.0, 10.0):
        moment[0] = at
        with throttle.admit("v") as reason:
            assert reason is None
    with throttle.admit("v") as reason:
        assert reason == "Too many questions: 2 per minute. Try again in 51 s."
    with throttle.admit("other") as reason:
        assert reason is None
    moment[0] = 61.0
    with throttle.admit("v") as reason:
        assert reason is None
        with throttle.admit("v") as second:
            assert present(second).startswith("One answer at a time")
    moment[0] = 200.0
    with throttle.admit("v") as reason:
        assert reason == "Too many questions: 3 per hour. Try again in 3401 s."


def test_who_waits_hears_how_many_are_ahead_and_a_full_line_says_so() -> None:
    line = RequestQueue(slots=1, waiting=2)
    first, second, third = object(), object(), object()
    assert list(line.wait(first)) == []
    waiting = line.wait(second, poll_seconds=0.01)
    assert next(waiting) == 1
    later = line.wait(third, poll_seconds=0.01)
    assert next(later) == 2
    with pytest.raises(OverflowError, match="2 people are waiting"):
        next(line.wait(object()))
    line.leave(first)
    assert list(waiting) == []
    line.leave(second)
    assert list(later) == []


def test_long_messages_and_endless_conversations_are_refused() -> None:
    service = chat_service(ScriptedBackend(), prompt=10, turns=3)
    assert "the limit is 10" in next(service.ask("s", question("x" * 11))).status
    history = (tuple(Turn("user", "x") for _ in range(4)),)
    assert "start a new one" in next(service.ask("s", question(histories=history))).status


def test_a_model_that_cannot_be_loaded_says_why() -> None:
    service = chat_service(ScriptedBackend(broken={"a"}))
    *_, last = service.ask("s", question())
    assert last.status == "Failed: a is broken"
    assert last.answers == ()


@covers("CH3")
def test_regenerating_goes_back_to_the_last_question_only() -> None:
    turns = (Turn("user", "1"), Turn("assistant", "a"), Turn("user", "2"), Turn("assistant", "b"))
    assert before_last_answer(turns) == turns[:3]
    assert before_last_answer(turns[:3]) == turns[:3]
    assert before_last_answer(()) == ()


@covers("CH10")
def test_answers_cannot_bring_tags_or_pictures() -> None:
    assert inert("<script>x</script>") == "&lt;script>x&lt;/script>"
    assert "![" not in inert("![pixel](https://spy.example/x.png)")
    assert "\u202e" not in inert("a\u202eb")


def test_an_answer_that_ran_into_its_length_says_so() -> None:
    assert Answer(text="x", tokens=4, seconds=1.0, finish="length").stats.endswith(
        "stopped: length"
    )


def test_an_address_is_limited_apart_from_its_visitors_and_more_loosely() -> None:
    throttle = Throttle(Limits(per_minute=2, address_factor=2), clock=lambda: 0.0)
    for visitor in ("a", "b"):
        for _ in range(2):
            with throttle.admit(visitor, "office") as reason:
                assert reason is None
    with throttle.admit("c", "office") as reason:
        assert reason == "Too many questions: 4 per minute. Try again in 61 s."
    with throttle.admit("c", "home") as reason:
        assert reason is None


def test_a_long_system_prompt_is_refused() -> None:
    service = chat_service(ScriptedBackend(), system=10)
    asked = question(system="x" * 11)
    assert "The system prompt has 11 characters" in next(service.ask("s", asked)).status
