"""What names tell of a tensor's part in a network."""

from __future__ import annotations

import pytest

from bot.checkpoint.tensor_roles import is_embedding, is_head, is_table


@pytest.mark.parametrize(
    ("name", "embedding", "head", "table"),
    [
        ("model.embed_tokens.weight", True, False, True),
        ("shared.weight", True, False, True),
        ("transformer.wpe.weight", False, False, True),
        ("visual.pos_embed.weight", False, False, True),
        ("vision_model.embeddings.weight", False, False, True),
        ("bert.embeddings.LayerNorm.weight", False, False, False),
        ("lm_head.weight", False, True, False),
        ("output.weight", False, True, False),
        ("output_layer.weight", False, True, False),
        ("transformer.output_layer.weight", False, True, False),
        ("layers.0.attention.output.weight", False, False, False),
        ("layers.0.mlp.output_layer.weight", False, False, False),
        ("audio_tower.output_layer.weight", False, False, False),
        ("layers.0.mlp.embedding_proj.weight", False, False, False),
    ],
)
def test_roles(name: str, *, embedding: bool, head: bool, table: bool) -> None:
    assert (is_embedding(name), is_head(name), is_table(name)) == (embedding, head, table)
