"""Mistakes at the top level of a recipe: recipe (wrong at the arrow), message, hint."""

from __future__ import annotations

from tests.recipe.support import LINEAR, TIES

TOP = {
    "unknown key": (LINEAR + "→dtpye: float32\n", "unknown key `dtpye`", "did you mean `dtype`?"),
    "far key": (LINEAR + "→zzz: 1\n", "unknown key `zzz`", "keys: merge_method"),
    "no method": ("→models: [{model: a/b}]\n", "missing key `merge_method`", "linear, "),
    "empty method": ("merge_method:→\nmodels: []\n", "missing key `merge_method`", "choose"),
    "method number": ("merge_method: →3\nmodels: []\n", "must be the name", "methods:"),
    "unknown method": ("merge_method: →tise\nmodels: []\n", "`tise`", "did you mean `ties`?"),
    "no models": ("→merge_method: linear\n", "`models` or `slices` is missing", "- model:"),
    "both": (
        LINEAR
        + "parameters: {weight: 1}\n→slices: [{sources: [{model: a/b, layer_range: [0, 1]}]}]\n",
        "exclude each other",
        "keep `models`",
    ),
    "models text": ("merge_method: linear\nmodels: →a/b\n", "`models` must be a list", "- item"),
    "dtype": (LINEAR + "dtype: →bf16\n", "unknown dtype `bf16`", "did you mean `bfloat16`?"),
    "dtype int": (LINEAR + "dtype: →int64\n", "unknown dtype `int64`", "dtypes: bfloat16"),
    "dtype number": (LINEAR + "out_dtype: →16\n", "`out_dtype` must be text", "quotes"),
    "base list": (LINEAR + "base_model: →[a/b]\n", "expected a model", "org/name"),
    "no base": (
        TIES.replace("merge_method: ties\nbase_model: o/base", "merge_method: →ties"),
        "ties needs a `base_model`",
        "add `base_model",
    ),
    "modules": ("merge_method: linear\n→modules: {}\n", "`modules` is refused", "top level"),
    "remote code": (LINEAR + "→trust_remote_code: true\n", "refused", "never runs"),
    "seed flag": (LINEAR + "→random_seed: 1\n", "command line", "`seed`"),
    "architecture": (LINEAR + "→override_architecture: X\n", "refused", "config.json"),
    "parameter beside": (LINEAR + "→normalize: true\n", "unknown key", "under `parameters:`"),
    "parameters list": (LINEAR + "parameters: →[1]\n", "must be a mapping", "name: value"),
    "two tokenizers": (
        LINEAR + "→tokenizer_source: base\ntokenizer: {source: base}\n",
        "exclude each other",
        "keep `tokenizer`",
    ),
    "tokenizer word": (LINEAR + "tokenizer_source: →unoin\n", "`unoin`", "did you mean `union`?"),
    "tokenizer key": (LINEAR + "tokenizer: {→sorce: base}\n", "`sorce`", "did you mean `source`?"),
    "tokenizer pad": (LINEAR + "tokenizer: {pad_to_multiple_of: →0}\n", "[1, 65536]", "choose"),
    "token kind": (LINEAR + "tokenizer: {tokens: {a: {source: {kind: →nul}}}}\n", "`zero`", "kind"),
    "token model": (
        LINEAR + "tokenizer: {tokens: {a: {source: →{kind: model_token, token: b}}}}\n",
        "needs `model`",
        "model: org/name",
    ),
    "token twice": (
        LINEAR + "tokenizer: {tokens: {a: {source: "
        "→{kind: model_token, model: a/b, token: b, token_id: 1}}}}\n",
        "exactly one",
        "token_id",
    ),
    "token id": (
        LINEAR + "tokenizer: {tokens: {a: {source: "
        "{kind: model_token, model: a/b, token_id: →-1}}}}\n",
        "`token_id` must lie in",
        "choose",
    ),
    "token force": (LINEAR + "tokenizer: {tokens: {a: {force: →yes}}}\n", "`force`", "true"),
    "template": (
        LINEAR + "chat_template: →chatlm\n",
        "not a chat template",
        "did you mean `chatml`?",
    ),
    "name": (LINEAR + "name: →'a b'\n", "`name` `a b`", "letters"),
    "name path": (LINEAR + "name: →../x\n", "`name`", "letters"),
    "name hub": (LINEAR + "name: →a..b\n", "cannot be a repository", "avoid"),
    "name lines": (LINEAR + 'name: →"a\\nlicense: mit"\n', "one line", "line breaks"),
    "long": (LINEAR + f"description: →{'x' * 2001}\n", "2,001 characters", "shorten"),
    "authors": (LINEAR + "authors: →Ada\n", "must be a list", "- item"),
    "author line": (LINEAR + 'authors: [→"a\\nb"]\n', "one line", "line breaks"),
    "tags": (LINEAR + f"tags: →[{', '.join(f't{i}' for i in range(21))}]\n", "21 items", "shorten"),
    "tag twice": (LINEAR + "tags: [a, →a]\n", "is listed twice", "keep one"),
    "tag odd": (LINEAR + "tags: [→'<b>']\n", "`<b>`", "letters"),
    "suite": (LINEAR + "suites: [→'../evil']\n", "not allowed", "letters"),
    "license": (LINEAR + "license: →'MIT; x'\n", "not allowed", "apache-2.0"),
    "license empty": (LINEAR + "license: →''\n", "is empty", "remove"),
    "seed": (LINEAR + "seed: →-1\n", "`seed` must lie in", "choose"),
    "seed text": (LINEAR + "seed: →one\n", "whole number", "digits"),
    "seed true": (LINEAR + "seed: →true\n", "whole number", "digits"),
}
