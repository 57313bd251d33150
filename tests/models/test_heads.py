"""Final norm and head of a model, kept in the cache: bases and logits are those of the whole model."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, make_architecture
from helpers.saved_models import first_bytes_changed

from semalign.bases.basis import SemanticBasis
from semalign.models.architecture import Architecture
from semalign.models.heads import head_of, keep_head, kept_head
from semalign.models.loading import LanguageModel, load_model
from semalign.models.outline import outline_of
from semalign.paths import cache_dir

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("model_type", "tied"), [("llama", False), ("llama", True), ("gemma2", True), ("gpt2", True), ("gpt_neox", False)]
)
def test_basis_folded_head_and_logits_are_those_of_the_model(model_type, tied, tokenizer, tmp_path):
    settings = {**SPECIAL.get(model_type, SMALL), "vocab_size": len(tokenizer), "tie_word_embeddings": tied}
    network = make_architecture(model_type, **settings).float()
    torch.nn.init.normal_(Architecture(network).norm.weight)
    network.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    model, outline = load_model(tmp_path / "m"), outline_of(tmp_path / "m")
    keep_head(model, "known")
    for head in (kept_head(outline, "known", CPU), head_of(outline, model)):
        assert torch.equal(Architecture(head.model).folded_head(), Architecture(model.model).folded_head())
        states = torch.randn(3, Architecture(model.model).width)
        assert torch.equal(Architecture(head.model).logits(states), Architecture(model.model).logits(states))
        ours, theirs = SemanticBasis.from_model(head), SemanticBasis.from_model(model)
        assert torch.equal(ours.vectors, theirs.vectors)
        assert (ours.tokens, ours.tied, ours.fingerprint) == (theirs.tokens, theirs.tied, theirs.fingerprint)
        assert ours.tied == tied
    meta = [name for name, p in outline.model.named_parameters() if p.device.type != "meta"]
    assert not meta  # the outline itself has no numbers


def test_a_head_that_is_not_kept_or_is_damaged_is_none(teacher, caplog):
    assert kept_head(teacher, "unknown", CPU) is None
    keep_head(teacher, "known")
    first_bytes_changed(cache_dir() / "heads" / "known.safetensors")
    assert kept_head(teacher, "known", CPU) is None and "is damaged" in caplog.text


def test_the_head_is_on_the_device_and_needs_no_gradient(teacher):
    keep_head(teacher, "known")
    found = kept_head(LanguageModel(teacher.model, teacher.tokenizer), "known", CPU)
    assert found is not None and not any(p.requires_grad for p in found.model.parameters())
    assert Architecture(found.model).device == CPU
