"""A language model as a judge, as a YAML file names it."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mirrorpo import limits, typed, yaml_settings


@dataclass(frozen=True, kw_only=True)
class ModelJudge:
    """A language model behind an OpenAI-compatible endpoint, asked as alpaca_eval asks.

    Attributes:
        model: its name at the endpoint.
        endpoint: base address, such as http://localhost:8000/v1.
        annotator: one of alpaca_eval's annotator configurations, by name or folder. It decides
            what is asked, and how the answer is read; its own model and address are not used.
        api_key_variable: the environment variable that holds the key; a server of your own needs
            none.
        retries: the retries of a call that fails by connection, time-out, rate limit or server
            error, each after twice the wait of the one before, up to 8 seconds.
        timeout: the timeout of one try in seconds, from connecting to the last byte of the answer.
        workers: calls at once.
    """

    model: str
    endpoint: str
    annotator: str = "weighted_alpaca_eval_vllm_llama3_70b"
    api_key_variable: str = "OPENAI_API_KEY"
    retries: int = 8
    timeout: float = 120.0
    workers: int = 8

    def __post_init__(self) -> None:
        typed.settle(self)
        for name in ("model", "endpoint", "annotator", "api_key_variable"):
            if not getattr(self, name):
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must be a text.")
        if not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f"endpoint is {self.endpoint!r}, but must start with http(s)://.")
        if not _is_address(self.endpoint):
            raise ValueError(
                f"endpoint is {self.endpoint!r}, but must be an address such as "
                "http://localhost:8000/v1, with a port between 1 and 65535."
            )
        limits.at_least(0, retries=self.retries)
        limits.at_least(1, workers=self.workers)
        limits.positive(timeout=self.timeout)


def _is_address(endpoint: str) -> bool:
    try:
        found = urlsplit(endpoint)
        host, port = found.hostname, found.port
    except ValueError:  # no number, or none of a port
        return False
    return bool(host) and port != 0 and not re.search(r"[\s\x00-\x1f]", endpoint)


def load(path: Path) -> ModelJudge:
    """The judge in a YAML file: its keys are the fields of `ModelJudge`.

    Raises:
        ValueError: no such file, not YAML, a missing or unknown key, or a wrong value. The message
            names the file.
    """
    content = yaml_settings.read(path, "judge")
    fields = dataclasses.fields(ModelJudge)
    yaml_settings.check_names(content, [item.name for item in fields], str(path))
    missing = [name for name in ("model", "endpoint") if name not in content]
    if missing:
        raise ValueError(f"{path} is not a complete judge: it has no {', '.join(missing)}.")
    try:
        return ModelJudge(**content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
