"""A model of this machine as the judge of `mirrorpo judge`, behind an OpenAI-compatible endpoint.

    python examples/judge_server.py smollm2 --port 8000
    mirrorpo judge mine.json --baseline theirs.json --judge recipes/judges/local.yaml

It is asked which of two answers is better, and says with which probability its next token is the
name of one or of the other. That shows that all parts work together. A model as small as this
prefers what comes first or second, not what is better: its win rates mean nothing.
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from mirrorpo.language.models import chat, loading

VERDICTS = ("m", "M")  # the two answers, as alpaca_eval's annotators call them


class JudgeServer(ThreadingHTTPServer):
    """Answers /v1/chat/completions with one token, and the log-probs of all verdicts."""

    daemon_threads = True

    def __init__(self, name: str, port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.model, self.tokenizer = loading.load(name)
        if self.tokenizer.chat_template is None:
            chat.set_template(self.tokenizer, "chatml")
        self.name, self.lock = name, threading.Lock()

    @torch.inference_mode()
    def log_probs(self, messages: list[dict[str, str]]) -> dict[str, float]:
        """Of each verdict as the first token of an answer to `messages`."""
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with self.lock:
            logits = self.model(ids, logits_to_keep=1).logits[0, -1].float().log_softmax(-1)
        first = [self.tokenizer(one, add_special_tokens=False)["input_ids"][0] for one in VERDICTS]
        return {one: float(logits[token]) for one, token in zip(VERDICTS, first, strict=True)}

    def answer(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """A chat completion of one token, in OpenAI's format."""
        found = self.log_probs(messages)
        said = max(found, key=lambda one: found[one])
        top = [{"token": one, "logprob": value, "bytes": None} for one, value in found.items()]
        (own,) = (one for one in top if one["token"] == said)
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": said},
            "logprobs": {"content": [{**own, "top_logprobs": top}]},
        }
        kind = {"id": "1", "object": "chat.completion", "created": 0, "model": self.name}
        return {**kind, "choices": [choice]}


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def log_message(self, *args: Any) -> None: ...

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(self.server.answer(asked["messages"])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a model's name or folder, as `mirrorpo judge` takes it")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    with JudgeServer(given.model, given.port) as server:
        print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
        server.serve_forever()
