# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Published weights
#
# ## In short
#
# **Do the benchmarks and the transfer run on published weights, and does the student gain?**
#
# - Both run. SmolLM2-135M-Instruct was scored in the chat format of Tulu, which the prior work uses, and, in part, in its own, where no score is shown to differ.
# - In a student cut from its teacher, trained at the first layers, which attribution by magnitudes chooses, the tokens' {term}`atoms <semantic atom>` do carry meaning: permuted atoms raise the loss on {term}`held-out <held out>` rows far above the paper's map on both benchmarks. But the paper's objective lowers it by less than 2% on MBPP, where it does not count as training, so that [Claims](../claims.md) leaves this benchmark open ({numref}`tab-published-fair`), and raises it on GSM8K, the {term}`logit-preserving map`, in its one run, less ({numref}`tab-published-first`). {term}`Labels <labels>` alone at the same layer lower it on both, on MBPP about eleven times as far as the paper's objective, and so do the teacher's logits.
# - At the last layers of the same pair the paper's objective does not train the student on MBPP, though real atoms lower the loss a little and permuted ones raise it ({numref}`tab-published-fair-pairs-shown`). On GSM8K it raises the loss, permuted atoms raise it less, and the logit-preserving map raises it most ({numref}`tab-published-last`). Labels alone lower it on both, and so do the teacher's logits. Beside labels, with a smaller weight, the paper's map leaves the loss on GSM8K equal to that of labels alone within the margin, and a little above it; permuted atoms leave it a little lower than real ones do, and with the {term}`Procrustes map`, of which there is one run, it hardly differs from that of labels alone ({numref}`tab-published-last-equality`).
# - Between two families cross-entropy alone lowers the loss most. So it does, of three objectives and with one seed, in a student cut harder.
# - **What this does not show**: anything about Llama 2. All models here have a few hundred million parameters at most.
#
# :::{admonition} About this page
# - **Purpose**: run the four real benchmarks on SmolLM2-135M-Instruct {cite}`allal2025smollm2`, a model that is small enough for a CPU; transfer from it into students that are cut from it; and transfer from Gemma 3 270M to it.
# - **Cost**: about 10 seconds; all numbers are read from committed run records, and what has no record is *not run*. Making the records takes hours on two cores, and was done on a GPU for most of the first layers on GSM8K.
# - **Command**: `semalign run --only 13`; the commands that make the records are given below.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "published",
    "results/small",
    "results/small-first",
    "results/small-last",
    "results/speed",
    "results/two-families",
]

# %% tags=["hide-input"]
import json

from IPython.display import display

from semalign.book.margin import margin_text
from semalign.book.markdown import Markdown, commands
from semalign.book.page import open_page
from semalign.book.tables.pairs import equality_table, pair_table
from semalign.book.tables.paper import title
from semalign.book.tables.published import benchmark_table, engine_text, format_differences, transfer_table
from semalign.book.tables.trainings import training_lines, training_table
from semalign.book.tables.transfers import NOT_RUN

page = open_page("13_published_weights", profile, inputs)
BELOW = "the commands under the tables of Published weights"

# %%
import pandas as pd

from semalign.book.tables.published import BENCHMARKS, record_of
from semalign.paths import data_dir, results_dir
from semalign.results.records import read_record

folder = results_dir() / "small"
FORMATS = {"Tulu's": "smollm2-135m", "its own": "smollm2-135m-own-chat"}
scores = {
    chat: {task: record_of(folder / name / f"{task}.json") for task in BENCHMARKS} for chat, name in FORMATS.items()
}

# %% [markdown]
# ## The four benchmarks
#
# Each benchmark has the form that its task file fixes ([Decisions](#decisions-prompts-stops-and-extraction)): zero-shot, in Tulu's chat format, with a {term}`prefill` that begins the answer. This is the protocol of the prior work for Llama 2. This model was trained on another chat format, so the second line of each benchmark has the same questions and prefills in the format that the model's own template makes. The published figures come from its model card and are for other forms of the tasks, so they give only the rough range to expect.

# %% tags=["hide-input"]
SCORE = """# where little memory is free, add: --vllm gpu_memory_utilization=0.5
for chat in tulu model; do
  [ $chat = tulu ] && out=data/results/small/smollm2-135m || out=data/results/small/smollm2-135m-own-chat
  for task in gsm8k humaneval_greedy humaneval mbpp; do
    [ $task = humaneval ] && batch=820 || batch=256
    semalign evaluate smollm2-135m --engine vllm --vllm max_model_len=2048 --chat $chat --task $task \\
      --batch-size $batch --out $out
  done
  semalign evaluate smollm2-135m --chat $chat --task mmlu --limit 20 --batch-size 16 --out $out
done"""
card = pd.read_csv(data_dir() / "published" / "smollm2-135m-instruct.csv").set_index("task")
page.show_table(
    benchmark_table(scores, card),
    "SmolLM2-135M-Instruct on the test splits, in percent, with 95% intervals over the items (Wilson's; with 20 samples per item the bootstrap's over items, unless all items have the same share). MMLU: 20 items from each of its 57 subjects. Minutes: on one or two CPU cores, some runs at the same time as other work, including the loading of the engine.",
    "published-scores",
    command=BELOW,
    records=[
        folder / FORMATS[chat] / f"{task}.json"
        for chat, by_task in scores.items()
        for task, record in by_task.items()
        if record
    ],
    decimals=1,
)
display(commands("The records are made by", SCORE))
VERSIONS = "On GSM8K the score in Tulu's format was made by an earlier version of the task file, which took the minus of a range for a sign ([Decisions](#decisions-prompts-stops-and-extraction))."
display(
    Markdown(
        f"The model's own format minus Tulu's, in points, with 95% bootstrap intervals over the same items: {format_differences(scores)}. {VERSIONS}"
    )
)

# %% tags=["hide-input"]
if (run := results_dir() / "speed" / "backends.json").is_file():
    display(
        Markdown(
            f"MMLU was scored by transformers, which reads all four letters from one pass. Texts were generated by vLLM. "
            f"{engine_text(json.loads(run.read_text()))} (`data/results/speed/backends.json`, made by "
            f"`benchmarks/backend_speed.py`)."
        )
    )

# %% [markdown]
# ## A transfer into a student cut from its teacher, at Table 5's sizes
#
# The student is SmolLM2-135M-Instruct without five of its 30 layers, with the residual stream of the others rotated to its principal directions and cut from 576 to 540 of them, as in SliceGPT {cite}`ashkboos2024slicegpt`, but with one rotation for all layers. Teacher and student share a vocabulary and differ in depth and width. Nothing was trained after the cut, so the student has something to regain; how much was not measured, since the teacher itself was not scored on these rows. Rows, epochs and rates are those of the paper's [Table 5](../paper_settings.md), and texts have the model's own chat format. No rate, number of rows or number of epochs was chosen on data, for any entry. The layers to leave out were chosen by the loss on a few training rows of both tasks. {term}`Attribution <attribution>` pairs the first layers; on MBPP the score of the last layer is nearly as high, and the transfers into the harder cut below, whose texts have another form, get the last one there. Entries `-last`, on MBPP alone, pair the last ones, which a CPU can train in minutes. The records at the first layers were made with frozen weights in bfloat16, those of GSM8K on one H100 and those of MBPP on a CPU, and those at the last layers on a CPU, in float32. The student was made by the same commands on each machine that made records, and these students differ by rounding, so that the page [Status](../status.md) counts those of one machine at most as current. Differences are taken between records of one machine only. Scores on the first 100 test items are near zero for all, so the loss on held-out rows is what tells the entries apart: rows of GSM8K's training split that were not trained on, and all rows of MBPP's validation split, which are fewer.

# %%
from semalign.experiments.cells import cells
from semalign.experiments.profiles import load_profile
from semalign.paths import results_dir
from semalign.results.pairs import NLL, pair_differences
from semalign.results.records import read_records

milder = load_profile("small")
made = [path for cell in cells(milder) if (path := results_dir() / "small" / cell.file_name).is_file()]
runs = read_records(results_dir() / "small", [path.name for path in made])
if missing := len(list(cells(milder))) - len(made):
    print(f"{missing} of {len(made) + missing} records are not here: semalign compare --profile small")

# %% tags=["hide-input"]
entries = list(dict.fromkeys(["semalign", *milder.variants]))
lines = training_lines(milder, runs, entries, {})
measured = {
    title(run["task"]): run["details"]["held_out"]["n"] for _, run in runs.iterrows() if "held_out" in run["details"]
}
held = ", ".join(f"{n} of {task}" for task, n in measured.items())
MILDER = """semalign fetch smollm2-135m
semalign drop-layers smollm2-135m --layers 4,11,15,22,26 --out ~/.cache/semalign/models/smollm2-135m-25-layers
semalign slice smollm2-135m-25-layers --width 540 --data gsm8k --out ~/.cache/semalign/models/smollm2-135m-mild
semalign compare --profile small                                       # all, on a GPU
semalign compare --profile small --only RECORD                         # one, on a CPU; --dry-run names them
SEMALIGN_DTYPE=float32 semalign compare --profile small --only RECORD  # the last layers, as they were made"""
page.show_table(
    training_table(milder, lines, runs, entries).drop(columns="change of NLL"),
    f"From SmolLM2-135M-Instruct into a student cut from it, mean over seeds: score in percent on the first 100 test items with 95% interval, steps, change of the trained weights, cosine of the layer's states with their targets, and NLL in nats per response token on held-out rows ({held}), before → after, where all tokens count alike. Lower NLL is better.",
    "published-fair",
    command="semalign compare --profile small",
    records=made,
)
display(commands("The records are made by", MILDER))

# %% tags=["hide-input"]
CONTROLS = ("permuted", "least-squares", "cross-entropy", "logit-kl")
PAIRS = [("semalign", "permuted-atoms" if each == "permuted" else each) for each in CONTROLS]
PAIRS += [("semalign-last", f"{each}-last") for each in CONTROLS]
differences = pair_differences(runs[runs["teacher"] == milder.teacher], PAIRS, NLL)
page.save(differences, "published-fair-pairs")
page.show_table(
    pair_table(milder, PAIRS, differences, NLL),
    f"Differences in NLL on held-out rows, in nats per token, where all rows count alike, ± half of the 95% interval over rows and seeds; the first entry is better below zero. Bold: p, corrected for all {(~differences['single']).sum()} lines with several seeds, is below 0.05.",
    "published-fair-pairs-shown",
    command="semalign compare --profile small",
    records=made,
)

# %% tags=["hide-input"]
told = [f"`{line.entry}` on {title(line.task)} {line.nll_before:.2f} → {line.nll:.2f}" for line in lines.itertuples()]
display(Markdown(f"Held-out NLL before → after: {'; '.join(told) or NOT_RUN}."))

# %% [markdown]
# On GSM8K two more profiles have the same models, rows, epochs and rate, and were run on a CPU: `small-first` trains the attributed layers again, to have every entry from the same student (with as many seeds as the table says), and `small-last` the last layers, in float32. Neither is scored: the cut student's answers run on to their limit, so that scoring takes longer than training, and hardly any of them is right ({numref}`tab-published-fair`).


# %% tags=["hide-input"]
def show_unscored(name, layers, asked):
    """Show what the trainings of an unscored profile did, and its pairs; return profile, both and sources."""
    unscored, folder = load_profile(name), results_dir() / name
    folder.mkdir(exist_ok=True)
    made = [path for cell in cells(unscored) if (path := folder / cell.file_name).is_file()]
    sources = {"command": f"semalign compare --profile {name}", "records": made}
    if missing := len(list(cells(unscored))) - len(made):
        print(f"{missing} of {len(made) + missing} records are not here: {sources['command']}")
    entries = ["semalign", *unscored.variants]
    runs = read_records(folder, [path.name for path in made])
    short, lines = name.replace("small", "published"), training_lines(unscored, runs, entries, {})
    page.show_table(
        training_table(unscored, lines, runs, entries).drop(columns=["score", "change of NLL"]),
        f"The {layers} layers on GSM8K, mean over the seeds that were run: steps, change of the trained weights, cosine of the layer's states with their targets, and NLL in nats per response token on {unscored.held_out} held-out rows, before → after. Nothing is scored.",
        short,
        **sources,
    )
    differences = pair_differences(runs, asked, NLL)
    page.save(differences, f"{short}-pairs")
    page.show_table(
        pair_table(unscored, asked, differences, NLL),
        "Differences in NLL there, over the seeds that both entries have, as in the table of pairs above; with one such seed, over rows alone, which decides nothing. Bold: p, corrected over the lines with several seeds, is below 0.05.",
        f"{short}-pairs-shown",
        **sources,
    )
    return unscored, lines, differences, sources


ALONE = [("semalign", each) for each in ("permuted-atoms", "least-squares", "cross-entropy", "logit-kl")]
show_unscored("small-first", "first", ALONE)
BESIDE = [
    ("labels-semantic", "cross-entropy"),
    ("labels-semantic", "labels-permuted"),
    ("labels-procrustes", "cross-entropy"),
    ("labels-procrustes", "labels-permuted-procrustes"),
]
asked = [*ALONE, ("least-squares", "permuted-least-squares"), *BESIDE]
last, last_lines, last_differences, last_sources = show_unscored("small-last", "last", asked)

# %% [markdown]
# Entries `labels-…` have the paper's map, or the {term}`Procrustes map`, beside cross-entropy, in the form that the [search with the second student](05_premise.ipynb) has at its last layers: the layer term has a weight of 0.3 and compares everything that the layer adds. Is the loss equal to that of labels alone? Two one-sided tests with the margin of all such tests here, which is older than these runs ([Decisions](#decisions-differences)), ask this; what has no record is *not run*:

# %% tags=["hide-input"]
page.show_table(
    equality_table(last, BESIDE, last_differences, NLL).drop(columns="measure"),
    f"A map beside labels at the last layers, on GSM8K: differences in NLL in nats per token, with 90% intervals over rows and seeds; the margin is {NLL.margin:g}. *Equal*: the interval lies inside the margin; *differs*: the corrected p of the table above is below 0.05; both: a difference is shown that is smaller than the margin; *one seed*: the interval is over rows alone, and decides nothing.",
    "published-last-equality",
    **last_sources,
)
display(margin_text({last.student: last_lines}, "cross-entropy"))

# %% [markdown]
# ## The same into a student that is cut harder
#
# Here the student is SmolLM2-135M-Instruct without every third layer, its residual stream cut to 504 directions. Before training its loss is above that of a uniform guess over the vocabulary. There are 100 rows, one seed and no interval. {term}`Steering <steering>` trains one layer, the one that attribution and {term}`layer map` choose: the first on GSM8K, the last on MBPP. Three objectives are compared on the same rows in the same order: the paper's two cosines, the {term}`control` in which the atoms of the map are permuted, and cross-entropy alone.

# %%
objectives = {"literal": "the paper's", "permuted-atoms": "permuted atoms", "cross-entropy": "cross-entropy alone"}
transfers = {
    (task, called): record_of(folder / f"transfer-cut-{task}-{name}.json")
    for task in ("gsm8k", "mbpp")
    for name, called in objectives.items()
}
for (task, called), record in transfers.items():
    if record is not None:
        before, after = (record["details"][when]["response_nll"] for when in ("before", "after"))
        print(f"{task}, {called}: response NLL {after - before:+.3f}")

# %% tags=["hide-input"]
CUT = """semalign fetch smollm2-135m
semalign drop-layers smollm2-135m --every 3 --out ~/.cache/semalign/models/smollm2-135m-every-third-dropped
semalign slice smollm2-135m-every-third-dropped --width 504 --data gsm8k --out ~/.cache/semalign/models/smollm2-135m-cut
for task in gsm8k mbpp; do
  for run in literal permuted-atoms cross-entropy; do
    case $run in
      literal) objective="" ;;
      permuted-atoms) objective="-s map=permuted" ;;
      cross-entropy) objective="-s output_loss=cross_entropy -s layer_weight=0" ;;
    esac
    semalign transfer smollm2-135m smollm2-135m-cut --data $task --examples 100 --hold-out 100 \\
      -s epochs=3 -s batch_size=16 -s micro_batch_size=8 $objective --out runs/transfer-cut-$task-$run
    cp runs/transfer-cut-$task-$run/record.json data/results/small/transfer-cut-$task-$run.json
  done
done"""
page.show_table(
    transfer_table(transfers),
    "From SmolLM2-135M-Instruct into the student that was cut from it, before → after: response NLL in nats per token on held-out rows, and the mean cosine between the student's states and the aligned teacher states. For permuted atoms, the teacher states are aligned by the permuted map; for cross-entropy, by the paper's map, which the training does not use. Minutes: on one CPU core at the same time as other work; for a run that was stopped, the minutes of its last part.",
    "published-transfers",
    command=BELOW,
    records=sorted(folder.glob("transfer-cut-*.json")),
)
display(commands("The records are made by", CUT))

# %% [markdown]
# ## A transfer between two families
#
# The teacher is Gemma 3 270M, the student SmolLM2-135M-Instruct. They were trained on different data and differ in architecture and tokenizer. {term}`Shared atoms <shared atoms>` match by the bytes of text that a token stands for ([Decisions](#decisions-vocabularies-that-differ)). The last layers are paired, where a state is nearest to the tokens that it predicts, and where training is cheap on a CPU; attribution was not run for this pair. Frozen weights are bfloat16, what trains is float32. Training and held-out rows are the first rows of the tasks' training splits, and no setting was chosen on any of them.

# %% tags=["hide-input"]
from semalign.book.tables.families import family_records, family_table

families = family_records(results_dir() / "two-families")
FAMILIES = """semalign fetch gemma3-270m
semalign fetch smollm2-135m
semalign pair gemma3-270m smollm2-135m --data gsm8k
python benchmarks/two_families.py gemma3-270m smollm2-135m"""
for runs in families.values():
    if runs and "vocabulary" in (details := runs[0]["details"]):
        shared, configuration = details["vocabulary"], runs[0]["configuration"]
        sides = ", ".join(
            f"{shared[side]['share']:.1%} of the {side}'s {shared[side]['atoms']:,} tokens and {shared[side]['coverage']:.1%} of its response tokens"
            for side in ("teacher", "student")
        )
        print(f"{runs[0]['task']}: {shared['shared']:,} shared atoms, {sides}")
        print(
            f"{configuration['train_rows']} training rows, {configuration['epochs']} epochs, batch size {configuration['batch_size']}, learning rate {configuration['learning_rate']}"
        )
        break
page.show_table(
    family_table(families),
    "From Gemma 3 270M to SmolLM2-135M-Instruct: response NLL in nats per token, the mean over 300 held-out rows and the seeds, and paired differences with 95% bootstrap intervals over rows and seeds (below zero is better). CPU seconds: of one thread, for a transfer, of which the first of a task also computes the states. Peak: of the whole process, with both models.",
    "published-families",
    command=BELOW,
    records=sorted((results_dir() / "two-families").glob("*.json")),
)
display(commands("The records are made by", FAMILIES))

# %% [markdown]
# ## What the numbers say
#
# Of the scores:
#
# - **MMLU is at chance, which is a quarter, and GSM8K is near zero.** The model card has about the same for GSM8K, and more for another form of MMLU. In the model's own chat format both are as low, and no difference between the formats is shown. The questions and the beginnings of the answers, which are the same in both, were not varied.
# - **HumanEval is zero in Tulu's format.** The function's head stands in the question and again at the beginning of the answer, and in most answers the model was seen to close the fence at once. Whether the repeated head is the reason was not tested; the task `humaneval_open_instruct`, where answers begin with the opening fence alone, would show it. On MBPP, where they do, the model writes programs and passes some.

# %% tags=["hide-input"]
import math

from semalign.book.tables.published import change_text

guess = math.log(read_record(results_dir() / "small" / "fig2-smollm2-135m.json")["details"]["bases"]["output"]["m"])
display(
    Markdown(
        f"""Of the transfers into the student that is cut harder, with one seed, {", ".join(sorted({str(record["n"]) for record in transfers.values() if record}))} held-out rows and no interval, before → after:

- **Response NLL**: {change_text(transfers, "response_nll")}. A uniform guess over the vocabulary has {guess:.2f}.
- **Layer cosine**: {change_text(transfers, "layer_cosine")}. Closeness to the aligned states and a better student are two different things.

There, one seed cannot tell whether the difference between real and permuted atoms is chance; in the milder cut, three seeds with paired intervals can."""
    )
)

# %% [markdown]
# Of the transfers between two families, {numref}`tab-published-families` has paired intervals. On neither task is the loss under the paper's objective below that with permuted atoms, or below that of the student before. The interval of its rise excludes zero on both tasks, without a correction, but the rise is below 2% of the loss, and on GSM8K inside the margin within which losses count as equal. These records do not say how far weights moved, so [Claims](../claims.md) leaves this case open. A base model of this size need be no better teacher of these texts than the labels.
#
# **Read next**: [Your own pair](14_your_own_pair.ipynb), to try this with models of your own.
