"""What the tokens of a tokenizer stand for: the bytes of a text, or a role. Atoms of two models match by this.

Token strings of different families do not compare: `` the`` is ``▁the`` in a SentencePiece vocabulary and ``Ġthe`` in
a byte-level one, where ``é`` is a byte and not the letter. The tokenizer's own description of decoding says what its
strings mean.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

ROLES = ("eos", "bos", "unk", "pad", "mask", "sep", "cls")  # a token with several has the first of them
METASPACE = "▁"

_BYTE_OF = {character: byte for byte, character in bytes_to_unicode().items()}
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenNames(NamedTuple):
    """The tokens of a tokenizer in the order of their ids.

    Attributes:
        token_ids: ids that tokens use; there may be gaps.
        tokens: token strings.
        keys: what the tokens stand for (:func:`token_keys`), or None if the tokenizer does not say.
    """

    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    keys: tuple[str, ...] | None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, size: int) -> "TokenNames":
        """Return the names of the tokens with an id below ``size``, the number of rows of a model's head."""
        # A slow tokenizer names an unused id after its unknown token, so that only its vocabulary tells.
        used = range(size) if tokenizer.is_fast else sorted(i for i in set(tokenizer.get_vocab().values()) if i < size)
        strings = tokenizer.convert_ids_to_tokens(list(used))
        tokens = {i: string for i, string in zip(used, strings, strict=True) if string is not None}
        keys = token_keys(tokenizer, tokens)
        return cls(tuple(tokens), tuple(tokens.values()), None if keys is None else tuple(keys[i] for i in tokens))


def token_keys(tokenizer: PreTrainedTokenizerBase, tokens: Mapping[int, str]) -> dict[int, str] | None:
    """Return what each token stands for, under one of these names; None if the tokenizer does not say.

    - ``text:HEX``: the bytes of text between other tokens, such as ``text:20746865`` for " the". A byte of an
      unfinished character is one byte, so that it matches only such a byte.
    - ``byte:HEX``: a fallback byte ``<0x..>`` whose text another token stands for, so that texts do not have it.
    - ``role:ROLE``: a special token with one of :data:`ROLES`.
    - ``special:STRING``: any other special token.

    Args:
        tokenizer: a fast tokenizer, whose description tells the steps of its decoder, or a slow one of SentencePiece.
        tokens: token strings by id.
    """
    decoding = _decoding(tokenizer)
    if decoding is None:
        return None
    added = tokenizer.added_tokens_decoder
    special = _special(tokenizer)
    texts = {i: decoding.text(token, added=i in added) for i, token in tokens.items() if i not in special}
    fallback = {i for i in texts if i not in added and decoding.is_byte_token(tokens[i])}
    whole = {text for i, text in texts.items() if i not in fallback}
    kinds = {i: "byte" if i in fallback and text in whole else "text" for i, text in texts.items()}
    return {i: special.get(i) or f"{kinds[i]}:{texts[i].hex()}" for i in tokens}


def _special(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Return the keys of special tokens by id."""
    flagged = {i: token.content for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    named = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
    keys = {i: f"special:{content}" for i, content in {**flagged, **named}.items()}
    roles = {getattr(tokenizer, f"{role}_token_id", None): f"role:{role}" for role in reversed(ROLES)}
    return {**keys, **{i: role for i, role in roles.items() if i is not None}}


@dataclass(frozen=True)
class _Decoding:
    """What the steps of a decoder do with one token between others."""

    byte_level: bool = False
    byte_fallback: bool = False
    replaced: tuple[tuple[str, str], ...] = ()

    def text(self, token: str, *, added: bool) -> bytes:
        """Return the bytes of a token; an added token is not written in bytes."""
        if self.byte_level and not added and all(character in _BYTE_OF for character in token):
            return bytes(_BYTE_OF[character] for character in token)
        if not added and self.is_byte_token(token):
            return bytes.fromhex(token[3:5])
        for old, new in self.replaced:
            token = token.replace(old, new)
        return token.encode("utf-8", "surrogatepass")

    def is_byte_token(self, token: str) -> bool:
        """Return whether a token string is that of a fallback byte."""
        return self.byte_fallback and _BYTE_TOKEN.fullmatch(token) is not None


def _decoding(tokenizer: Any) -> _Decoding | None:
    """Return the decoding of a tokenizer, or None for one with a step that is not of these families."""
    if not tokenizer.is_fast:
        sentence_piece = getattr(tokenizer, "sp_model", None) is not None
        return _Decoding(byte_fallback=True, replaced=((METASPACE, " "),)) if sentence_piece else None
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    decoder = described["decoder"]
    if decoder is None:
        return None
    steps = decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]
    kinds = [step["type"] for step in steps]
    replaced = [_replacement(step) for step in steps if step["type"] in ("Metaspace", "Replace")]
    # What comes after Fuse, such as Strip, sees whole texts and no token.
    known = {"ByteLevel", "Metaspace", "Replace", "ByteFallback"}
    if not known.issuperset(kinds[: kinds.index("Fuse")] if "Fuse" in kinds else kinds) or None in replaced:
        return None
    fallback = "ByteFallback" in kinds or bool(described["model"].get("byte_fallback"))
    return _Decoding("ByteLevel" in kinds, fallback, tuple(pair for pair in replaced if pair is not None))


def _replacement(step: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what a step replaces by what, or None if it is a regular expression."""
    if step["type"] == "Metaspace":
        return step["replacement"], " "
    return (step["pattern"]["String"], step["content"]) if "String" in step["pattern"] else None
