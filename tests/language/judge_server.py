"""An OpenAI-compatible server on this machine that prefers the longer answer and counts calls."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OUTPUT = re.compile(r'"output": """(.*?)"""', re.DOTALL)


class Judge(ThreadingHTTPServer):
    """Answers with the label of the longer of the two outputs.

    Attributes:
        calls: requests that got a verdict.
        failures: statuses to answer with before the next verdicts.
        stop_after: verdicts after which every request gets status 400; None for never.
        verdict: in place of the label.
        body: in place of a chat completion.
        too_long: characters of a question from which on it gets status 400; None for never.
        drip_seconds: between two bytes of an answer, whose last never comes; None for at once.
        silent_after: verdicts after which no answer begins; None for never.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.calls = []
        self.tries = 0
        self.failures = []
        self.stop_after = None
        self.verdict = None
        self.body = None
        self.too_long = None
        self.drip_seconds = None
        self.silent_after = None
        self.released = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


@contextmanager
def serve():
    server = Judge()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.tries += 1
            status = 200
            if server.failures:
                status = server.failures.pop(0)
            elif server.stop_after is not None and len(server.calls) >= server.stop_after:
                status = 400
            elif server.too_long is not None and len(json.dumps(request)) > server.too_long:
                self._send(400, {"error": {"message": "maximum context length exceeded"}})
                return
            silent = server.silent_after is not None and len(server.calls) >= server.silent_after
            if status == 200 and not silent:
                server.calls.append(request)
        if silent:
            server.released.wait()
            return
        if status != 200:
            self._send(status, {"error": {"message": "not now"}})
        elif server.drip_seconds is not None:
            self._drip()
        elif server.body is not None:
            self._send(200, server.body)
        else:
            self._send(200, _completion(server.verdict or _longer(request)))

    def _drip(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(999):
                self.wfile.write(b" ")
                self.wfile.flush()
                if self.server.released.wait(self.server.drip_seconds):
                    return
        except OSError:
            pass

    def _send(self, status, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _longer(request):
    """The label of the longer answer: those of the prompt are m and M."""
    text = request["messages"][-1]["content"]
    outputs = OUTPUT.findall(text)
    assert len(outputs) == 2, text
    return "m" if len(outputs[0]) > len(outputs[1]) else "M"


def _completion(token):
    log_probs = [{"token": token, "logprob": -1e-6, "bytes": None}]
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "longer",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": token},
                "logprobs": {"content": [{**log_probs[0], "top_logprobs": log_probs}]},
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
