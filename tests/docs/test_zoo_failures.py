"""The zoo tells where each discovery that comes with the package is known to fail."""

import importlib.util

import pandas as pd
import pytest

from mirrorpo.discovery import artefact
from tests.docs.test_documents import ROOT


@pytest.fixture(scope="module")
def zoo():
    found = importlib.util.spec_from_file_location("zoo", ROOT / "docs" / "hooks" / "zoo.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", artefact.shipped())
def test_a_discovery_s_entry_has_its_known_failures(zoo, name):
    (choice,) = (choice for choice in zoo.discovered() if choice.label == name)
    of_another = pd.DataFrame({"algorithm": ["sft"], "normalised": [0.0]})
    (line,) = (
        line
        for line in zoo.found_entry(choice, of_another).splitlines()
        if line.startswith("- **Known failures**: ")
    )
    assert line.count(" ± ") >= 2
    assert line.endswith(artefact.load(name).provenance["known_failures"][-40:])
