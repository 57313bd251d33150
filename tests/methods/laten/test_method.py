"""LaTen on tiny pairs: which weights change, by how much, the hypernetwork's gradient, and the saved model."""

import json
from copy import deepcopy

import pytest
import torch
from helpers.models import make_architecture, make_llama
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from semalign.data.rows import batches, encode
from semalign.methods.laten.hypernetwork import Alignment, Hypernetwork, one_cycle
from semalign.methods.laten.injection import MATRICES, injected, locate, positions, teacher_vectors
from semalign.methods.laten.neurons import Scores, attribute_neurons
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.laten.useful_tokens import useful_texts
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, load_model
from semalign.training.finetuning import response_nll

FAST = {"extract_size": 3, "align_size": 6, "batch_size": 4, "neuron_share": 0.2}
LARGE = {"learning_rate": 0.01, "initial_std": 0.1, "penalty_weight": 0.1}
PAIRS = {
    "plain": ({}, {}),
    "grouped": (
        {"num_attention_heads": 4, "num_key_value_heads": 2},
        {"num_attention_heads": 6, "num_key_value_heads": 2},
    ),
    "shared head": ({"num_attention_heads": 4, "num_key_value_heads": 4}, {"num_key_value_heads": 1}),
}


@pytest.fixture(autouse=True)
def exact_norms(monkeypatch):
    """Let the norms of Llama compute in the states' own precision: they round to float32 in between."""

    def forward(norm, states):
        return norm.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    monkeypatch.setattr(LlamaRMSNorm, "forward", forward)


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pair(request, tokenizer):
    teacher, student = request.param
    return (
        LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1, **teacher), tokenizer),
        LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2, **student), tokenizer),
    )


@torch.no_grad()
def logits(model, tokenizer, text="what is 1+2?"):
    return model(torch.tensor([tokenizer(text)["input_ids"]])).logits


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model, before):
    return all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def located_neurons(pair, rows):
    scores = [attribute_neurons(Architecture(m.model), useful_texts(rows[:3], m)) for m in pair]
    return locate(Architecture(pair[0].model), scores[0], Architecture(pair[1].model), scores[1], 0.2)


@pytest.mark.slow
def test_weights_change_exactly_at_the_chosen_neurons(pair, rows):
    student = pair[1]
    before = [snapshot(m.model) for m in pair]
    changed = run_method("laten", *pair, rows, **FAST, **LARGE).model.model
    assert all(unchanged(m.model, old) for m, old in zip(pair, before, strict=True))
    assert all(
        p.grad is None and p.requires_grad for m in (*pair, LanguageModel(changed, None)) for p in m[0].parameters()
    )
    _, taken = located_neurons(pair, rows)
    config, expected = student.model.config, {}
    for path, kind, rows_change in (
        ("mlp.up_proj", "ffn", True),
        ("mlp.down_proj", "ffn", False),
        ("self_attn.v_proj", "attention", True),
        ("self_attn.o_proj", "attention", False),
    ):
        for k, chosen in zip(*taken[kind], strict=True):
            mask = torch.zeros_like(student.model.model.layers[k - 1].get_submodule(path).weight, dtype=torch.bool)
            places = set(chosen.tolist())
            if path == "self_attn.o_proj":
                group = config.num_attention_heads // config.num_key_value_heads
                places = {
                    query * config.head_dim + d % config.head_dim
                    for d in places
                    for query in range(config.num_attention_heads)
                    if query // group == d // config.head_dim
                }
            (mask if rows_change else mask.T)[sorted(places)] = True
            expected[f"model.layers.{k - 1}.{path}.weight"] = mask
    assert len(expected) == 4 * 4
    for name, tensor in changed.state_dict().items():
        mask = expected.get(name, torch.zeros_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor != before[1][name], mask), name


def test_the_changes_are_what_the_hypernetwork_gives_for_the_teachers_neurons(pair, rows):
    """The i-th ranked teacher neuron's weights, through the maps by hand, added to the i-th ranked student neuron."""
    teacher, student = pair
    given, taken = located_neurons(pair, rows)
    network = Hypernetwork(16, 12, LatenSettings(initial_std=0.3)).double()
    large, small = Architecture(teacher.model), Architecture(student.model)
    with torch.no_grad():
        new = injected(small, taken, network(teacher_vectors(large, given)))
        for name, (path, kind, axis) in MATRICES.items():
            first, second = network.maps[name][0].weight, network.maps[name][2].weight
            for i, (k_teacher, k_student) in enumerate(zip(given[kind].layers, taken[kind].layers, strict=True)):
                W_T = teacher.model.model.layers[k_teacher - 1].get_submodule(path).weight
                W_S = student.model.model.layers[k_student - 1].get_submodule(path).weight
                change = new[f"model.layers.{k_student - 1}.{path}.weight"] - W_S
                for theirs, mine in zip(given[kind].neurons[i], taken[kind].neurons[i], strict=True):
                    source = positions(large, name, theirs[None])[0]
                    vector = (W_T if axis == 0 else W_T.T)[source].mean(0)
                    delta = second @ (first @ vector).clamp(min=0)
                    for place in positions(small, name, mine[None])[0]:
                        torch.testing.assert_close((change if axis == 0 else change.T)[place], delta)


def test_layers_of_the_largest_scores_are_paired_in_order(teacher, student):
    large, small = Architecture(teacher.model), Architecture(student.model)
    neurons = torch.tensor([[3.0, 1.0, 2.0, 3.0] + [0.0] * 28] * 5)

    def scores(ffn, attention, width):
        return {
            "ffn": Scores(torch.tensor(ffn), neurons),
            "attention": Scores(torch.tensor(attention), neurons[:, :width]),
        }

    big, tiny = scores([5.0, 1, 4, 3, 2], [1.0, 2, 3, 4, 5], 16), scores([1.0, 2, 3, 4], [4.0, 3, 2, 1], 12)
    given, taken = locate(large, big, small, tiny, 0.1)
    assert given["ffn"].layers == (1, 3, 4, 5)
    assert given["attention"].layers == (2, 3, 4, 5)
    assert taken["ffn"].layers == taken["attention"].layers == (1, 2, 3, 4)
    assert given["ffn"].neurons.tolist() == [[0, 3]] * 4  # 10% of the student's 24, equal scores in order
    assert taken["attention"].neurons.tolist() == [[0]] * 4
    assert given["ffn"].neurons.shape == taken["ffn"].neurons.shape
    # a teacher with fewer layers gives all of them to the student's best
    given, taken = locate(small, tiny, large, big, 0.1)
    assert (given["ffn"].layers, taken["ffn"].layers) == ((1, 2, 3, 4), (1, 3, 4, 5))


@pytest.fixture
def alignment(pair, rows):
    teacher, student = pair
    given, taken = located_neurons(pair, rows)
    settings = LatenSettings(**{**FAST, "initial_std": 0.3, "penalty_weight": 2.0})
    return Alignment(
        Hypernetwork(16, 12, settings).double(),
        teacher_vectors(Architecture(teacher.model), given),
        Architecture(student.model),
        taken,
        encode(rows[3:9], student.tokenizer, student.context_length),
        settings,
    )


@torch.no_grad()
def literal_loss(alignment):
    """Change a copy of the student in place, run the whole of it and write out the loss."""
    deltas = alignment.hypernetwork(alignment.vectors)
    model = deepcopy(alignment.student.model)
    for name, tensor in injected(alignment.student, alignment.located, deltas).items():
        model.get_parameter(name).copy_(tensor)
    (batch,) = batches(alignment.examples, len(alignment.examples))
    logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), batch["labels"][:, 1:])
    return loss + 2.0 * sum(delta.square().mean() for delta in deltas.values())


@pytest.mark.slow
def test_the_gradient_of_the_hypernetwork_equals_finite_differences(alignment):
    terms = alignment.gradients(alignment.examples)
    assert sum(terms.values()) == pytest.approx(literal_loss(alignment).item(), rel=1e-10)
    generator, step = torch.Generator().manual_seed(0), 1e-5
    for name, parameter in alignment.hypernetwork.named_parameters():
        gradient = parameter.grad.flatten()
        assert gradient.abs().max() > 1e-5, name
        for i in [gradient.abs().argmax().item(), *torch.randint(len(gradient), (3,), generator=generator).tolist()]:
            flat, losses = parameter.data.view(-1), []
            for move in (step, -2 * step):
                flat[i] += move
                losses.append(literal_loss(alignment))
            flat[i] += step
            assert gradient[i].item() == pytest.approx(
                ((losses[0] - losses[1]) / (2 * step)).item(), rel=1e-4, abs=1e-8
            )
    assert all(parameter.grad is None for parameter in alignment.student.model.parameters())


def test_small_parts_of_a_batch_give_the_same_gradient(alignment):
    whole = alignment.gradients(alignment.examples)
    gradients = [parameter.grad.clone() for parameter in alignment.hypernetwork.parameters()]
    alignment.hypernetwork.zero_grad()
    alignment.settings = alignment.settings.model_copy(update={"micro_batch_size": 2})
    assert alignment.gradients(alignment.examples) == pytest.approx(whole)
    for parameter, gradient in zip(alignment.hypernetwork.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.slow
def test_training_lowers_the_loss_and_goes_through_the_rows_in_turn(alignment):
    seen = []
    gradients = alignment.gradients
    alignment.gradients = lambda examples: seen.extend(examples) or gradients(examples)
    alignment.settings = alignment.settings.model_copy(update={"learning_rate": 0.02, "batch_size": 3})
    alignment.steps = 12
    losses = [sum(terms.values()) for terms in alignment.run()]
    assert sum(losses[-2:]) < sum(losses[:2]) - 0.1
    ids = [example.input_ids for example in alignment.examples]
    rounds = [[ids.index(example.input_ids) for example in seen[i : i + 6]] for i in (0, 6)]
    assert [sorted(part) for part in rounds] == [[0, 1, 2, 3, 4, 5]] * 2
    assert rounds[0] != rounds[1]


def test_the_hypernetwork_has_the_published_shape():
    network = Hypernetwork(400, 300, LatenSettings())
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    assert shapes == {f"maps.{m}.{i}.weight": s for m in MATRICES for i, s in ((0, (400, 400)), (2, (300, 400)))}
    for parameter in network.parameters():
        assert parameter.std().item() == pytest.approx(1e-5, rel=0.02)
        assert abs(parameter.mean().item()) < 1e-7


@pytest.mark.parametrize("cycle", [20, 64])
def test_the_schedule_is_torchs_one_cycle(cycle):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, cycle, pct_start=0.1, final_div_factor=1)
    for step in range(cycle):
        assert one_cycle(step, cycle) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        if step < cycle - 1:
            schedule.step()


def test_the_schedule_of_a_short_cycle_starts_at_its_peak():
    assert [one_cycle(0, n) for n in (1, 2, 10)] == [1, 1, 1]  # torch's divides by zero at 10


def test_the_saved_folder_is_a_plain_model(pair, rows, tmp_path):
    result = run_method("laten", *pair, rows, output_dir=tmp_path / "run", validation=rows[:2], **FAST, **LARGE)
    folder, tokenizer = tmp_path / "run", pair[1].tokenizer
    assert result.adapter_dir == folder
    expected = logits(result.model.model, tokenizer)
    assert not torch.equal(expected, logits(pair[1].model, tokenizer))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    assert type(plain) is type(pair[1].model)
    assert unchanged(plain, result.model.model.state_dict())
    for loaded in ((plain, AutoTokenizer.from_pretrained(folder)), load_model(folder, dtype=torch.float64)):
        torch.testing.assert_close(logits(*loaded), expected, rtol=0, atol=1e-12)
    assert json.loads((folder / "record.json").read_text()) == result.record
    assert not [path for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".bin"]


def test_the_record_says_what_was_done(teacher, student, rows):
    record = run_method("laten", teacher, student, rows, validation=rows[9:], task="sums", seed=3, **FAST).record
    assert (record["method"], record["task"], record["seed"], record["n"]) == ("laten", "sums", 3, 3)
    details = record["details"]
    assert record["metric"] == "response_nll"
    assert record["value"] == details["after"]["response_nll"]
    expected = response_nll(Architecture(student.model), encode(rows[9:], student.tokenizer, student.context_length))
    assert details["before"]["response_nll"] == pytest.approx(expected)
    assert [len(losses) for losses in (record["losses"], details["layers"]["ffn"])] == [2, 4]
    assert details["neurons_each_layer"] == {"ffn": 4, "attention": 2}
    assert record["configuration"]["learning_rate"] == 3e-5
    assert details["hypernetwork_parameters"] == 4 * (16 * 16 + 16 * 12)
    assert 0 < details["delta_rms"]["up"] < 1e-6  # near zero at first, and few small steps keep it so
    plain = run_method("laten", teacher, student, rows, steps=3, **FAST).record
    assert (plain["metric"], plain["value"]) == ("training_loss", sum(plain["losses"][-1].values()))
    assert len(plain["losses"]) == 3


@pytest.mark.slow
def test_the_seed_decides(teacher, student, rows):
    def weights(**settings):
        return run_method("laten", teacher, student, rows, **FAST, **LARGE, **settings).model.model.state_dict()

    first, again, other = weights(), weights(), weights(seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_few_rows_come_again_and_the_global_random_state_is_left_alone(teacher, student, rows, caplog):
    state = torch.get_rng_state()
    record = run_method("laten", teacher, student, rows[:5], **{**FAST, "steps": 3}).record
    assert len(record["losses"]) == 3
    assert "2 rows to train on, not align_size=6" in caplog.text
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.slow
def test_tied_embeddings_and_strangers_vocabularies(student, tokenizer, rows):
    """Neurons say nothing of the vocabulary, so it may differ; tied weights stay tied."""
    tied = LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2, tie_word_embeddings=True), tokenizer)
    changed = run_method("laten", student, tied, rows, **FAST, **LARGE).model.model
    assert changed.lm_head.weight is changed.model.embed_tokens.weight
    assert torch.equal(changed.lm_head.weight, tied.model.lm_head.weight)


def test_a_teacher_of_fewer_neurons_gives_all_it_has(tokenizer, student, rows):
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 3, seed=1, intermediate_size=3), tokenizer)
    details = run_method("laten", teacher, student, rows, **FAST).record["details"]
    assert details["neurons_each_layer"]["ffn"] == 3
    assert len(details["layers"]["ffn"]) == 3


def test_bad_input_is_refused_before_any_long_work(teacher, student, rows, tokenizer, monkeypatch):
    for long_work in ("laten.method.attribute_neurons", "runner.response_nll", "laten.method.Alignment.run"):
        monkeypatch.setattr(f"semalign.methods.{long_work}", lambda *_, **__: pytest.fail("long work"))

    def refused(message, data=rows, teacher=teacher, student=student, error=ValueError, **settings):
        with pytest.raises(error, match=message):
            run_method("laten", teacher, student, data, **{**FAST, **settings})

    gpt2 = make_architecture("gpt2", n_embd=16, n_layer=2, n_head=2, vocab_size=len(tokenizer))
    refused("the teacher is a GPT2LMHeadModel", teacher=LanguageModel(gpt2, tokenizer))
    refused("the student is a GPT2LMHeadModel", student=LanguageModel(gpt2, tokenizer))
    refused("learning_rte", learning_rte=1)
    refused("3 rows leave none to train on after extract_size=3", data=rows[:3])
    refused("data set is empty", data=[])
    refused("more than the context of 64", data=[*rows[:5], {"prompt": "x", "response": "y" * 64}])
    refused("less than or equal to 1", neuron_share=1.5)
    refused("no data file", data="missing.jsonl", error=FileNotFoundError)
    refused("semalign fetch missing-model", teacher="missing-model", error=FileNotFoundError)
