"""Writes a random llama model of half a megabyte, the same bytes every time: tiny_gguf.py FILE.

Its tokens are bytes, and it answers in printable characters.
"""

import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 64, 2, 4, 128, 2048
SPECIAL = ["<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>", "<|system|>"]
CHAT = "{% for m in messages %}<|{{m.role}}|>{{m.content}}{% endfor %}<|assistant|>"


def characters() -> list[str]:
    """The character that stands for each byte, as GPT-2 has it."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = iter(range(256, 512))
    return [chr(byte if byte in shown else next(hidden)) for byte in range(256)]


def main(path: str) -> None:
    random = np.random.default_rng(0)
    # An empty list of merges would be left out of the file: one is needed.
    tokens = [*characters(), *SPECIAL, "th"]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL]
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("default")
    file.add_token_list(tokens)
    file.add_token_types(kinds)
    file.add_token_merges(["t h"])
    file.add_bos_token_id(256)
    file.add_eos_token_id(257)
    file.add_add_bos_token(False)
    file.add_chat_template(CHAT)

    def matrix(name: str, *shape: int, scale: float = 0.2) -> None:
        file.add_tensor(name, (random.standard_normal(shape) * scale).astype(np.float32))

    def norm(name: str) -> None:
        file.add_tensor(name, np.ones(WIDTH, np.float32))

    matrix("token_embd.weight", len(tokens), WIDTH, scale=1.0)
    for layer in range(LAYERS):
        norm(f"blk.{layer}.attn_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        norm(f"blk.{layer}.ffn_norm.weight")
        matrix(f"blk.{layer}.ffn_gate.weight", HIDDEN, WIDTH)
        matrix(f"blk.{layer}.ffn_up.weight", HIDDEN, WIDTH)
        matrix(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN)
    norm("output_norm.weight")
    output = random.standard_normal((len(tokens), WIDTH)).astype(np.float32)
    output[[*range(32), *range(127, 256), *range(257, 261)]] = 0  # printable ASCII only
    file.add_tensor("output.weight", output)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    main(sys.argv[1])
