"""Adapters of adapters, down to a whole model, or in a circle."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("transformers")

import peft
import torch

from mirrorpo.language.models import loading, model_files, stand_ins


def link(folder, base):
    """A folder with an adapter's settings alone."""
    folder.mkdir()
    (folder / model_files.ADAPTER).write_text(json.dumps({"base_model_name_or_path": str(base)}))
    return str(folder)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_adapters_that_name_each_other_in_a_circle_are_one_line(length, tmp_path):
    for at in range(length):
        link(tmp_path / f"a{at}", tmp_path / f"a{(at + 1) % length}")
    for read in (loading.load, model_files.contents, model_files.bases):
        with pytest.raises(ValueError, match="the adapters name each other") as caught:
            read(str(tmp_path / "a0"))
        assert "\n" not in str(caught.value)


def test_a_circle_is_seen_through_links_and_from_a_way_into_it(tmp_path):
    link(tmp_path / "a", tmp_path / "link")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    into = link(tmp_path / "into", tmp_path / "a")
    with pytest.raises(ValueError, match="the adapters name each other"):
        model_files.bases(into)


def test_the_bases_of_a_chain_are_all_found(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "config.json").write_text("{}")
    middle = link(tmp_path / "middle", tmp_path / "whole")
    top = link(tmp_path / "top", middle)
    assert model_files.bases(top) == [middle, str(tmp_path / "whole")]
    assert set(model_files.contents(top)) == {top, middle, str(tmp_path / "whole")}
    assert model_files.bases("owner/name") == []


def grown(model, folder, seed):
    """A model with a random adapter in its weights, whose folder is written."""
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    adapted = peft.get_peft_model(model, settings)
    for name, value in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value.data)
    adapted.save_pretrained(folder)
    return adapted.merge_and_unload()


def test_a_chain_is_its_base_with_every_adapter(tmp_path):
    torch.set_num_threads(1)
    stand_ins.model().save_pretrained(tmp_path / "base")
    stand_ins.tokenizer().save_pretrained(tmp_path / "base")
    model = stand_ins.model()
    for seed, (name, base) in enumerate((("middle", "base"), ("top", "middle"))):
        model = grown(model, tmp_path / name, seed)
        path = tmp_path / name / model_files.ADAPTER
        settings = {**json.loads(path.read_text()), "base_model_name_or_path": str(tmp_path / base)}
        path.write_text(json.dumps(settings))
    found, _ = loading.load(str(tmp_path / "top"), dtype="float32")
    wanted = model.state_dict()
    assert all(torch.allclose(value, wanted[name]) for name, value in found.state_dict().items())
    plain = loading.load(str(tmp_path / "base"), dtype="float32")[0].state_dict()
    assert not all(torch.allclose(plain[name], value) for name, value in wanted.items())
