"""Recipes in the shapes that people publish, written for these tests."""

from __future__ import annotations

EXAMPLES = {
    "linear": """
        models:
          - model: acme/llama-chat
            parameters:
              weight: 0.6
          - model: acme/llama-code
            parameters:
              weight: 0.4
        merge_method: linear
        dtype: float16
        """,
    "slerp with filters and gradients": """
        slices:
          - sources:
              - model: acme/mistral-a
                layer_range: [0, 32]
              - model: acme/mistral-b
                layer_range: [0, 32]
        merge_method: slerp
        base_model: acme/mistral-a
        parameters:
          t:
            - filter: self_attn
              value: [0, 0.5, 0.3, 0.7, 1]
            - filter: mlp
              value: [1, 0.5, 0.7, 0.3, 0]
            - value: 0.5
        dtype: bfloat16
        """,
    "slerp of whole models": """
        merge_method: slerp
        base_model: acme/mistral-a
        models:
          - model: acme/mistral-a
          - model: acme/mistral-b
        parameters: {t: [0, 0.25, 1e-3]}
        """,
    "ties": """
        # the base stands in the list without parameters, as many published recipes have it
        models:
          - model: acme/base
          - model: acme/chat
            parameters:
              density: 0.5
              weight: 0.5
          - model: acme/math
            parameters:
              density: [1, 0.7, 0.1]
              weight:
                - filter: mlp
                  value: 0.5
                - value: 0
        merge_method: ties
        base_model: acme/base
        parameters:
          normalize: true
          int8_mask: true
        dtype: float16
        """,
    "dare_ties with one default for all": """
        merge_method: dare_ties
        base_model: acme/base
        models: [{model: acme/chat}, {model: acme/math, parameters: {weight: 0.2}}]
        parameters: {weight: 0.5, density: 0.53, int8_mask: true, lambda: 1.1}
        out_dtype: torch.bfloat16
        tokenizer_source: base
        """,
    "frankenmerge": """
        slices:
          - sources: [{model: acme/big, layer_range: [0, 16]}]
          - sources:
              - model: acme/other
                layer_range: [8, 24]
                parameters:
                  scale:
                    - filter: o_proj
                      value: 0.0
                    - value: 1.0
          - sources: [{model: acme/big, layer_range: [16, 32]}]
        merge_method: passthrough
        dtype: bfloat16
        """,
    "model_stock": """
        models:
          - model: acme/one
          - model: acme/two
          - model: acme/three
        merge_method: model_stock
        base_model: acme/base@v1.0
        dtype: bfloat16
        """,
    "union of tokenizers": """
        merge_method: linear
        models:
          - {model: acme/chat, parameters: {weight: 1.0}}
          - {model: acme/code, parameters: {weight: 1.0}}
        tokenizer:
          source: union
          pad_to_multiple_of: 64
          tokens:
            "<|im_start|>": {source: acme/chat}
            "<|im_end|>":
              source: {kind: model_token, model: acme/chat, token: "</s>"}
              force: true
            "<pad>": {source: {kind: zero}}
            "<x>": {source: {kind: model_token, model: acme/code, token_id: 0}}
        chat_template: chatml
        """,
    "adapters and revisions": """
        merge_method: task_arithmetic
        base_model: acme/base@abc123
        models:
          - model: acme/base@abc123+acme/adapter@v2
            parameters: {weight: 1}
          - model: {model: {path: ./runs/a+b, revision: null}, lora: ./adapters/x@1}
            parameters: {weight: -0.5}
          - model: ../models/third
            parameters: {weight: 0x1}
        """.replace("./adapters/x@1", "{path: ./adapters/x@1}"),
    "our own block": """
        name: chat-and-math.v2
        description: |
          Two lines
          about it.
        license: apache-2.0
        authors: [Ada, "Grace H."]
        tags: [maths, "domain: chat"]
        seed: 17
        suites: [skills, quick]
        merge_method: linear
        models: [{model: a/b, parameters: {weight: 1}}, {model: c/d, parameters: {weight: 1.0}}]
        chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}"
        """,
    "absent written as null": """
        merge_method: linear
        models: [{model: a/b, parameters: {weight: 1}}]
        base_model: null
        parameters:
        dtype: ~
        slices: null
        """,
}
