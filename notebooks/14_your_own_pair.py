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
# # Your own pair
#
# ## In short
#
# **How do you find out, before a long training, whether alignment helps with your own models?**
#
# - Check the vocabularies, diagnose the pair before any training, run a hundred rows, and subtract what {term}`permuted atoms` and {term}`labels` alone reach.
# - In the example, the {term}`micro pair`, the paper's objective at the paper's rate, in a few steps, leaves the held-out loss where it was, and labels alone lower it as much as labels with aligned states do.
# - **What this does not show**: the result for your pair. One seed and a few steps are a first look.
#
# :::{admonition} About this page
# - **Purpose**: choose a teacher and a student of your own, check them before any training, run a transfer on your own rows, and read what it gives.
# - **Cost**: about 45 seconds on a CPU. The micro models stand in for yours; replace their names.
# - **Command**: `semalign run --profile micro --only 14`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]

# %% tags=["hide-input"]
import pandas as pd

from semalign.book.markdown import Interval
from semalign.book.page import open_page
from semalign.book.tables.paper import title

page = open_page("14_your_own_pair", profile, inputs)

# %% [markdown]
# ## Choose
#
# Four things decide whether a pair is worth an hour of a GPU:
#
# - **The teacher is better on your task.** Score both models as they are first (`semalign evaluate`). Where the teacher is no better, there is nothing to transfer.
# - **The vocabularies overlap.** The {term}`alignment map` $M$ is made of the {term}`atoms <semantic atom>` that both models share ([Decisions](#decisions-vocabularies-that-differ)), and tokens are matched by the bytes that they stand for, so that the tokenizers may be of different kinds. There must be at least as many shared atoms as the wider model has dimensions. Below half of a vocabulary, a warning says so.
# - **The architectures are known.** A model of one of the types in [this table](table-of-architectures) runs as it is, and another one needs a [few lines of YAML](add-architecture). When a model is opened, its layout is checked on two tokens, and an error says what does not hold.
# - **Teacher and student read the same text.** A conversation is rendered by the *student's* chat template for both, because the student is the one that will be used. A teacher that was tuned on another chat format then reads a format that it does not know; plain rows of prompt and response avoid this.
#
# Depth and width may differ freely, and the teacher may have fewer layers than the student.
#
# ## Check
#
# Rows are `{"prompt", "response"}`, or `{"messages": [...]}` for a chat model ([Quick start](../quickstart.md)). Look at the vocabularies, over your rows, and at the layer map. Neither needs the weights.

# %%
from semalign.data.training_rows import rows
from semalign.experiments.profiles import load_profile
from semalign.targets.vocabulary_report import compare_vocabularies

settings = load_profile(profile)
teacher, student = settings.teacher, settings.student
task = "micro_mmlu" if "micro_mmlu" in settings.tasks else next(iter(settings.tasks))
mine = rows(task, 384)  # yours: semalign.data.rows.read_rows("mine.jsonl")
training, held_out = mine[:128], mine[128:]
compare_vocabularies(teacher, student, training)

# %% [markdown]
# This command prints the same, and the layer map:
#
# ```sh
# semalign pair path/to/teacher path/to/student --data mine.jsonl
# ```
#
# Then measure, before any training, whether aligned states carry anything between these two models. On a CPU it takes minutes for the micro models, and up to an hour for published models with 135 million parameters:
#
# ```sh
# semalign diagnose path/to/teacher path/to/student --data mine.jsonl --out runs/diagnosis
# ```
#
# It tells how far the atoms correspond; how often the student's head, given the aligned state of a teacher layer, puts the teacher's next token first; what aligned states do to the student's answers when they take the place of its own; and what to run. Each number stands beside its controls: permuted atoms, random bases, zero, and other maps.
#
# ## Run
#
# Begin small: a hundred rows tell whether anything moves. Hold rows out, and run four recipes on the same rows:
#
# - `semalign`, the paper's method with the paper's objective and rate, with fewer rows, fewer epochs and smaller batches than the paper's;
# - the same with `output_loss=cross_entropy`, so that the output term raises the probability of the label. The learning rate is higher too, since cross-entropy allows it, so a difference from the first recipe is not due to the loss alone;
# - `cross-entropy`, which trains the same layer at the same rate on the labels alone. What the teacher adds is what the recipe before gains beyond this one;
# - `sft`, which trains a LoRA of all layers on the labels alone, and is what you would run without a teacher.
#
# Run the first two also with one control: `map=permuted` gives each teacher atom another student atom. The map has the same form, but tokens no longer correspond, so a gain that it also reaches does not come from semantics.

# %%
from semalign import load_model, run_method

recipes = {
    "the paper's settings": ("semalign", {}),
    "permuted atoms": ("semalign", {"map": "permuted"}),
    "with cross-entropy": ("semalign", {"output_loss": "cross_entropy", "learning_rate": 3e-3}),
    "with cross-entropy, permuted atoms": (
        "semalign",
        {"output_loss": "cross_entropy", "learning_rate": 3e-3, "map": "permuted"},
    ),
    "labels alone, same layer": ("cross-entropy", {"learning_rate": 3e-3}),
    "labels alone, all layers": ("sft", {"learning_rate": 3e-3}),
}
common = {"validation": held_out, "epochs": 3, "batch_size": 16}
loaded = load_model(student)  # once for all recipes, which share its weights
results = {
    name: run_method(method, teacher, loaded, training, **common, **changed)
    for name, (method, changed) in recipes.items()
}

# %% [markdown]
# On the command line, where each `--set` names one of the [settings](#table-of-settings), the recipe "with cross-entropy" is
#
# ```sh
# semalign transfer path/to/teacher path/to/student --data mine.jsonl --examples 128 --hold-out 256 \
#   --set epochs=3 --set batch_size=16 --set output_loss=cross_entropy --set learning_rate=3e-3 \
#   --out runs/mine
# ```
#
# ## Read the result
#
# The number to look at first is the change of the response NLL on the held-out rows. To see whether the change depends on which rows were held out, it is computed for each row, and a bootstrap over the rows gives its interval.

# %%
from semalign.models.architecture import Architecture
from semalign.results.statistics import paired_bootstrap
from semalign.training.finetuning import row_nll


def nll(model):
    """Return the response NLL of each held-out row, in nats per token."""
    examples = model.encode(held_out)
    sums = row_nll(Architecture(model.model), examples)
    return [each / len(example.positions()) for each, example in zip(sums, examples, strict=True)]


before = nll(loaded)
change = {name: paired_bootstrap(nll(result.model), before) for name, result in results.items()}

# %% tags=["hide-input"]
lines = []
for name, result in results.items():
    details = result.record["details"]
    cosine = [details[when].get("layer_cosine", float("nan")) for when in ("before", "after")]
    seconds = f"{result.record['seconds']:.1f}"
    lines.append([name, Interval(*change[name], signed=True, decimals=4), *cosine, seconds])
columns = ["recipe", "change of NLL", "layer cosine before", "after", "seconds"]
page.show_table(
    pd.DataFrame(lines, columns=columns),
    f"{student} on {len(held_out)} held-out rows of {title(task)} after {len(training)} rows and three epochs, one seed: the change of the response NLL, averaged over rows, in nats per token, with the 95% interval of a bootstrap over the rows; and the mean cosine between the student's states and the aligned teacher states. Below zero is better.",
    "own-pair",
    decimals=3,
    records=page.keep({name: result.record for name, result in results.items()}, "recipes"),
)

# %% [markdown]
# How to read such a table:
#
# - **At the paper's rate little moves** in so few steps: it is 3e-4, and the two cosines have small gradients. A change of NLL whose interval contains zero is no result; train longer, or at another rate, chosen on *validation* rows with the same number of tries for each recipe (`semalign select`).
# - **The layer cosine rises in any case**, since it is trained. It says that the objective works, not that the student is better.
# - **Subtract the permuted control.** What the real atoms reach beyond the permuted ones is the part that semantics explain.
# - **Subtract the labels.** If labels alone at the same layer are as good, the teacher added nothing. If `sft` is better, run that.
#
# When the NLL falls, score the task itself, which needs a [task file](add-task): `semalign evaluate path/to/student --adapter runs/mine --task my-task.yaml`. For a chat model that learned from conversations, add `--chat model`, so that it is asked in the format that it learned. What our own pairs gave, with all controls, is in [Controls](09_controls.ipynb), [Chosen settings](10_chosen_settings.ipynb) and [Claims](../claims.md).
#
# ## Memory and time
#
# Before a run, `semalign plan --profile my-profile.yaml` says from the configurations alone what your models need ({ref}`here <plan>` for the paper's). The file is a {term}`profile` of your own, which `semalign compare` takes too. The smallest has these lines:
#
# ```yaml
# teacher: path/to/teacher
# student: path/to/student
# models: {dtype: auto}
# tasks:
#   gsm8k: {train_size: 1000, epochs: 5, learning_rate: 3.0e-4}
# ```
#
# The page of the API has [all its keys](#table-of-profiles). A plan needs a task file for your data and a `config.json`, so that it knows no GGUF files, and it does not count mixtures of experts.
#
# [Published weights](13_published_weights.ipynb) has the minutes of a model of 135 million parameters on a CPU. Where memory is short, you can change the following ([all settings](table-of-settings)), none of which changes the results beyond rounding:
#
# - [`--set micro_batch_size=4`](#setting-micro_batch_size): rows in memory at once while training. The optimiser's step still sees the whole batch.
# - [`--set activation_checkpointing=true`](#setting-activation_checkpointing): a third more computation, and only the states between layers are kept.
# - `--dtype bfloat16` halves the frozen weights. Losses, maps and adapters stay in float32 ([Decisions](#decisions-half-precision)).
# - `--device-map auto` spreads a model that no single GPU holds.
#
# Teacher and student, given by name, are not in memory together: first the teacher gives its attribution and its states, which the cache keeps for the next run, and then the student trains on them.
#
# **Read next**: the [settings](#table-of-settings) of a transfer, or [Chosen settings](10_chosen_settings.ipynb) for what a full comparison looks like.
