"""A stand-in for lm-eval's class of vLLM models, which needs vLLM."""

from types import SimpleNamespace

from lm_eval.api.model import TemplateLM

from helpers.models import make_tokenizer

MODULE = "lm_eval.models.vllm_causallms"


class StandIn(TemplateLM):
    """Says " #### 3" to everything."""

    made: list[dict] = []  # noqa: RUF012
    stopped = 0
    loglikelihood_rolling = _loglikelihood_tokens = None
    eot_token_id, max_length = 0, 4096
    tokenizer = make_tokenizer()

    def __init__(self, **given):
        super().__init__()
        self.made.append(given)
        self.model = SimpleNamespace(llm_engine=SimpleNamespace(engine_core=SimpleNamespace(shutdown=self.stop)))

    def stop(self):
        StandIn.stopped += 1

    def tok_encode(self, string, add_special_tokens=None, **_):
        raise NotImplementedError  # ours is in front

    def generate_until(self, requests):
        return [" #### 3" for _ in requests]
