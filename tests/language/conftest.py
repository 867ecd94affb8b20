"""One thread, and no network: the tests train models of a few thousand parameters."""

import gc
import importlib.util

import pytest

pytest.register_assert_rewrite("tests.language.tiny")


@pytest.fixture(autouse=True)
def quiet_and_single_threaded(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(name, "1")
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def imports_are_no_garbage():
    """Every training ends with a collection, which looks at a million objects of the imports."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
