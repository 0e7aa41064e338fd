from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from space_app.chat.answer_stream import Answer, answer
from space_app.chat.chat_backend import ChatBackend, ChatModel, Request, Sampling, Turn
from space_app.chat.chat_service import notes_on
from space_app.chat.openai_backend import OpenAIBackend
from space_app.chat.transformers_backend import TransformersBackend
from tests.present import present

MODELS = Path(__file__).parents[2] / "recipes/skills/models"


GREEDY = Sampling(temperature=0, max_tokens=20)


def request(
    model: ChatModel, text: str, *, sampling: Sampling = GREEDY, completion: bool = True
) -> Request:
    return Request(
        model=model, turns=(Turn("user", text),), sampling=sampling, completion=completion
    )


def local(name: str) -> ChatModel:
    return ChatModel(key=name, name=name, location=str(MODELS / name), size=1_000_000)


def final_answer(
    backend: ChatBackend, asked: Request, stop: threading.Event | None = None
) -> Answer:
    *_, last = answer(backend, asked, stop or threading.Event())
    return last


@pytest.mark.heavy
class TestTransformers:
    @pytest.fixture(scope="class")
    def backend(self) -> TransformersBackend:
        backend = TransformersBackend("cpu")
        for name in ("skills-sort", "skills-double"):
            assert list(backend.load(local(name)))[-1].kind == "ready"
        return backend

    def test_a_model_without_a_template_continues_the_text(
        self, backend: TransformersBackend
    ) -> None:
        assert backend.template(local("skills-sort")) is None
        last = final_answer(backend, request(local("skills-sort"), "sort cabd="))
        assert last.text.strip() == "abcd"
        assert last.finish == "end"
        assert last.tokens >= 4

    def test_a_template_is_used_for_turns(self, backend: TransformersBackend) -> None:
        model = local("skills-double")
        assert backend.template(model) is not None
        last = final_answer(backend, request(model, "double cabd=", completion=False))
        assert last.text.strip() == "ccaabbdd"

    def test_a_borrowed_template_is_the_lenders_own_words(
        self, backend: TransformersBackend
    ) -> None:
        borrowing = replace(local("skills-sort"), template_source=local("skills-double"))
        template = backend.template(borrowing)
        assert template is not None
        assert template.template_source == "skills-double"
        template_source = AutoTokenizer.from_pretrained(MODELS / "skills-double")
        prompt = template_source.apply_chat_template(
            [{"role": "user", "content": "sort cabd="}], add_generation_prompt=True, tokenize=False
        )
        borrowed = final_answer(backend, request(borrowing, "sort cabd=", completion=False))
        borrower = AutoTokenizer.from_pretrained(MODELS / "skills-sort")
        ids = borrower(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
        weights = AutoModelForCausalLM.from_pretrained(MODELS / "skills-sort")
        made = weights.generate(ids, max_new_tokens=20, do_sample=False)[0, ids.shape[1] :]
        assert borrowed.text == borrower.decode(made, skip_special_tokens=True)
        own = replace(local("skills-double"), template_source=local("skills-sort"))
        assert present(backend.template(own)).template_source is None

    def test_a_lender_without_a_template_or_a_tokenizer(
        self, backend: TransformersBackend, tmp_path: Path
    ) -> None:
        bare = replace(local("skills-sort"), template_source=local("skills-base"))
        assert backend.template(bare) is None
        lost = ChatModel(key="x", name="lost", location=str(tmp_path))
        with pytest.raises(ValueError, match="the chat template of lost cannot be read"):
            backend.template(replace(local("skills-sort"), template_source=lost))

    def test_it_ends_at_the_length_asked_for_and_when_told_to_stop(
        self, backend: TransformersBackend
    ) -> None:
        model = local("skills-sort")
        short = Sampling(temperature=0, max_tokens=2)
        last = final_answer(backend, request(model, "sort cabdfe=", sampling=short))
        assert (last.finish, last.tokens) == ("length", 2)
        stop = threading.Event()
        stop.set()
        assert final_answer(backend, request(model, "sort cabdfe="), stop).finish == "stopped"

    def test_a_prompt_beyond_the_context_is_refused_with_both_numbers(
        self, backend: TransformersBackend
    ) -> None:
        last = final_answer(backend, request(local("skills-sort"), "a" * 400))
        assert "this model reads 128" in present(last.failure)

    def test_sampling_with_one_seed_gives_one_answer(self, backend: TransformersBackend) -> None:
        warm = Sampling(temperature=1.5, top_p=1.0, seed=11, max_tokens=30)
        asked = request(local("skills-sort"), "shift ", sampling=warm)
        assert final_answer(backend, asked).text == final_answer(backend, asked).text

    def test_a_folder_without_a_model_fails_with_a_reason(
        self, backend: TransformersBackend, tmp_path: Path
    ) -> None:
        lost = ChatModel(key="x", name="lost", location=str(tmp_path))
        *_, last = backend.load(lost)
        assert last.kind == "failed"
        assert "lost could not be loaded" in last.detail


def server(answers: list[bytes], seen: list[httpx.Request]) -> OpenAIBackend:
    def handle(asked: httpx.Request) -> httpx.Response:
        seen.append(asked)
        if asked.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "org/a"}]})
        return httpx.Response(200, content=b"".join(answers))

    client = httpx.Client(transport=httpx.MockTransport(handle))
    return OpenAIBackend("http://gpu:8000/v1/", key="k", client=client)


def event(content: str | None, finish: str | None = None) -> bytes:
    choice = {"delta": {"content": content} if content else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


SERVED = ChatModel(key="a", name="a", location="org/a")


def test_a_server_streams_and_is_asked_with_its_own_names() -> None:
    seen: list[httpx.Request] = []
    parts = [event("Hel"), event("lo"), event(None, "length"), b"data: [DONE]\n\n"]
    last = final_answer(server(parts, seen), request(SERVED, "hi", completion=False))
    assert (last.text, last.tokens, last.finish) == ("Hello", 2, "length")
    body = json.loads(seen[-1].content)
    assert seen[-1].url.path == "/v1/chat/completions"
    assert body["model"] == "org/a"
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert seen[-1].headers["authorization"] == "Bearer k"


def test_a_server_offers_only_what_it_serves() -> None:
    backend = server([], [])
    assert backend.offers(SERVED)
    other = ChatModel(key="b", name="b", location="org/b")
    assert not backend.offers(other)
    assert list(backend.load(other))[-1].kind == "failed"


def test_a_looping_server_is_cut_off() -> None:
    parts = [event("ha ")] * 400
    last = final_answer(server(parts, []), request(SERVED, "hi", completion=False))
    assert last.finish == "repeating"
    assert last.tokens < 40


def test_a_dead_server_is_a_failed_answer() -> None:
    def refuse(asked: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=asked)

    backend = OpenAIBackend(
        "http://gpu:8000/v1", client=httpx.Client(transport=httpx.MockTransport(refuse))
    )
    assert not backend.offers(SERVED)
    assert "connection refused" in str(final_answer(backend, request(SERVED, "hi")).failure)


TEXT = {"choices": [{"delta": {"content": "The answer is"}}]}
OUT_OF_MEMORY = {
    "error": {"message": "CUDA out of memory", "type": "InternalServerError", "code": 500}
}


def lines(*events: object, done: bool = True) -> list[bytes]:
    parts = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in events]
    return [*parts, b"data: [DONE]\n\n"] if done else parts


@pytest.mark.parametrize("events", [(TEXT, OUT_OF_MEMORY), (OUT_OF_MEMORY,)])
def test_an_error_event_is_the_failure_in_the_servers_words(events: tuple[object, ...]) -> None:
    last = final_answer(server(lines(*events), []), request(SERVED, "hi", completion=False))
    assert last.failure == "CUDA out of memory"
    assert last.finish is None
    assert not last.votable


@pytest.mark.parametrize(
    ("parts", "failure"),
    [
        (lines(TEXT, done=False), "cut the answer off"),
        (lines(done=False), "cut the answer off"),
        ([b"data: {not json\n\n"], "cannot be read"),
        ([b"data: [1, 2]\n\n"], "cannot be read"),
        (lines({"object": "error", "message": "overloaded"}), "overloaded"),
        (lines({"error": {"type": "x"}}), "without a message"),
    ],
)
def test_a_stream_that_does_not_end_well_is_a_failure(parts: list[bytes], failure: str) -> None:
    last = final_answer(server(parts, []), request(SERVED, "hi", completion=False))
    assert failure in str(last.failure)
    assert not last.votable


@pytest.mark.parametrize(
    "ending", [lines({"choices": [{"delta": {}, "finish_reason": "stop"}]}, done=False), lines()]
)
def test_a_finish_reason_or_the_last_event_ends_an_answer(ending: list[bytes]) -> None:
    last = final_answer(server([*lines(TEXT, done=False), *ending], []), request(SERVED, "hi"))
    assert (last.finish, last.failure) == ("end", None)


def refusing(content: object, status: int = 400) -> OpenAIBackend:
    def handle(asked: httpx.Request) -> httpx.Response:
        if asked.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "org/a"}]})
        body = content if isinstance(content, str) else json.dumps(content)
        return httpx.Response(status, content=body.encode())

    return OpenAIBackend("http://x/v1", client=httpx.Client(transport=httpx.MockTransport(handle)))


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        ({"error": {"message": "unknown argument: top_k"}}, "unknown argument: top_k"),
        ({"message": "max_tokens is too large"}, "max_tokens is too large"),
        ({"detail": "no such model"}, "no such model"),
        ({"error": "busy"}, "busy"),
        ({}, "the server answered 400 Bad Request"),
        ("", "the server answered 400 Bad Request"),
    ],
)
def test_a_refused_request_fails_with_the_servers_message(content: object, failure: str) -> None:
    assert final_answer(refusing(content), request(SERVED, "hi")).failure == failure


@pytest.mark.parametrize(("owner", "sent"), [("vllm", True), ("llamacpp", False), (None, False)])
def test_only_arguments_that_the_server_knows_are_sent(owner: str | None, sent: bool) -> None:
    seen: list[dict[str, object]] = []

    def handle(asked: httpx.Request) -> httpx.Response:
        if asked.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "org/a", "owned_by": owner}]})
        seen.append(json.loads(asked.content))
        return httpx.Response(200, content=b"".join(lines(TEXT)))

    client = httpx.Client(transport=httpx.MockTransport(handle))
    backend = OpenAIBackend("http://x/v1", client=client)
    asked = request(SERVED, "hi", sampling=Sampling(repetition_penalty=1.3), completion=False)
    final_answer(backend, asked)
    # The OpenAI protocol's own arguments; a repetition penalty is an extension of vLLM.
    standard = {"model", "messages", "stream", "temperature", "top_p", "max_tokens", "seed"}
    assert set(seen[0]) == standard | ({"repetition_penalty"} if sent else set())
    notes = notes_on(SERVED, backend.template(SERVED), asked.sampling)
    assert ("no repetition penalty" in notes) is not sent
