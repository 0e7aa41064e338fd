"""An isolated process reaches no token, no home folder and no network, and is limited."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.isolation import IsolatedProcess, Limits, child_environment, probe
from tests.isolation.conftest import Planted
from tests.isolation.hostile import attempts

ROOT = Path(__file__).parents[2]
HOSTILE = Path(__file__).with_name("hostile.py")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems only set limits")


def run(
    code: str, folder: Path, *, limits: Limits | None = None, network: bool = False,
    readable: tuple[Path, ...] = (), seconds: float = 60,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Python code in an isolated process."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    with IsolatedProcess(
        [sys.executable, "-c", code], home=home,
        environment=child_environment(os.environ, home=home), readable=readable,
        limits=limits or Limits(), network=network, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        out, err = child.popen.communicate(timeout=seconds)
    return subprocess.CompletedProcess([], child.popen.returncode, out.decode(), err.decode())


def hostile(planted: Planted, folder: Path) -> dict[str, object]:
    """What the hostile script reaches in an isolated process."""
    home, outside = folder / "home", folder / "outside"
    home.mkdir()
    outside.mkdir()
    (home / "request.json").write_text(json.dumps(planted.request(outside)))
    with IsolatedProcess(
        [sys.executable, str(HOSTILE), str(home / "request.json")], home=home,
        environment=child_environment(planted.environ, home=home),
        readable=[outside, HOSTILE.parent], stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        out, _ = child.popen.communicate(timeout=60)
    return {**json.loads(out), "protection": vars(child.protection)}


@LINUX
def test_nothing_secret_is_reached(planted: Planted, tmp_path: Path) -> None:
    answer = hostile(planted, tmp_path)
    assert answer["reached"] == dict.fromkeys(attempts(planted.request(tmp_path)))
    assert answer["user"] != 0
    assert not (tmp_path / "outside/written").exists()


def test_the_attempts_succeed_without_isolation(planted: Planted, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    (tmp_path / "request.json").write_text(json.dumps(planted.request(tmp_path)))
    done = subprocess.run(
        [sys.executable, str(HOSTILE), str(tmp_path / "request.json")],
        env=planted.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    HOSTILE.with_name("written").unlink()
    reached = json.loads(done.stdout)["reached"]
    for name in ("environment", "home", "token file", "tcp", "udp", "signal the parent",
                 "parent's environment", "write beside the model"):  # fmt: skip
        assert reached[name] is not None, name


@LINUX
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs util-linux")
def test_without_a_network_namespace_or_another_user_the_filters_hold(
    planted: Planted, tmp_path: Path
) -> None:
    """As in many containers: root that can neither become another user nor make a namespace."""
    code = f"""
import json, sys
from pathlib import Path
from tests.isolation.conftest import Planted
from tests.isolation.test_isolated_process import hostile
for kind in ("net", "user"):
    Path(f"/proc/sys/user/max_{{kind}}_namespaces").write_text("0")
planted = Planted(
    environ=dict({planted.environ!r}), token=Path({str(planted.token)!r}), port={planted.port}
)
print(json.dumps(hostile(planted, Path({str(tmp_path)!r}))))
"""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["protection"] == {
        "network": "filter", "files": "landlock", "user": "root", "limits": "set",
    }  # fmt: skip
    assert answer["reached"] == dict.fromkeys(attempts(planted.request(tmp_path)))


@LINUX
def test_this_machine_protects_and_says_how() -> None:
    found = probe()
    assert found.network in {"namespace", "filter"}
    assert found.files == "landlock"
    assert found.limits == "set"
    assert found.gaps == () or found.user == "root"


def test_memory_files_and_time_are_limited(tmp_path: Path) -> None:
    too_much = run("bytearray(1 << 30)", tmp_path, limits=Limits(memory_bytes=512 << 20))
    assert "MemoryError" in too_much.stderr
    large = "open('large', 'wb').write(bytes(2 << 20))"
    assert "OSError" in run(large, tmp_path, limits=Limits(file_bytes=1 << 20)).stderr
    many = "files = [open('/dev/null') for _ in range(100)]"
    assert "OSError" in run(many, tmp_path, limits=Limits(open_files=50)).stderr
    busy = run("while True: pass", tmp_path, limits=Limits(cpu_seconds=1))
    assert busy.returncode < 0


@LINUX
def test_threads_are_limited_whatever_the_user_runs_besides(tmp_path: Path) -> None:
    code = """
import threading, time
started = 0
try:
    for _ in range(200):
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
print(started)
"""
    few = int(run(code, tmp_path, limits=Limits(processes=50)).stdout)
    assert few < 200
    assert int(run(code, tmp_path, limits=Limits(processes=1000)).stdout) == 200


@LINUX
def test_nobody_is_left_behind(tmp_path: Path) -> None:
    """A child that forks and tries to leave its group is stopped with all that it started."""
    code = """
import os, sys, time
pid = os.fork()
if pid == 0:
    os.closerange(0, 3)
    try:
        os.setsid()
    except OSError:
        pass
    time.sleep(300)
print(pid)
"""
    pid = int(run(code, tmp_path).stdout)
    deadline = time.monotonic() + 200
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_fetches_has_the_network(planted: Planted, tmp_path: Path) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {planted.port})); print('yes')"
    assert run(code, tmp_path, network=True).stdout == "yes\n"


def test_links_out_of_a_model_folder_are_readable(tmp_path: Path) -> None:
    """The Hub's cache holds links to blobs outside the folder of a revision."""
    blob, model, secret = tmp_path / "blobs/a", tmp_path / "model", tmp_path / "blobs/b"
    blob.parent.mkdir()
    model.mkdir()
    blob.write_text("weights")
    secret.write_text("other")
    (model / "file").symlink_to(blob)
    code = f"print(open({str(model / 'file')!r}).read()); open({str(secret)!r})"
    done = run(code, tmp_path, readable=(model,))
    assert done.stdout == "weights\n"
    if probe().files == "landlock":
        assert "Error" in done.stderr
