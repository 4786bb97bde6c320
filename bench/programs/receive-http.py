"""Takes what is put by HTTP, and drops it: for bench/benches/restore-http.ts.

Writes its port on standard output, then a line of JSON for each request; ends when its standard input does. The path /hash has the bytes hashed, which takes
longer. It works on the machine that is measured, so it takes a megabyte at a time, which costs a fraction of what an HTTP server in Node costs.
"""

import hashlib
import json
import os
import socket
import sys
import threading


def read_head(connection):
    """The request line, the headers in lower case, and what has come of the body."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            return None
        head += part
    text, body = head.split(b"\r\n\r\n", 1)
    request, *lines = text.decode("latin-1").split("\r\n")
    return request, dict(line.lower().split(": ", 1) for line in lines), body


def serve(connection, buffer):
    head = read_head(connection)
    if head is None:
        return
    request, headers, body = head
    sha256 = hashlib.sha256(body) if request.split(" ")[1] == "/hash" else None
    announced = int(headers["content-length"])
    if headers.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    received = len(body)
    while received < announced:
        count = connection.recv_into(buffer)
        if count == 0:
            break
        received += count
        if sha256 is not None:
            sha256.update(buffer[:count])
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    seen = {"bytes": received, "announced": announced, **({} if sha256 is None else {"sha256": sha256.hexdigest()})}
    print(json.dumps(seen), flush=True)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
memory = memoryview(bytearray(1024 * 1024))
while True:
    client, _ = server.accept()
    with client:
        serve(client, memory)
