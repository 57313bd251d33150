import pytest
import torch

from semalign.micro import training
from semalign.micro.pretrain import new_model
from semalign.micro.recipe import Shape, Stage, Training

SHAPE = Shape(layers=1, hidden=16, intermediate=16, heads=2)
TRAINING = Training(
    row_length=33, batch_rows=4, micro_batch_rows=2, warmup_steps=2, final_learning_rate=0.1,
    matrix_learning_rate=0.02, vector_learning_rate=0.01, momentum=0.9, weight_decay=0.0, checkpoint_steps=3,
)  # fmt: skip
STAGE = Stage(tokens=8 * TRAINING.tokens_per_step, mixture={"mmlu": 1.0}, prompt_weight=0.5)


def test_learning_rate_rises_then_falls():
    factors = [training.learning_rate_factor(step, 10, 2, 0.1) for step in range(11)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[6] == pytest.approx(0.55)
    assert factors[10] == pytest.approx(0.1)


@pytest.mark.slow
def test_loss_falls_and_a_resumed_run_ends_like_an_uninterrupted_one(tokenizer, tmp_path):
    whole = new_model(SHAPE, tokenizer, 0)
    losses = training.train(whole, tokenizer, TRAINING, STAGE, seed=0)
    assert len(losses) == 8
    assert losses[-1] < losses[0]

    broken = new_model(SHAPE, tokenizer, 0)
    calls = 0

    def failing(*arguments):
        nonlocal calls
        calls += 1
        if calls > 10:  # in the sixth step, after the checkpoint of the third
            raise KeyboardInterrupt
        return loss_function(*arguments)

    loss_function = training.next_token_loss
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "next_token_loss", failing)
        training.train(broken, tokenizer, TRAINING, STAGE, 0, tmp_path / "state")
    resumed = new_model(SHAPE, tokenizer, 1)
    assert training.train(resumed, tokenizer, TRAINING, STAGE, 0, tmp_path / "state") == losses
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_weights_choose_the_tokens_that_count(tokenizer):
    model = new_model(SHAPE, tokenizer, 0)
    rows = torch.tensor([[5, 6, 7, 8]])
    first = training.next_token_loss(model, rows[:, :2], torch.ones(1, 2))
    chosen = training.next_token_loss(model, rows, torch.tensor([[1.0, 1.0, 0.0, 0.0]]))
    assert chosen.item() == pytest.approx(first.item(), abs=0.02)  # bfloat16 sums in another order


def test_muon_gets_the_layers_matrices_and_adamw_the_rest(tokenizer):
    model = new_model(SHAPE, tokenizer, 0)
    muon, adamw = training.optimizers(model, TRAINING, scale=0.5)
    assert len(muon.param_groups[0]["params"]) == 7
    assert len(adamw.param_groups[0]["params"]) == 5
    assert muon.param_groups[0]["lr"] == pytest.approx(0.01)


def test_no_optimizer_gets_a_frozen_parameter(tokenizer):
    model = new_model(SHAPE, tokenizer, 0)
    model.lm_head.weight.requires_grad_(False)
    chosen = training.optimizers(model, TRAINING, scale=0.5)
    held = [parameter for optimizer in chosen for parameter in optimizer.param_groups[0]["params"]]
    assert len(held) == 11 and not any(parameter is model.lm_head.weight for parameter in held)
