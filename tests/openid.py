"""An OpenID provider on this machine in place of the Hub's: it logs everybody in at once, as one visitor."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlparse

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "of-the-space", "between-space-and-provider"
VISITOR = "Asha"
CODE = "given-for-a-login"


@contextmanager
def provide(token: str) -> Iterator[str]:
    """Run a provider, and give its address.

    Args:
        token: what a visitor who has logged in may act with.
    """
    key = RSAKey.generate_key(2048, parameters={"kid": "signing"})
    asked: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlparse(self.path).path, parse_qs(urlparse(self.path).query)
            if path == "/.well-known/openid-configuration":
                self._json({
                    "issuer": address, "authorization_endpoint": f"{address}/authorize",
                    "token_endpoint": f"{address}/token", "jwks_uri": f"{address}/keys",
                    "id_token_signing_alg_values_supported": ["RS256"],
                })  # fmt: skip
            elif path == "/keys":
                self._json({"keys": [key.as_dict(private=False)]})
            elif path == "/authorize":
                asked.update({name: values[0] for name, values in query.items()})
                back = {"code": CODE, "state": asked["state"]}
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}&{urlencode(back)}")
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if urlparse(self.path).path != "/token" or form["code"] != [CODE]:
                self.send_error(400)
                return
            now = int(time.time())
            claims = {
                "iss": address, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 600, "nonce": asked["nonce"],
                "name": VISITOR, "preferred_username": VISITOR.lower(), "profile": f"{address}/{VISITOR}",
                "picture": "",
            }  # fmt: skip
            self._json({
                "access_token": token, "token_type": "bearer", "expires_in": 600, "scope": asked["scope"],
                "id_token": jwt.encode({"alg": "RS256", "kid": "signing"}, claims, key),
            })  # fmt: skip

        def _json(self, answer: dict) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
