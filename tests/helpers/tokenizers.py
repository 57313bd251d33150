"""Small tokenizers of every kind that models have, trained on a few lines."""

from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

LINES = [
    "A: hello there, hello again.",
    'print("hi") if x else print("unable")',
    "The answer is 12. Question: what is 7 + 5?",
    "un able unable undo do done don't\n\treturn x",
    "é è ü straße 日本語 hello world.",
]
SPECIAL = ["<unk>", "<s>", "</s>", "<|user|>", "<|end|>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
STEPS = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
KINDS = (
    *("metaspace-always", "metaspace-first", "metaspace-never", "unigram-always", "unigram-first"),
    *("llama-legacy", "byte-level", "byte-level-prefix", "word-piece", "lower-case", "characters"),
)


@cache
def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer that adds BOS, of one of :data:`KINDS`."""
    tokenizer, trainer = _parts(kind)
    tokenizer.train_from_iterator(LINES, trainer)
    bos = tokenizer.token_to_id("<s>")
    template = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", bos)])
    tokenizer.post_processor = template
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=True,
    )


def _parts(kind: str) -> tuple[Tokenizer, trainers.Trainer]:
    name, _, scheme = kind.partition("-")
    bpe = {"special_tokens": SPECIAL, "vocab_size": 420, "show_progress": False}
    if name in ("metaspace", "unigram"):
        if name == "metaspace":  # BPE with byte fallback, like Llama and Gemma
            tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
            trainer = trainers.BpeTrainer(**{**bpe, "special_tokens": [*SPECIAL, *BYTES]})
        else:  # like T5 and XLM-R
            tokenizer = Tokenizer(models.Unigram())
            tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
            trainer = trainers.UnigramTrainer(
                vocab_size=120, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
            )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=name == "unigram")
        steps = STEPS[: 3 if scheme == "never" else 4]
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme) if name == "unigram" else decoders.Sequence(steps)
    elif name == "llama":  # the first version's: a normaliser writes the prefix
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence(STEPS)
        trainer = trainers.BpeTrainer(**{**bpe, "special_tokens": [*SPECIAL, *BYTES]})
    elif name == "byte":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind.endswith("prefix"))
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(**bpe, initial_alphabet=sorted(alphabet))
    elif name in ("word", "lower"):  # like BERT
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        if name == "lower":
            tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece(cleanup=False)
        trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIAL, show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        tokenizer.decoder = decoders.Fuse()
        trainer = trainers.BpeTrainer(**bpe)
    return tokenizer, trainer
