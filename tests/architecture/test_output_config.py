from __future__ import annotations

import json
from typing import Any

from bot.architecture.model_config import text_section, ties_embeddings, write_json
from bot.architecture.output_config import Changes, Layer, output_config, renumbered
from tests.plan.parents import LLAMA


def moved(config: dict[str, Any], *indices: int) -> tuple[dict[str, Any], list[str]]:
    layers = [Layer(config=config, index=index) for index in indices]
    return output_config(config, Changes(dtype="bfloat16", layers=layers))


def test_the_donor_is_untouched_and_its_folder_forgotten() -> None:
    donor = {**LLAMA, "sub": {"_name_or_path": "x", "_attn_implementation_autoset": True}}
    before = json.dumps(donor)
    config, warnings = output_config(donor, Changes(dtype="float16", vocabulary=77, tied=True))
    assert json.dumps(donor) == before
    assert not warnings
    assert config["torch_dtype"] == "float16"
    assert "dtype" not in config
    assert config["vocab_size"] == 77
    assert config["tie_word_embeddings"] is True
    assert config["sub"] == {}
    assert "_name_or_path" not in config


def test_dtype_is_written_where_the_donor_wrote_it() -> None:
    config, _ = output_config({"dtype": "float32"}, Changes(dtype="bfloat16"))
    assert config == {"dtype": "bfloat16"}
    config, _ = output_config({"text_config": {"dtype": "float32"}}, Changes(dtype="bfloat16"))
    assert config == {"text_config": {"dtype": "bfloat16"}, "dtype": "bfloat16"}


def test_lists_with_one_entry_a_layer_move_with_the_layers() -> None:
    donor = {
        "num_hidden_layers": 4,
        "layer_types": ["full", "slide", "full", "slide"],
        "no_rope_layers": [1, 1, 1, 0],
        "mlp_only_layers": [0, 3],
        "eos_token_id": [1, 2, 3, 4],
        "sliding_window_pattern": 2,
    }
    config, warnings = moved(donor, 0, 1, 1, 3, 3)
    assert config["num_hidden_layers"] == 5
    assert config["layer_types"] == ["full", "slide", "slide", "slide", "slide"]
    assert config["no_rope_layers"] == [1, 1, 1, 0, 0]
    assert config["mlp_only_layers"] == [0, 3, 4]
    assert config["eos_token_id"] == [1, 2, 3, 4]
    assert not warnings


def test_a_promised_depth_beyond_all_memory_costs_nothing() -> None:
    config, _ = moved({"num_hidden_layers": 10**18, "sliding_window_pattern": 2}, 0, 1)
    assert config["num_hidden_layers"] == 2


def test_entries_come_from_the_model_that_gave_the_layer() -> None:
    one = {"num_hidden_layers": 2, "layer_types": ["a", "b"]}
    other = {"num_hidden_layers": 3, "layer_types": ["x", "y", "z"]}
    layers = [Layer(config=one, index=0), Layer(config=other, index=2)]
    config, _ = output_config(one, Changes(dtype="float32", layers=layers))
    assert config["layer_types"] == ["a", "z"]


def test_rules_by_layer_number_are_warned_about_only_when_layers_moved() -> None:
    donor = {"num_hidden_layers": 3, "max_window_layers": 2, "full_attention_interval": None}
    assert moved(donor, 0, 1, 2)[1] == []
    (warning,) = moved(donor, 0, 2)[1]
    assert warning.startswith("max_window_layers")


def test_nested_language_models() -> None:
    donor = {"model_type": "vlm", "text_config": {"n_layer": 2, "vocab_size": 9}}
    layers = [Layer(config=donor, index=index) for index in (0, 0, 1)]
    config, _ = output_config(donor, Changes(dtype="float32", layers=layers, vocabulary=12))
    assert config["text_config"] == {"n_layer": 3, "vocab_size": 12}
    assert "vocab_size" not in config
    assert text_section(config) is config["text_config"]
    assert ties_embeddings(config) is None


def test_token_ids_follow_another_vocabulary() -> None:
    old, new = {"<s>": 0, "</s>": 1, "x": 2}, {"</s>": 0, "y": 1, "<s>": 7}
    config = {
        "bos_token_id": 0,
        "eos_token_id": [1, 2],
        "pad_token_id": None,
        "vocab_size": 1,
        "text_config": {"image_token_id": 2, "decoder_start_token_id": -1},
    }
    moved_config, warnings = renumbered(config, old, new)
    assert moved_config == {
        "bos_token_id": 7,
        "eos_token_id": [0],
        "pad_token_id": None,
        "vocab_size": 1,
        "text_config": {"image_token_id": None, "decoder_start_token_id": -1},
    }
    assert len(warnings) == 2
    assert "'x'" in warnings[0]


def test_json_is_utf8_with_a_final_newline() -> None:
    assert write_json({"é": 1}) == '{\n  "é": 1\n}\n'.encode()


def test_a_model_that_says_it_has_no_layers() -> None:
    config, _ = moved({"num_hidden_layers": 0, "layer_types": []}, 0, 1)
    assert config == {"num_hidden_layers": 2, "layer_types": [], "dtype": "bfloat16"}
