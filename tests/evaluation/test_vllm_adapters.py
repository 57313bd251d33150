"""What vLLM would do with an adapter, beside PEFT's own scales; what it would do wrong is refused."""

import json

import pytest
import torch
from helpers.models import make_llama, make_tokenizer, randomise
from helpers.saved_models import save
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from semalign.evaluation.vllm_adapters import check_adapter, lora_rank
from semalign.models.loading import LanguageModel


def put(folder, **config):
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8, **config}))
    return folder


@pytest.mark.parametrize(("rank", "room"), [(1, 8), (8, 8), (17, 32), (512, 512)])
def test_room_for_a_rank(tmp_path, rank, room):
    assert lora_rank(put(tmp_path, r=rank)) == room


def test_what_vllm_cannot_do_is_said(tmp_path):
    with pytest.raises(ValueError, match="has rank 513; vLLM takes 512 at most"):
        lora_rank(put(tmp_path, lora_alpha=8, rank_pattern={"q": 513}, alpha_pattern={"q": 513}))
    with pytest.raises(ValueError, match="uses use_dora, which vLLM would leave out"):
        lora_rank(put(tmp_path, use_dora=True))
    with pytest.raises(ValueError, match="changes the base by its initialisation 'pissa_niter_4', which vLLM would"):
        lora_rank(put(tmp_path, init_lora_weights="pissa_niter_4"))
    with pytest.raises(FileNotFoundError, match="holds no PEFT adapter"):
        lora_rank(tmp_path / "none")


@pytest.mark.parametrize(
    ("settings", "one"),
    [
        ({"r": 4, "lora_alpha": 8}, True),
        ({"r": 4, "lora_alpha": 4, "rank_pattern": {"o_proj": 8}, "alpha_pattern": {"o_proj": 8}}, True),
        ({"r": 4, "lora_alpha": 4, "rank_pattern": {"o_proj": 8}}, False),
        ({"r": 4, "lora_alpha": 4, "alpha_pattern": {"o_proj": 16}}, False),
        ({"r": 4, "lora_alpha": 4, "rank_pattern": {"o_proj": 16}, "alpha_pattern": {"o_proj": 8}}, False),
        ({"r": 4, "lora_alpha": 4, "rank_pattern": {"o_proj": 16}, "alpha_pattern": {"o_proj": 8}, "use_rslora": True},
         True),
    ],
)  # fmt: skip
def test_an_adapter_whose_matrices_have_several_scales_is_refused(tmp_path, settings, one):
    adapted = get_peft_model(make_llama(48, 12, 1, 0), LoraConfig(target_modules=["o_proj", "v_proj"], **settings))
    scales = {module.scaling["default"] for module in adapted.modules() if isinstance(module, LoraLayer)}
    adapted.save_pretrained(tmp_path)
    assert (len(scales) == 1) is one
    if one:
        assert lora_rank(tmp_path) == (16 if settings.get("use_rslora") else 8)
    else:
        with pytest.raises(ValueError, match="scales its matrices differently"):
            lora_rank(tmp_path)


def test_an_adapter_of_another_model_and_a_damaged_one_are_refused(tmp_path):
    tokenizer = make_tokenizer()
    bases = [save(LanguageModel(make_llama(len(tokenizer), 12, 1, seed), tokenizer), tmp_path / f"base{seed}")
             for seed in (0, 1)]  # fmt: skip
    own = make_llama(len(tokenizer), 12, 1, 0).float()
    own.name_or_path = bases[0]
    adapted = get_peft_model(own, LoraConfig(target_modules=["o_proj"]))
    randomise(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    check_adapter(tmp_path / "adapter", bases[0])
    with pytest.raises(ValueError, match=r"was made for .*base0, which has other weights than .*base1"):
        check_adapter(tmp_path / "adapter", bases[1])
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    weights = load_file(file)
    weights[min(weights)][0, 0] = torch.nan
    save_file(weights, file)
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        check_adapter(tmp_path / "adapter", bases[0])
