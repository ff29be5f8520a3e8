"""Make a Hugging Face directory of a small model with random weights: for protocols, not verdicts.

    python tests/local/random_model.py qwen3|mistral DIRECTORY

Needs torch, transformers and, for Mistral's own tokenizer, mistral_common: the tests run it with
the interpreter that has vLLM. "qwen3" has two layers of width 128, a tokenizer of bytes with a few
words and the markers of Qwen3's chat template. "mistral" has the same size and lies there as
Mistral's repositories do, with consolidated weights and a tokenizer of theirs, for which vLLM takes
MistralTokenizer.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    set_seed,
)

SIZE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,  # else all tokens are as likely
    "tie_word_embeddings": False,
}
MARKERS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def qwen3(folder: Path) -> None:
    """Write a small Qwen3 with a tokenizer of its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    words = "yes no true false True False question answer state correct wrong option level "
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=MARKERS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([words * 50], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.add_special_tokens({"eos_token": MARKERS[2], "pad_token": MARKERS[0]})
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    _save(Qwen3Config(vocab_size=len(fast), eos_token_id=fast.eos_token_id, **SIZE), folder)


def mistral(folder: Path) -> None:
    """Write a small Mistral beside one of the vendor's own tokenizers."""
    import mistral_common

    data = Path(mistral_common.__file__).parent / "data"
    shutil.copy(data / "mistral_instruct_tokenizer_240323.model.v3", folder / "tokenizer.model.v3")
    _save(MistralConfig(vocab_size=32768, sliding_window=None, **SIZE), folder)
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")


def _save(config: Qwen3Config | MistralConfig, folder: Path) -> None:
    set_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


if __name__ == "__main__":
    place = Path(sys.argv[2])
    place.mkdir(parents=True, exist_ok=True)
    {"qwen3": qwen3, "mistral": mistral}[sys.argv[1]](place)
