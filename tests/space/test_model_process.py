"""A model's process: what it answers, what it reaches, and what becomes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.isolation import probe
from space_app.chat.answer_stream import answer
from space_app.chat.chat_backend import ChatModel, Piece, Request, Sampling, Turn
from space_app.chat.model_cache import ModelCache
from space_app.chat.model_files import ModelFiles, ModelFilesError
from space_app.chat.model_process import ModelProcess, ModelProcessError, Timeouts
from space_app.chat.transformers_backend import TransformersBackend
from space_app.chat.zero_gpu_backend import Answering, ZeroGpuBackend
from tests.hub_server import serve
from tests.isolation import hostile
from tests.space.test_backends import MODELS, final_answer, local, request

SORT = MODELS / "skills-sort"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems only set limits")

UNTRUSTED = """
import json, os, sys
sys.path.insert(0, {folder!r})
import hostile
def say(**message):
    sys.stdout.write(json.dumps(message) + "\\n")
    sys.stdout.flush()
say(kind="ready", template=False)
found = dict()
for name, attempt in hostile.attempts({request!r}).items():
    try:
        found[name] = repr(attempt())
    except (OSError, StopIteration, KeyError):
        found[name] = None
found["environment names"] = sorted(os.environ)
sys.stdin.readline()
say(kind="end", text=json.dumps(found), tokens=1, finish="end")
sys.stdin.readline()
"""


def asked(text: str = "hi", model: ChatModel | None = None) -> Request:
    return request(model or local("skills-sort"), text)


def scripted(folder: Path, code: str, **options: object) -> ModelProcess:
    """A process whose model's folder holds a program instead of a model."""
    folder.mkdir(exist_ok=True)
    (folder / "run.py").write_text(code)
    return ModelProcess(
        folder, name="evil", device="cpu", launch=(sys.executable, str(folder / "run.py")),
        **options,  # type: ignore[arg-type]  # of this file's own tests
    )  # fmt: skip


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@LINUX
def test_code_in_the_models_process_reaches_no_secret_no_home_and_no_socket(
    tmp_path: Path, listening: int
) -> None:
    token = tmp_path / "user/.cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text(hostile.SECRET)
    outside = tmp_path / "outside"
    outside.mkdir()
    tried = {"port": str(listening), "token": str(token), "outside": str(outside)}
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(Path(hostile.__file__), folder / "hostile.py")
    environ = {**os.environ, "HF_TOKEN": hostile.SECRET, "HOME": str(tmp_path / "user"),
               "MERGEBOT_SALT": hostile.SECRET}  # fmt: skip
    code = UNTRUSTED.format(folder=str(folder), request=tried)
    process = scripted(folder, code, environ=environ)
    *_, last = process.answer(asked(), None, threading.Event())
    process.close()
    found = json.loads(last.text)
    assert not {"HF_TOKEN", "MERGEBOT_SALT"} & set(found.pop("environment names"))
    assert found == dict.fromkeys(hostile.attempts(tried))
    assert not (outside / "written").exists()


def test_remote_code_of_a_checkpoint_never_runs(tmp_path: Path) -> None:
    folder, mark = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(SORT, folder)
    code = f"from pathlib import Path\nPath({str(mark)!r}).write_text('ran')\nclass X: pass\n"
    (folder / "evil.py").write_text(code)
    for name, entry in (
        ("config.json", {"AutoConfig": "evil.X", "AutoModelForCausalLM": "evil.X"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["evil.X", "evil.X"]}),
    ):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | {"auto_map": entry}))
    model = ChatModel(key="evil", name="evil", location=str(folder))
    backend = TransformersBackend("cpu")
    *_, last = backend.load(model)
    assert last.kind in {"ready", "failed"}
    backend.close()
    assert not mark.exists()


@pytest.mark.heavy
@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 100000000000 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ],
    ids=["endless", "huge", "escaping"],
)
def test_a_hostile_template_costs_its_own_answer_and_no_more(tmp_path: Path, template: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SORT, folder)
    (folder / "chat_template.jinja").write_text(template)
    model = ChatModel(key="evil", name="evil", location=str(folder), size=1_000_000)
    backend = TransformersBackend("cpu", timeouts=Timeouts(silence=5.0))
    assert list(backend.load(model))[-1].kind == "ready"
    last = final_answer(backend, asked(model=model).__class__(
        model=model, turns=(Turn("user", "x"),), sampling=Sampling(max_tokens=4)
    ))  # fmt: skip
    assert last.failure
    assert not last.votable
    backend.close()


def test_a_process_that_dies_is_a_sentence_and_is_started_again() -> None:
    backend = TransformersBackend("cpu")
    cache = ModelCache((backend,), 10_000_000)
    model = local("skills-sort")
    assert list(cache.acquire(model))[-1].kind == "ready"
    backend._processes[model.key]._process.popen.send_signal(signal.SIGKILL)
    while backend.is_loaded(model):
        time.sleep(0.01)
    last = final_answer(backend, asked("sort cabd="))
    assert "the process of skills-sort was stopped" in str(last.failure)
    assert cache.state(model).kind == "not loaded"
    assert list(cache.acquire(model))[-1].kind == "ready"
    assert final_answer(backend, asked("sort cabd=")).text.strip() == "abcd"
    backend.close()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("print('{not json')", "could not be loaded|cannot be read"),
        ("import sys; sys.stdout.write('x' * 3_000_000); sys.stdout.flush()", "cannot be read"),
        ("raise ValueError('no such thing')", "ended: ValueError: no such thing"),
        ("print('[1, 2]')", "cannot be read"),
    ],
)
def test_a_process_that_does_not_keep_to_the_protocol_is_refused(
    tmp_path: Path, code: str, says: str
) -> None:
    with pytest.raises(ModelProcessError, match=says):
        scripted(tmp_path / "model", code)


def test_a_silent_process_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ModelProcessError, match="took too long"):
        scripted(tmp_path / "model", "import time; time.sleep(60)", timeouts=Timeouts(load=1.0))
    code = "import json, time\nprint(json.dumps({'kind': 'ready'}), flush=True)\ntime.sleep(60)"
    process = scripted(tmp_path / "model", code, timeouts=Timeouts(silence=1.0, stop=0.5))
    with pytest.raises(ModelProcessError, match="wrote nothing for too long"):
        list(process.answer(asked(), None, threading.Event()))
    assert not process.alive
    process.close()


def test_a_process_that_ignores_a_stop_is_stopped(tmp_path: Path) -> None:
    code = (
        "import json, time\nprint(json.dumps({'kind': 'ready'}), flush=True)\n"
        "while True:\n"
        "    print(json.dumps({'kind': 'piece', 'text': 'x', 'tokens': 1}), flush=True)\n"
        "    time.sleep(0.05)\n"
    )
    process = scripted(tmp_path / "model", code, timeouts=Timeouts(stop=0.5))
    stop = threading.Event()
    pieces = []
    for piece in process.answer(asked(), None, stop):
        pieces.append(piece)
        if len(pieces) == 3:
            stop.set()
            began = time.monotonic()
    assert pieces[-1].finish == "stopped"
    assert time.monotonic() - began < 10
    process.close()


def test_an_answer_nobody_reads_leaves_the_process_ready_for_the_next() -> None:
    backend = TransformersBackend("cpu")
    model = local("skills-sort")
    assert list(backend.load(model))[-1].kind == "ready"
    stream = backend.stream(asked("sort cabdfe="), threading.Event())
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert final_answer(backend, asked("sort cabd=")).text.strip() == "abcd"
    backend.unload(model)
    assert not backend.is_loaded(model)
    *_, last = answer(backend, asked(), threading.Event())
    assert last.failure == "skills-sort is not loaded any more: ask again"


@LINUX
def test_the_machine_says_what_a_models_process_is_protected_from() -> None:
    process = ModelProcess(SORT, name="sort", device="cpu")
    assert process.protection.network == probe().network
    assert process.protection.files == probe().files
    process.close()


def test_a_model_without_a_commit_or_a_folder_is_not_loaded(tmp_path: Path) -> None:
    files = ModelFiles()
    gone = ChatModel(key="x", name="mine", location=str(tmp_path / "gone"))
    with pytest.raises(ModelFilesError, match=r"the folder of mine is gone .*run its recipe again"):
        files.folder(gone)
    for revision in (None, "main", "v1", "abc123"):
        unpinned = ChatModel(key="x", name="theirs", location="org/theirs", revision=revision)
        with pytest.raises(ModelFilesError, match="names no commit of org/theirs"):
            files.folder(unpinned)
    *_, last = TransformersBackend("cpu").load(gone)
    assert last.kind == "failed"
    assert "the folder of mine is gone" in last.detail


def test_a_template_is_read_as_data(tmp_path: Path) -> None:
    source = ChatModel(key="x", name="source", location=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    config = tmp_path / "tokenizer_config.json"
    for content, template in (
        ({"chat_template": "plain"}, "plain"),
        ({"chat_template": [{"name": "default", "template": "named"}]}, "named"),
        ({"chat_template": [{"name": "tool", "template": "named"}]}, None),
        ({"chat_template": ["x"]}, None),
        ({}, None),
        ([], None),
    ):
        config.write_text(json.dumps(content))
        assert ModelFiles().template(source) == template
    (tmp_path / "chat_template.jinja").write_text("from a file")
    assert ModelFiles().template(replace(source)) == "from a file"
    (tmp_path / "chat_template.jinja").write_text("x" * 1_000_001)
    with pytest.raises(ValueError, match="larger than"):
        ModelFiles().template(source)
    (tmp_path / "chat_template.jinja").unlink()
    config.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="the chat template of source cannot be read"):
        ModelFiles().template(source)


@pytest.mark.heavy
def test_on_zero_gpu_the_decorated_function_answers_in_this_process() -> None:
    decorated: list[str] = []

    def decorate(function: Answering) -> Answering:
        def answering(request: Request, stop: threading.Event) -> Iterator[Piece]:
            decorated.append(request.model.name)
            yield from function(request, stop)

        return answering

    backend = ZeroGpuBackend(decorate=decorate, device="cpu")
    for name in ("skills-sort", "skills-double"):
        assert list(backend.load(local(name)))[-1].kind == "ready"
    assert final_answer(backend, asked("sort cabd=")).text.strip() == "abcd"
    borrowing = replace(local("skills-sort"), template_source=local("skills-double"))
    template = backend.template(borrowing)
    assert template is not None
    assert template.template_source == "skills-double"
    assert decorated == ["skills-sort"]
    backend.unload(local("skills-sort"))
    assert not backend.is_loaded(local("skills-sort"))


def test_files_are_fetched_at_the_records_commit_without_code(tmp_path: Path) -> None:
    from huggingface_hub import CommitOperationAdd, HfApi

    with serve(tmp_path / "hub") as server:
        token = server.token()
        api = HfApi(endpoint=server.endpoint, token=token)
        api.create_repo("tester/model", private=True)

        def commit(config: bytes) -> str:
            files = {"config.json": config, "evil.py": b"x = 1", "pytorch_model.bin": b"pickle"}
            done = api.create_commit(
                "tester/model", [CommitOperationAdd(path, data) for path, data in files.items()],
                commit_message="files",
            )  # fmt: skip
            return str(done.oid)

        recorded = commit(b'{"first": 1}')
        assert commit(b'{"moved": 2}') != recorded
        model = ChatModel(key="x", name="m", location="tester/model", revision=recorded)
        files = ModelFiles(endpoint=server.endpoint, token=token, cache=tmp_path / "cache")
        folder = files.folder(model)
        assert [path.name for path in folder.iterdir()] == ["config.json"]
        assert (folder / "config.json").read_bytes() == b'{"first": 1}'
        stranger = ModelFiles(endpoint=server.endpoint, token=server.token("stranger"),
                              cache=tmp_path / "none")  # fmt: skip
        with pytest.raises(ModelFilesError, match="m could not be fetched"):
            stranger.folder(model)
