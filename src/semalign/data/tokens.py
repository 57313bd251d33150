"""Text to token ids, in one way for training, evaluation and analyses."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedTokenizerBase

PROBES = ("a", "0", ".", "\n")  # texts that show what a tokenizer adds to a text; it may lack a token for some
# Texts in front of a response that keep its tokens apart: a tokenizer joins it to few of them, if to any.
LEADS = ("", "\n", ".", "0", "x", "Q", "|", ")", "\t", "~", "é", "字")


class Tokens(NamedTuple):
    """Token ids, and the character of the text at which each token ends (-1 where the tokenizer cannot tell)."""

    ids: list[int]
    ends: list[int]

    def __add__(self, other: "Tokens") -> "Tokens":  # type: ignore[override]
        """Return both, one after the other."""
        return Tokens(self.ids + other.ids, self.ends + other.ends)

    def after(self, n: int, shift: int = 0) -> "Tokens":
        """Return all but the first ``n`` tokens, their ends moved by ``shift`` characters."""
        return Tokens(self.ids[n:], [end if end < 0 else end + shift for end in self.ends[n:]])


class Encoder:
    """What a tokenizer makes of a prompt, and of a response that continues it.

    The tokenizer's own first tokens, mostly the beginning-of-sequence token (BOS), come once: where the text begins
    with them, as one from a chat template does, no more are added. Nothing is added at the end.

    Args:
        tokenizer: any tokenizer, with or without offsets.
        vocabulary: number of rows of the model's embeddings; a token without one is a ``ValueError``. None: unknown.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", vocabulary: int | None = None) -> None:
        self.tokenizer, self.vocabulary = tokenizer, vocabulary
        self.first = _first_tokens(tokenizer)

    def body(self, text: str) -> Tokens:
        """Return the tokens of a text alone."""
        ids, ends = self._tokens(text)
        if max(ends[:1], default=0) > 0 and not self.decode(ids[:1]):  # SentencePiece's prefix stands for no character
            ends[0] = 0
        return Tokens(ids, ends)

    def _tokens(self, text: str) -> Tokens:
        fast = self.tokenizer.is_fast
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast)
        ids = list(found["input_ids"])
        return Tokens(ids, [end for _, end in found["offset_mapping"]] if fast else [-1] * len(ids))

    def prompt(self, text: str) -> Tokens:
        """Return the tokens with which generation from a text begins."""
        return self._checked(self._begun(self.body(text)))

    def pair(self, prompt: str, response: str) -> tuple[Tokens, Tokens]:
        """Return the tokens of a prompt, as generation meets them, and those of the response after it.

        The response has the tokens of the whole text if they begin with those of the prompt. Where one token would
        cross the boundary, the response is encoded apart, such that prompt and response decode to the text.

        Raises:
            ValueError: if no encoding of the response does so.
        """
        start, whole = self.body(prompt), self.body(prompt + response)
        rest = _rest(start, whole, len(prompt), len(prompt))
        if rest is None:
            rest = self._continuation(start, whole, prompt, response)
        n = len(self.first.ids)
        if not start.ids and rest.ids[:n] == self.first.ids:  # an empty prompt, and a response that begins with BOS
            return self.first, self._checked(rest.after(n))
        return self._checked(self._begun(start)), self._checked(rest)

    def ended(self, tokens: Tokens, end: int) -> Tokens:
        """Return tokens with the end-of-sequence token, which ends at ``end``, unless they have it or there is none."""
        last = [token for token in [self.tokenizer.eos_token_id] if token is not None]
        return tokens if tokens.ids[-1:] == last or not last else self._checked(tokens + Tokens(last, [end]))

    def decode(self, ids: list[int]) -> str:
        """Return the text of token ids, special tokens included."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _begun(self, body: Tokens) -> Tokens:
        return body if body.ids[: len(self.first.ids)] == self.first.ids else self.first + body

    def _checked(self, tokens: Tokens) -> Tokens:
        if self.vocabulary is not None and (largest := max(tokens.ids, default=-1)) >= self.vocabulary:
            raise ValueError(
                f"token {largest} ({self.tokenizer.convert_ids_to_tokens(largest)!r}) has no embedding: the model has "
                f"{self.vocabulary}; load the model with its own tokenizer"
            )
        return tokens

    def _continuation(self, start: Tokens, whole: Tokens, prompt: str, response: str) -> Tokens:
        found = [tokens for lead in LEADS if (tokens := self._after(lead, prompt, response)) is not None]
        texts = [self.decode(start.ids + tokens.ids) for tokens in found]
        wanted = self.decode(whole.ids)
        for tokens, text in zip(found, texts, strict=True):
            if text in (wanted, prompt + response):
                return tokens
        for tokens, text in zip(found, texts, strict=True):
            if self.decode(self.body(text).ids) == wanted:  # the same but for what the tokenizer makes equal
                return tokens
        raise ValueError(
            f"this tokenizer joins the end of the prompt, {prompt[-20:]!r}, and the beginning of the response, "
            f"{response[:20]!r}: move the boundary, for example to a space"
        )

    def _after(self, lead: str, prompt: str, response: str) -> Tokens | None:
        """Return the tokens of a response as they are after some text, None where the two have a token in common."""
        return _rest(self._tokens(lead), self._tokens(lead + response), len(lead), len(prompt))


def _rest(start: Tokens, whole: Tokens, boundary: int, shift: int) -> Tokens | None:
    """Return the tokens of a text after those of its beginning, None if the text does not begin with them.

    Args:
        start: the tokens of the beginning.
        whole: the tokens of the text.
        boundary: the character at which the beginning ends.
        shift: where the text after the beginning is to start, for the ends.
    """
    n = len(start.ids)
    crosses = n > 0 and whole.ends[n - 1 : n] > [boundary]  # one unknown token may stand for both sides
    return None if crosses or whole.ids[:n] != start.ids else whole.after(n, shift - boundary)


def _first_tokens(tokenizer: "PreTrainedTokenizerBase") -> Tokens:
    """Return the tokens that a tokenizer puts in front of any text, which end before its first character."""
    for probe in PROBES:
        alone, whole = (list(tokenizer(probe, add_special_tokens=special)["input_ids"]) for special in (False, True))
        for n in range(len(whole) - len(alone) + 1):
            if alone and whole[n : n + len(alone)] == alone:
                return Tokens(whole[:n], [0] * n)
    return Tokens([], [])
