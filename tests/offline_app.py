"""The app in a process that may reach nothing but this machine. Not a test: `test_app_for_all` starts it.

Whatever it tries to reach outside is refused, and noted in the file that the first argument names.
"""

import runpy
import sys

log = sys.argv.pop(1)
HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "", None)


def refuse(event: str, arguments: tuple) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HERE:
        with open(log, "a") as file:
            file.write(f"{event} {host}\n")
        raise OSError(f"There is no network here: {host}")


sys.addaudithook(refuse)
runpy.run_path("app.py", run_name="__main__")
