from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from space_app.chat.answer_stream import Answer, answer
from space_app.chat.chat_backend import ChatModel, Engine, Request, Sampling, Turn
from space_app.chat.openai_backend import OpenAIEngine
from space_app.chat.transformers_backend import TransformersEngine
from tests.present import present

MODELS = Path(__file__).parents[2] / "recipes/skills/models"


def request(model: ChatModel, text: str, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "sampling": Sampling(temperature=0, max_tokens=20),
        "completion": True,
    }
    return Request(model=model, turns=(Turn("user", text),), **(fields | changes))


def local(name: str) -> ChatModel:
    return ChatModel(key=name, name=name, location=str(MODELS / name), size=1_000_000)


def written(engine: Engine, asked: Request, stop: threading.Event | None = None) -> Answer:
    *_, last = answer(engine, asked, stop or threading.Event())
    return last


@pytest.mark.heavy
class TestTransformers:
    @pytest.fixture(scope="class")
    def engine(self) -> TransformersEngine:
        engine = TransformersEngine("cpu")
        for name in ("skills-sort", "skills-double"):
            assert list(engine.load(local(name)))[-1].kind == "ready"
        return engine

    def test_a_model_without_a_template_continues_the_text(
        self, engine: TransformersEngine
    ) -> None:
        assert engine.template(local("skills-sort")) is None
        last = written(engine, request(local("skills-sort"), "sort cabd="))
        assert last.text.strip() == "abcd"
        assert last.finish == "end"
        assert last.tokens >= 4

    def test_a_template_is_used_for_turns(self, engine: TransformersEngine) -> None:
        model = local("skills-double")
        assert engine.template(model) is not None
        last = written(engine, request(model, "double cabd=", completion=False))
        assert last.text.strip() == "ccaabbdd"

    def test_a_borrowed_template_is_the_lenders_own_words(self, engine: TransformersEngine) -> None:
        borrowing = replace(local("skills-sort"), lender=local("skills-double"))
        template = engine.template(borrowing)
        assert template is not None
        assert template.lender == "skills-double"
        lender = AutoTokenizer.from_pretrained(MODELS / "skills-double")
        written_out = lender.apply_chat_template(
            [{"role": "user", "content": "sort cabd="}], add_generation_prompt=True, tokenize=False
        )
        borrowed = written(engine, request(borrowing, "sort cabd=", completion=False))
        borrower = AutoTokenizer.from_pretrained(MODELS / "skills-sort")
        ids = borrower(written_out, add_special_tokens=False, return_tensors="pt")["input_ids"]
        weights = AutoModelForCausalLM.from_pretrained(MODELS / "skills-sort")
        made = weights.generate(ids, max_new_tokens=20, do_sample=False)[0, ids.shape[1] :]
        assert borrowed.text == borrower.decode(made, skip_special_tokens=True)
        own = replace(local("skills-double"), lender=local("skills-sort"))
        assert present(engine.template(own)).lender is None

    def test_a_lender_without_a_template_or_a_tokenizer(
        self, engine: TransformersEngine, tmp_path: Path
    ) -> None:
        bare = replace(local("skills-sort"), lender=local("skills-base"))
        assert engine.template(bare) is None
        lost = ChatModel(key="x", name="lost", location=str(tmp_path))
        with pytest.raises(ValueError, match="the chat template of lost cannot be read"):
            engine.template(replace(local("skills-sort"), lender=lost))

    def test_it_ends_at_the_length_asked_for_and_when_told_to_stop(
        self, engine: TransformersEngine
    ) -> None:
        model = local("skills-sort")
        short = Sampling(temperature=0, max_tokens=2)
        last = written(engine, request(model, "sort cabdfe=", sampling=short))
        assert (last.finish, last.tokens) == ("length", 2)
        stop = threading.Event()
        stop.set()
        assert written(engine, request(model, "sort cabdfe="), stop).finish == "stopped"

    def test_a_prompt_beyond_the_context_is_refused_with_both_numbers(
        self, engine: TransformersEngine
    ) -> None:
        last = written(engine, request(local("skills-sort"), "a" * 400))
        assert "this model reads 128" in present(last.failure)

    def test_sampling_with_one_seed_gives_one_answer(self, engine: TransformersEngine) -> None:
        warm = Sampling(temperature=1.5, top_p=1.0, seed=11, max_tokens=30)
        asked = request(local("skills-sort"), "shift ", sampling=warm)
        assert written(engine, asked).text == written(engine, asked).text

    def test_a_folder_without_a_model_fails_with_a_reason(
        self, engine: TransformersEngine, tmp_path: Path
    ) -> None:
        lost = ChatModel(key="x", name="lost", location=str(tmp_path))
        *_, last = engine.load(lost)
        assert last.kind == "failed"
        assert "lost could not be loaded" in last.detail


def server(answers: list[bytes], seen: list[httpx.Request]) -> OpenAIEngine:
    def handle(asked: httpx.Request) -> httpx.Response:
        seen.append(asked)
        if asked.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "org/a"}]})
        return httpx.Response(200, content=b"".join(answers))

    client = httpx.Client(transport=httpx.MockTransport(handle))
    return OpenAIEngine("http://gpu:8000/v1/", key="k", client=client)


def event(content: str | None, finish: str | None = None) -> bytes:
    choice = {"delta": {"content": content} if content else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


SERVED = ChatModel(key="a", name="a", location="org/a")


def test_a_server_streams_and_is_asked_with_its_own_names() -> None:
    seen: list[httpx.Request] = []
    parts = [event("Hel"), event("lo"), event(None, "length"), b"data: [DONE]\n\n"]
    last = written(server(parts, seen), request(SERVED, "hi", completion=False))
    assert (last.text, last.tokens, last.finish) == ("Hello", 2, "length")
    body = json.loads(seen[-1].content)
    assert seen[-1].url.path == "/v1/chat/completions"
    assert body["model"] == "org/a"
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert seen[-1].headers["authorization"] == "Bearer k"


def test_a_server_offers_only_what_it_serves() -> None:
    engine = server([], [])
    assert engine.offers(SERVED)
    other = ChatModel(key="b", name="b", location="org/b")
    assert not engine.offers(other)
    assert list(engine.load(other))[-1].kind == "failed"


def test_a_looping_server_is_cut_off() -> None:
    parts = [event("ha ")] * 400
    last = written(server(parts, []), request(SERVED, "hi", completion=False))
    assert last.finish == "repeating"
    assert last.tokens < 40


def test_a_dead_server_is_a_failed_answer() -> None:
    def refuse(asked: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=asked)

    engine = OpenAIEngine(
        "http://gpu:8000/v1", client=httpx.Client(transport=httpx.MockTransport(refuse))
    )
    assert not engine.offers(SERVED)
    assert "connection refused" in present(written(engine, request(SERVED, "hi")).failure)
