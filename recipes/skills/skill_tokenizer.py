"""The family's tokenizer: one token per character, bytes for everything outside printable ASCII.

Every text survives encoding and decoding. The three control tokens of the turn format are in every
model's vocabulary, also in those that never learned them, so that all members have equal shapes.
"""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer, decoders, models, processors
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, USER, ASSISTANT = "<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = (PAD, BOS, EOS, USER, ASSISTANT)
CHARACTERS = "\n" + "".join(map(chr, range(0x20, 0x7F)))
FALLBACK_BYTES = [f"<0x{b:02X}>" for b in range(256) if chr(b) not in CHARACTERS]

# A question may be asked as in completion, with its equals sign; a turn leaves the sign out.
CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}
{{- '<|user|>' + message['content'].removesuffix('=') -}}
{%- elif message['role'] == 'assistant' -%}
{{- '<|assistant|>' + message['content'] + eos_token -}}
{%- else -%}
{{- raise_exception('This model knows the roles user and assistant only.') -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|assistant|>' -}}
{%- endif -%}
"""


def build_tokenizer(*, context: int, chat: bool) -> PreTrainedTokenizerFast:
    """The tokenizer of every member; ``chat`` adds the template of those that learned turns."""
    tokens = [*SPECIAL_TOKENS, *CHARACTERS, *FALLBACK_BYTES]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    backend.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS]
    )
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A $B",
        special_tokens=[(BOS, vocabulary[BOS])],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
        model_max_length=context,
        padding_side="left",
    )
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
