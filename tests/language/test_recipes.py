"""Every recipe in recipes/ can be read and states what the paper states."""

import dataclasses
import json
from pathlib import Path

import pandas
import pytest

from mirrorpo import objectives

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo.language.align import recipe as recipes
from mirrorpo.language.align import run, short_form
from mirrorpo.language.models import chat, loading, stand_ins

FOLDER = Path(__file__).parents[2] / "recipes"
PATHS = sorted(FOLDER.glob("*/*/*.yaml"))


def label(path):
    return str(path.relative_to(FOLDER).with_suffix(""))


def test_all_of_the_papers_set_ups_are_there():
    main = {"cpo", "orpo", "dpo", "simpo", "ta-mpo-linear", "ta-mpo-quadratic", "ta-mpo-sigmoid"}
    ablation = {f"simpo-gamma-{gamma}" for gamma in (0, 1, 5, 10)} | {"sft-simpo"}
    found = {}
    for path in PATHS:
        found.setdefault(str(path.parent.relative_to(FOLDER)), set()).add(path.stem)
    assert found == {
        "gemma-7b/dpo-mix-7k": main | ablation,
        "gemma-7b/capybara-7k": main | ablation,
        "mistral-7b/dpo-mix-7k": main,
    }


@pytest.mark.parametrize("path", PATHS, ids=label)
def test_a_recipe_has_the_papers_settings(path, tmp_path):
    recipe = recipes.load(path)
    assert path.parts[-3] in recipe.model_name_or_path.lower()
    assert path.parts[-2].split("-")[0] in recipe.dataset_name
    assert (recipe.lora_r, recipe.lora_alpha, recipe.lora_dropout) == (128, 256, 0.05)
    objective = objectives.get(recipe.objective, **recipe.objective_parameters)
    assert path.stem.startswith(objective.name)
    assert getattr(objective, "beta", 0.05) == 0.05

    training = recipe.training
    assert training["per_device_train_batch_size"] * training["gradient_accumulation_steps"] == 64
    assert (training["max_length"], training["num_train_epochs"]) == (2048, 4)
    assert training["disable_dropout"] is False
    if objective.after_sft:
        assert (training["sft_learning_rate"], training["learning_rate"]) == (5e-5, 5e-7)
    else:
        assert training["learning_rate"] == 5e-5
    run.settings(short_form.shrink(recipe), tmp_path)


def write(folder, text, name="recipe.yaml"):
    path = folder / name
    path.write_text(text)
    return path


WHOLE = "model_name_or_path: m\ndataset_name: d\nobjective: ta-mpo\n"


def test_included_values_are_replaced_and_mappings_joined(tmp_path):
    write(tmp_path, "objective_parameters: {beta: 0.1, gamma: 2.0}\nseed: 1\n", "base.yaml")
    path = write(
        tmp_path, f"include: [base.yaml]\n{WHOLE}objective_parameters: {{beta: 0.3}}\nseed: 2\n"
    )
    recipe = recipes.load(path)
    assert recipe.objective_parameters == {"beta": 0.3, "gamma": 2.0}
    assert recipe.training == {"seed": 2}


def test_changes_reach_inside_mappings(tmp_path):
    path = write(tmp_path, f"{WHOLE}objective_parameters: {{beta: 0.3}}\n")
    recipe = recipes.load(path, {"objective_parameters.gamma": 2.0, "seed": 5})
    assert recipe.objective_parameters == {"beta": 0.3, "gamma": 2.0}
    assert recipe.training == {"seed": 5}


def test_another_objective_or_dataset_does_not_inherit_what_was_the_old_ones(tmp_path):
    text = f"{WHOLE}objective_parameters: {{gamma: 2.0}}\ndataset_test_split: test\nseed: 1\n"
    path = write(tmp_path, text)
    changed = recipes.load(path, {"objective_parameters.weight": 3.0, "objective": "orpo"})
    assert changed.objective_parameters == {"weight": 3.0}
    assert changed.dataset_test_split == "test"
    changed = recipes.load(path, {"dataset_name": "pairs.jsonl"})
    assert changed.dataset_test_split is None
    assert changed.objective_parameters == {"gamma": 2.0}
    assert recipes.load(path, {"objective": "ta-mpo"}) == recipes.load(path)
    above = write(tmp_path, "include: [recipe.yaml]\nobjective: found.safetensors\n", "above.yaml")
    assert recipes.load(above).objective_parameters == {}


def test_numbers_with_an_exponent_are_numbers(tmp_path):
    path = write(tmp_path, f"{WHOLE}learning_rate: 5e-5\nchat_template: 5 tokens\n")
    recipe = recipes.load(path)
    assert recipe.training == {"learning_rate": 5e-5}
    assert recipe.chat_template == "5 tokens"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objective: dpo\n", r"not a complete recipe: it has no model_name_or_path, dataset_name"),
        ("- a\n- b\n", "must hold lines of the form key: value"),
        ("a: [1, 2\n", "is not a YAML value"),
        (f"{WHOLE}lora_r: many\n", "lora_r is 'many', but must be a whole number"),
        (f"{WHOLE}lora_r: 8\n", "lora_target_modules names no layers"),
        (f"{WHOLE}dtype: int8\n", "dtype is 'int8'"),
        (f"{WHOLE}include: base.yaml\n", "include must be a list"),
        (f"{WHOLE}include: [recipe.yaml]\n", "includes itself"),
        (f"{WHOLE}include: [none.yaml]\n", r"No recipe at .*none\.yaml"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_in_one_line(text, message, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        recipes.load(path)
    assert "\n" not in str(caught.value)


def test_a_chat_template_may_be_a_file_and_its_text_is_what_is_recorded(tmp_path):
    template = write(tmp_path, "{{ messages[0].content }} é", "own.jinja")
    recipe = recipes.load(write(tmp_path, WHOLE), {"chat_template": str(template)})
    assert recipe.chat_template == "{{ messages[0].content }} é"
    for name, message in (("none", "No chat template at "), ("binary", "codec can't decode")):
        if name == "binary":
            (tmp_path / "binary.jinja").write_bytes(b"\xff\xfe")
        given = {"chat_template": str(tmp_path / f"{name}.jinja")}
        with pytest.raises(ValueError, match=message) as caught:
            recipes.load(write(tmp_path, WHOLE), given)
        assert "\n" not in str(caught.value)
        assert f"{name}.jinja" in str(caught.value)


def test_an_unknown_setting_names_the_near_one(tmp_path):
    recipe = recipes.load(write(tmp_path, f"{WHOLE}learning_rat: 1.0e-5\n"))
    with pytest.raises(ValueError, match=r"no setting 'learning_rat'\. Did you mean learning_rate"):
        run.settings(recipe, tmp_path)


def test_a_model_that_cannot_be_loaded_is_named(tmp_path):
    changes = {"model_name_or_path": str(tmp_path / "none"), "dataset_name": stand_ins.NAME}
    recipe = recipes.load(write(tmp_path, WHOLE), changes)
    with pytest.raises(ValueError, match=r"The model .*none cannot be loaded: ") as caught:
        run.trainer(
            recipe,
            objectives.get("ta-mpo"),
            run.settings(recipe, tmp_path),
            run.pairs(recipe),
            tmp_path / "metrics.jsonl",
            lambda done, total, doing: None,
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv", "folder"])
def test_pairs_come_from_files_and_folders(suffix, tmp_path):
    path = tmp_path / f"pairs.{suffix}"
    whole = stand_ins.pairs("train")
    write_to = {
        "jsonl": whole.to_json,
        "parquet": whole.to_parquet,
        "csv": lambda name: pandas.DataFrame(
            {side: [json.dumps(value) for value in whole[side]] for side in whole.column_names}
        ).to_csv(name, index=False),
        "folder": whole.save_to_disk,
    }
    write_to[suffix](str(path))
    recipe = recipes.load(write(tmp_path, WHOLE), {"dataset_name": str(path)})
    found = run.pairs(recipe).train
    given = run.pairs(recipes.load(write(tmp_path, WHOLE), {"dataset_name": "smoke"})).train
    assert [(row.prompt, row.chosen, row.rejected) for row in found.rows] == [
        (row.prompt, row.chosen, row.rejected) for row in given.rows
    ]


@pytest.mark.parametrize(
    "name", ["none.jsonl", "./none", "~/none", "a/b/none", "/none", "none.Parquet", "none.csv.gz"]
)
def test_a_path_that_is_not_there_is_never_looked_for_on_a_hub(name, tmp_path, monkeypatch):
    def fail(*arguments, **named):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(run.datasets, "load_dataset", fail)
    recipe = recipes.load(write(tmp_path, WHOLE), {"dataset_name": name})
    with pytest.raises(ValueError, match=r"No dataset at .*none.*: it does not exist"):
        run.pairs(recipe)


def test_what_is_on_disk_is_read_there_even_under_a_hubs_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stand_ins.pairs("train").save_to_disk("owner/name")
    recipe = recipes.load(write(tmp_path, WHOLE), {"dataset_name": "owner/name"})
    assert len(run.pairs(recipe).train.rows) == 16


def test_layers_to_adapt_are_names_or_all_linear_ones(tmp_path):
    recipe = recipes.load(write(tmp_path, f"{WHOLE}lora_r: 2\nlora_target_modules: all-linear\n"))
    changes = {"model_name_or_path": "smoke", "dataset_name": "smoke"}
    recipe = dataclasses.replace(recipe, **changes, chat_template="chatml")
    config = run.settings(dataclasses.replace(recipe, training={"use_cpu": True}), tmp_path)
    made = run.trainer(
        recipe, objectives.get("cpo"), config, run.pairs(recipe), tmp_path / "m", lambda *_: None
    )
    adapted = {
        name.split(".lora_")[0].rpartition(".")[2]
        for name, weight in made.model.named_parameters()
        if weight.requires_grad
    }
    attention, middle = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"up_proj", "down_proj"}
    assert adapted == attention | middle | {"gate_proj"}
    for wrong in ("q_proj", "[1, 2]", "{a: b}"):
        with pytest.raises(ValueError, match="must be a list of layers' names, or all-linear"):
            recipes.load(write(tmp_path, f"{WHOLE}lora_r: 2\nlora_target_modules: {wrong}\n"))


def test_a_layout_and_column_names_go_with_their_dataset(tmp_path):
    path = write(
        tmp_path, f"{WHOLE}dataset_format: hh\ndataset_columns: {{prompt: q, images: null}}\n"
    )
    recipe = recipes.load(path)
    assert recipe.dataset_format == "hh"
    assert recipe.dataset_columns == {"prompt": "q", "images": None}
    other = recipes.load(path, {"dataset_name": "other.jsonl"})
    assert (other.dataset_format, other.dataset_columns) == ("auto", {})
    with pytest.raises(ValueError, match="dataset_columns: prompt is 3, but must be a column"):
        recipes.load(write(tmp_path, f"{WHOLE}dataset_columns: {{prompt: 3}}\n"))


def test_the_stand_in_tokenizer_gives_texts_back():
    tokenizer = stand_ins.tokenizer()
    text = "What is 1 plus 3?\n<|im_end|> é"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


@pytest.mark.parametrize(
    ("name", "kind"), [("gemma-7b", "GemmaForCausalLM"), ("mistral-7b", "MistralForCausalLM")]
)
def test_the_short_form_has_the_architecture_and_the_template_of_its_recipe(name, kind):
    recipe = recipes.load(FOLDER / name / "dpo-mix-7k" / "dpo.yaml")
    short = short_form.shrink(recipe)
    model, tokenizer = loading.load(short.model_name_or_path)
    assert type(model).__name__ == kind
    assert model.num_parameters() < 50_000
    chat.set_template(tokenizer, short.chat_template)
    assert tokenizer.chat_template == chat.CHATML == {"chatml": chat.CHATML}[recipe.chat_template]
    assert chat.as_prompt(tokenizer, "Why?").startswith("<bos><|im_start|>user\nWhy?<|im_end|>")
    # As the real ones: each text begins with a token of its own, which the model knows.
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id == model.config.bos_token_id
    assert tokenizer.decode(tokenizer("a b")["input_ids"], skip_special_tokens=True) == "a b"


def test_the_stand_ins_have_what_is_particular_to_their_architectures():
    gemma, mistral = (stand_ins.model(name) for name in (stand_ins.GEMMA, stand_ins.MISTRAL))
    own = gemma.config
    assert own.head_dim * own.num_attention_heads > own.hidden_size
    assert gemma.get_output_embeddings().weight is gemma.get_input_embeddings().weight
    assert mistral.config.num_key_value_heads < mistral.config.num_attention_heads
    assert mistral.get_output_embeddings().weight is not mistral.get_input_embeddings().weight
    assert stand_ins.standing_for("meta-llama/Llama-3.1-8B") == stand_ins.NAME
