"""A scripted server of HTTP/2 and 1.1 over TLS, for what nginx never does to a connection:

    python3 http2_server.py CERTIFICATE KEY SCRIPT JOURNAL PORT_FILE

SCRIPT is a file of JSON, read at each request: { "h2": [answer...], "h1": [answer...] }, of which requests take one in
turn, those of HTTP/2 and those of 1.1; the last one is repeated. An answer has

    status, body       200 and "" by default
    rst, after         HTTP/2: ends the stream with this error code, after so many bytes of the body; the headers only,
                       by default
    filler             bytes of a header of the answer, 0 by default
    delay              HTTP/2: seconds to wait before `rst`, 0 by default
    mute               says nothing, and nothing more on this connection

JOURNAL gets a line for each request: h2 or h1, and the number of the connection. It listens on a free port of loopback,
writes the port to the file, and ends with its standard input.
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

certificate, key, script_file, journal_file, port_file = sys.argv[1:]
PREFACE = 24  # bytes that a client begins with
DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM = ACK = 1
END_HEADERS = 4

lock = threading.Lock()
turns = {"h2": 0, "h1": 0}


def next_answer(protocol, connection):
    with lock:
        with open(journal_file, "a") as journal:
            journal.write("%s %d\n" % (protocol, connection))
        with open(script_file) as file:
            script = json.load(file)
        if script.pop("is_new", None):  # each script begins with its first answer
            turns.update(h2=0, h1=0)
            with open(script_file, "w") as file:
                json.dump(script, file)
        turns[protocol] += 1
        answers = script[protocol]
        return answers[min(turns[protocol], len(answers)) - 1]


def read(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def hpack_length(length):
    """As an integer with a prefix of seven bits (RFC 7541, 5.1)."""
    if length < 127:
        return bytes([length])
    encoded, length = b"\x7f", length - 127
    while length >= 128:
        encoded, length = encoded + bytes([length % 128 + 128]), length // 128
    return encoded + bytes([length])


def answer_h2(client, stream, answer):
    """Whether the connection goes on."""
    if answer.get("mute"):
        return False
    body = answer.get("body", "").encode()
    # HPACK: ":status" is number 8 of its static table, and a literal needs no table and no Huffman code.
    block = b"\x08\x03%d" % answer.get("status", 200)
    if answer.get("filler"):
        block += b"\x00\x06filler" + hpack_length(answer["filler"]) + b"x" * answer["filler"]
    client.sendall(frame(HEADERS, END_HEADERS, stream, block))
    rst = answer.get("rst")
    if rst is not None:
        body = body[: answer.get("after", 0)]
    for at in range(0, len(body), 16384):
        client.sendall(frame(DATA, 0, stream, body[at : at + 16384]))
    if rst is None:
        client.sendall(frame(DATA, END_STREAM, stream))
    else:
        time.sleep(answer.get("delay", 0))
        client.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", rst)))
    return True


def serve_h2(client, number):
    read(client, PREFACE)
    client.sendall(frame(SETTINGS, 0, 0))
    is_mute = False
    while True:
        head = read(client, 9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = read(client, int.from_bytes(head[:3], "big"))
        if is_mute:
            continue
        if kind == SETTINGS and not flags & ACK:
            client.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            client.sendall(frame(PING, ACK, 0, payload))
        elif kind == HEADERS:
            is_mute = not answer_h2(client, stream, next_answer("h2", number))


def serve_h1(client, number):
    while True:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += read(client, 1)
        answer = next_answer("h1", number)
        body = answer.get("body", "").encode()
        filler = b"Filler: " + b"x" * answer.get("filler", 0)
        head = b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n%s\r\n\r\n" % (
            answer.get("status", 200), len(body), filler)
        client.sendall(head + body)


def serve(client, number):
    try:
        with context.wrap_socket(client, server_side=True) as secure:
            (serve_h2 if secure.selected_alpn_protocol() == "h2" else serve_h1)(secure, number)
    except (EOFError, OSError):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["h2", "http/1.1"])
listener = socket.create_server(("127.0.0.1", 0))


def accept():
    number = 0
    while True:
        client, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(client, number), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
with open(port_file, "w") as file:
    file.write("%d\n" % listener.getsockname()[1])
sys.stdin.read()
os._exit(0)
