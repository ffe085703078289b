"""A server on this machine that speaks as much of the Hub's protocol as downloads and commits need, and counts both."""

import base64
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_a_visitor"


@dataclass
class Served:
    """Bytes given of each file, how often each was asked for with GET, of which revisions, and what was committed.

    refusal, where it is set, is the status and the Hub's code with which everything is answered.
    in_commits are the files that a commit itself held, as text; others were stored apart.
    tokens are the logins of all that was asked, empty for nobody's.
    """

    endpoint: str = ""
    committed: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    created: list[dict] = field(default_factory=list)
    bytes: Counter = field(default_factory=Counter)
    gets: Counter = field(default_factory=Counter)
    revisions: list[str] = field(default_factory=list)
    in_commits: set[str] = field(default_factory=set)
    refusal: tuple[int, str] | None = None


def take_for_the_hub(served: Served, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process ask a served Hub and keep what comes in a cache of its own."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, served.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", served.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home))
    # What is stored apart goes the older way, which this server speaks.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


@contextmanager
def serve(folder: Path, repo: str, cut: dict[str, int] | None = None, kind: str = "models") -> Iterator[Served]:
    """Serve a folder as the repository's main branch.

    Args:
        cut: after how many bytes the line breaks when a file is first asked for.
        kind: `models` or `spaces`.
    """
    served, cut = Served(), dict(cut or {})
    api, git = f"/api/{kind}/{repo}", f"/{'' if kind == 'models' else f'{kind}/'}{repo}.git"

    stored: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            served.tokens.add(self.headers.get("Authorization", ""))
            self._answer(body=False)

        def do_GET(self) -> None:
            served.tokens.add(self.headers.get("Authorization", ""))
            self._answer(body=True)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            served.tokens.add(self.headers.get("Authorization", ""))
            as_json = {"Content-Type": "application/json"}
            if self.path == "/api/validate-yaml":
                return self._send(200, b'{"errors": [], "warnings": []}', True, as_json)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._send(401, b"{}", True, as_json)
            if self.path == "/api/repos/create":
                served.created.append(json.loads(body))
                return self._send(200, json.dumps({"url": f"{served.endpoint}/{repo}"}).encode(), True, as_json)
            if self.path.startswith(f"{api}/preupload/"):
                # As the Hub has it: what is no text is stored apart, and may not be in the commit itself.
                asked = [(f["path"], b"\0" in base64.b64decode(f["sample"])) for f in json.loads(body)["files"]]
                files = [{"path": path, "uploadMode": "lfs" if binary else "regular", "shouldIgnore": False}
                         for path, binary in asked]  # fmt: skip
                return self._send(200, json.dumps({"files": files}).encode(), True, as_json)
            if self.path == f"{git}/info/lfs/objects/batch":
                asked = json.loads(body)["objects"]
                objects = [
                    {**one, "actions": {"upload": {"href": f"{served.endpoint}/lfs/{one['oid']}"}}} for one in asked
                ]
                return self._send(200, json.dumps({"transfer": "basic", "objects": objects}).encode(), True, as_json)
            if self.path.startswith(f"{api}/commit/"):
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        served.committed[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                        served.in_commits.add(line["value"]["path"])
                    elif line["key"] == "lfsFile":
                        served.committed[line["value"]["path"]] = stored[line["value"]["oid"]]
                url = f"{served.endpoint}/{repo}/commit/{COMMIT}"
                answer = {"commitUrl": url, "commitOid": COMMIT, "commitMessage": ""}
                return self._send(200, json.dumps(answer).encode(), True, as_json)
            return self._send(404, b"{}", True, as_json)

        def do_PUT(self) -> None:
            stored[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(200, b"", True, {})

        def _answer(self, body: bool) -> None:
            if served.refusal:
                status, code = served.refusal
                return self._send(status, b"{}", body, {"X-Error-Code": code} if code else {})
            path = self.path.split("?")[0]
            found = re.fullmatch(rf"/{repo}/resolve/([\w.%-]+)/([\w./-]+)", path)
            if found:
                served.revisions.append(unquote(found.group(1)))
            if found and ".." not in path and (folder / found.group(2)).is_file():
                return self._file(folder / found.group(2), body)
            if path.startswith(api):
                files = [{"type": "file", "path": f.name, "rfilename": f.name,
                          "size": f.stat().st_size, "oid": "0" * 40}
                         for f in sorted(folder.iterdir())]  # fmt: skip
                answer = files if "/tree/" in path else {"id": repo, "sha": COMMIT, "siblings": files}
                return self._send(200, json.dumps(answer).encode(), body, {"Content-Type": "application/json"})
            code = "EntryNotFound" if path.startswith(f"/{repo}/") else "RepoNotFound"
            return self._send(404, b"{}", body, {"X-Error-Code": code, "X-Repo-Commit": COMMIT})

        def _file(self, file: Path, body: bool) -> None:
            data, status = file.read_bytes(), 200
            headers = {"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked:
                first, last = int(asked.group(1)), int(asked.group(2) or len(data) - 1)
                headers["Content-Range"] = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
                data, status = data[first : last + 1], 206
            if body:
                served.gets[file.name] += 1
                if file.name in cut:
                    return self._break_off(status, data, headers, cut.pop(file.name), file.name)
                served.bytes[file.name] += len(data)
            self._send(status, data, body, headers)

        def _break_off(self, status: int, data: bytes, headers: dict[str, str], after: int, name: str) -> None:
            """Promise the whole file, give its beginning, and hang up."""
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data[:after])
            served.bytes[name] += after
            self.close_connection = True

        def _send(self, status: int, data: bytes, body: bool, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_args) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
