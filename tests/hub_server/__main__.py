"""`python -m tests.hub_server`: a Hub of one's own, with no account and no network."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import textwrap
import threading
from collections.abc import Iterable
from pathlib import Path

from tests.hub_server.accounts import Accounts, Identity
from tests.hub_server.dials import Dials
from tests.hub_server.endpoints import Endpoint
from tests.hub_server.faults import FaultKind
from tests.hub_server.server import client_env, serve


def _wrapped(names: Iterable[str]) -> str:
    lines = textwrap.wrap(" ".join(names), 96, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), "  ")


_EPILOG = f"""\
example:
  python -m tests.hub_server --port 8899 --data ./hub-data
  # in another terminal: paste the printed export lines, then
  hf auth whoami
  hf upload tester/my-model ./model
  hf download tester/my-model

faults (one 503 for the next commit):
  curl -X POST localhost:8899/_admin/faults -H 'content-type: application/json' \\
       -d '{{"endpoint": "commit", "kind": "503", "times": 1}}'
  curl localhost:8899/_admin/requests               # every request so far
  curl -X DELETE localhost:8899/_admin/faults       # all well again
endpoints:
{_wrapped(Endpoint)}
kinds:
{_wrapped(FaultKind)}
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hub_server",
        description="A local server that speaks the Hugging Face Hub's protocol, for the "
        "unmodified huggingface_hub client and hf command line.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8899, help="0 picks a free port")
    parser.add_argument("--cdn-port", type=int, default=0, help="second origin, for LFS objects")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument(
        "--token",
        action="append",
        default=[],
        metavar="USER:TOKEN[:read]",
        help="who a token speaks for; repeatable; replaces the default users tester and stranger",
    )
    parser.add_argument(
        "--org",
        action="append",
        default=[],
        metavar="ORG:USER[,USER]",
        help="an organisation and its admins; repeatable; default mergebot:tester",
    )
    parser.add_argument(
        "--trusted-publisher",
        action="append",
        default=[],
        metavar="REPOSITORY:ID_TOKEN",
        help="a CI job that may write to one repository (datasets/org/name, ...); repeatable",
    )
    parser.add_argument("--page-size", type=int, default=1000, metavar="N")
    parser.add_argument("--multipart-over", type=int, default=Dials.multipart_over, metavar="BYTES")
    parser.add_argument(
        "--discard-over",
        type=int,
        metavar="BYTES",
        help="hash larger LFS objects and keep only their size and sha256",
    )
    parser.add_argument(
        "--free-plan", action="store_true", help="creating Gradio or Docker Spaces answers 402"
    )
    return parser


def _accounts(tokens: list[str], orgs: list[str], publishers: list[str]) -> Accounts:
    default = Accounts.default()
    found = {}
    for text in tokens:
        user, token, *role = text.split(":")
        found[token] = Identity(user=user, role=role[0] if role else "write")
    members = {}
    for text in orgs:
        org, _, users = text.partition(":")
        members[org] = dict.fromkeys(users.split(","), "admin")
    trusted = {token: repo for repo, _, token in (text.partition(":") for text in publishers)}
    return Accounts(
        tokens=found or default.tokens, orgs=members or default.orgs, publishers=trusted
    )


def main(argv: list[str]) -> None:
    """Serve until interrupted."""
    args = _parser().parse_args(argv)
    accounts = _accounts(args.token, args.org, args.trusted_publisher)
    dials = Dials(
        page_size=args.page_size,
        multipart_over=args.multipart_over,
        discard_over=args.discard_over,
        free_plan=args.free_plan,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with serve(
        args.data,
        port=args.port,
        cdn_port=args.cdn_port,
        host=args.host,
        accounts=accounts,
        dials=dials,
    ) as server:
        token = next(iter(accounts.tokens))
        env = client_env(server.endpoint, token=token, home=args.data.absolute() / "client-home")
        print(f"# Hub server at {server.endpoint}, data in {args.data}. In your shell:")
        for name, value in env.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
