"""How a discovered loss comes to the trainer: few files, the same that CONTRIBUTING names."""

import itertools

from mirrorpo import objectives
from mirrorpo.discovery import artefact
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import naming
from tests.front.test_results import files_of_the_stack
from tests.language import tiny
from tests.runtime.test_rooms import LIST, imports

BEFORE = ("cli/discover.py", "front/discover.py", "discovery/search.py", "discovery/artefact.py")
STORAGE = "objectives/storage.py"


def module(file):
    return "mirrorpo." + file.removesuffix(".py").replace("/", ".")


def test_from_a_search_to_the_language_trainer_are_at_most_ten_files(tmp_path, monkeypatch):
    assert "mirrorpo" in imports(module(BEFORE[0])), "the front door, which opens the second"
    for file, following in itertools.pairwise(BEFORE[1:]):
        assert module(following) in imports(module(file))
    walk = list(BEFORE)

    def on_the_way(function):
        def walked(*given):
            walk.extend([*files_of_the_stack(), STORAGE])
            return function(*given)

        return walked

    monkeypatch.setattr(objectives, "save", on_the_way(objectives.save))
    monkeypatch.setattr(naming, "load", on_the_way(naming.load))
    made = objectives.get("orpo", weight=3.0)
    file = tmp_path / "objective.safetensors"
    artefact.save(file, artefact.Discovery(made, Visited.grid(), {}))
    assert tiny.trainer(file, tmp_path / "run").stages.objectives[-1] == made
    files = list(dict.fromkeys(walk))
    assert {"language/training/trainer.py", "objectives/naming.py", "files.py"} <= set(files)
    assert len(files) <= 10, files
    told = LIST.read_text("utf-8").partition("From a discovered file")[2].partition("\n\n")[0]
    assert all(f"`{name}`" in told for name in files)
