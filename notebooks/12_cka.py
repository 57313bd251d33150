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
# # Similarity of layers
#
# ## In short
#
# **Is a student layer most similar to the teacher layer with which the {term}`layer map` pairs it, and does alignment leave the pattern as it is?**
#
# - For most layers of both micro students the most similar teacher layer is the partner or next to it. But once states are scaled to unit length, one pair of untrained models shows nearly the same. In the micro pair the similarity of untrained models is gone where each token is read once, without context.
# - In the student that was cut from SmolLM2 no more layers match in this way than in untrained models. Alignment lowers the similarities near the diagonal there too, but far less than in the micro pairs.
# - In both micro pairs alignment lowers the similarities and moves many of their maxima off the diagonal. {term}`Permuted atoms <permuted atoms>` do the same, and change the pattern about as much or less, so a stable pattern is no sign of semantics.
# - In both micro students one transfer on GSM8K under the paper's settings changes hardly any similarity, though it raises the held-out loss of both. One on HumanEval, for `micro-student` alone, changes hardly any either, but there the student {term}`did not train <did not train>`. In the student that was cut from SmolLM2 a short transfer on GSM8K changes the linear similarities of states as they are more than alignment does ({numref}`tab-readings-cka-smollm2`).
# - **What this does not show**: anything about the paper's models.
#
# :::{admonition} About this page
# - **Purpose**: make Fig. 4 and 6 of the paper: CKA between every teacher layer and every student layer, linear and RBF, before and after alignment and after a transfer, with untrained models and permuted atoms as controls.
# - **Cost**: about 90 seconds for the micro family on a CPU; the matrices of micro-sibling and SmolLM2-135M, and those of micro-student after the transfer on GSM8K, come from committed results.
# - **Command**: `semalign run --profile micro --only 12`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "models", "benchmarks",
    "results/small", "results/micro-analysis",
]  # fmt: skip

# %% tags=["hide-input"]
from IPython.display import display

from semalign.analysis.cka_summary import CONDITIONS, diagonal_lines, findings, summarise
from semalign.book import figures
from semalign.book.figures.similarity import CONTROLS
from semalign.book.markdown import Markdown, commands, nested_list, table
from semalign.book.page import open_page

page = open_page("12_cka", profile, inputs)

# %%
import pandas as pd

import semalign
from semalign.analysis.cka import CKAOptions, cka_matrix
from semalign.analysis.cka_figure import micro_pair, untrained, write_cka
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.paths import project_root, results_dir
from semalign.results.records import read_record

settings = load_profile(profile)
out = project_root() / "book" / "_static" / "data" / "cka-micro"

# %% [markdown]
# ## What is measured
#
# {term}`CKA` (centred kernel alignment) compares two sets of states of the same tokens: 1 means that they are arranged alike. For the centred states $X$ of a teacher layer and $Y$ of a student layer, each with $n$ rows, and their kernel matrices $K$ and $L$ {cite}`kornblith2019cka`,
#
# $$
# \operatorname{CKA}(K, L) = \frac{\operatorname{HSIC}(K, L)}{\sqrt{\operatorname{HSIC}(K, K)\, \operatorname{HSIC}(L, L)}} .
# $$ (eq-cka)
#
# The linear kernel is $K = X X^\top$; the RBF kernel has the median distance as its width. HSIC is the unbiased estimate {cite}`song2012hsic`, summed over minibatches of rows {cite}`nguyen2021wide`. Each row is the layer output at one token of a code prompt. CKA is invariant to a rotation and to a common scale of either space. It is not invariant to a map that stretches, as $M = S_T S_S^\top$ does, so alignment can change it.
#
# There are five conditions: the models as they are (*before*); teacher states mapped by $M$ (*after alignment*); the adapted student in place of the student (*after transfer*); two untrained models of the same architectures, initialised independently (*untrained*); and teacher states mapped by an $M$ whose atoms are permuted, which keeps the form of the map and none of its semantics (*permuted atoms*). What a row is, and which estimate is used, is said in [Decisions](#decisions-rows-estimate-and-kernel-width). States are taken first as they are and then at unit length. The states of a few tokens, often the first, may be hundreds of times longer than the rest, and linear CKA then depends on little else.
#
# ## The micro pair
#
# This section compares `micro-teacher` and `micro-student` on the prompts of micro-HumanEval. The transfer is the paper's method under the paper's settings for this benchmark, run on this page.

# %%
if settings.name == "micro":
    teacher, student, task = micro_pair()
    training = rows(task, "train", settings.tasks[task].train_size)
    transferred = semalign.transfer(teacher, student, training, task=task, **settings.settings_for(task))
    record = write_cka(teacher, student, task, out, transferred=transferred.model, limit=164)
    micro = pd.read_csv(out.with_suffix(".csv"))
    layers = transferred.record["details"]
    print(
        f"{record['configuration']['prompts']} prompts, {record['n']} tokens; the transfer trained student layer "
        f"{layers['student_layer']} towards teacher layer {layers['teacher_layers'][0][0]}"
    )


# %% tags=["hide-input"]
def show_summary(similarities, name, caption, command, record):
    """Show the findings in sentences, and the numbers they are made of."""
    summary = summarise(similarities)
    n_student = similarities["student_layer"].max()
    for states, called in {"raw": "States as they are", "unit": "States at unit length"}.items():
        display(Markdown(f"{called}:\n\n{nested_list(findings(summary, n_student, states))}"))
    shown = summary.assign(condition=summary["condition"].map(CONDITIONS))
    shown.columns = [column.replace("_", " ") for column in shown.columns]
    page.save(summary, f"readings-{name}")
    display(table(shown, caption, f"tab-readings-{name}"), page.provenance(f"readings-{name}", command, record))


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Fig. 4 and 6 on the micro pair: CKA of layer outputs as they are, before and after alignment, linear and RBF, each with its own scale. Rings mark the layers that the layer map pairs. What to see: whether the rings lie on the highest values of their columns, and whether before and after have the same pattern.", "name": "fig-cka-micro"}, "image": {"alt": "Four heat maps of teacher layers by student layers: before and after alignment, linear and RBF kernel."}}
if settings.name == "micro":
    figure = figures.layer_similarity(micro, "raw")

# %% tags=["remove-input"]
if settings.name == "micro":
    display(page.provenance("cka-micro", records=out.with_suffix(".json")))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Controls: the pair after a transfer, after alignment with permuted atoms, and untrained. What to see: whether permuted atoms change the pattern, and what two untrained models show.", "name": "fig-cka-micro-controls"}, "image": {"alt": "Heat maps of teacher layers by student layers for each control, linear and RBF kernel."}}
if settings.name == "micro":
    figure = figures.layer_similarity(micro, "raw", CONTROLS)

# %% tags=["remove-input"]
if settings.name == "micro":
    display(page.provenance("cka-micro", records=out.with_suffix(".json")))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "As {numref}`fig-cka-micro`, for states at unit length, as in Eq. 1. What to see: what changes when a few long states no longer dominate.", "name": "fig-cka-micro-unit"}, "image": {"alt": "Four heat maps of teacher layers by student layers: before and after alignment, linear and RBF kernel."}}
if settings.name == "micro":
    figure = figures.layer_similarity(micro, "unit")

# %% tags=["remove-input"]
if settings.name == "micro":
    display(page.provenance("cka-micro", records=out.with_suffix(".json")))

# %% [markdown]
# ### Findings
#
# A pair of layers is *near the diagonal* if the teacher layer is within one of the student layer's partner in the layer map; the *diagonal mean* is the mean over all such pairs. A student layer counts as near the diagonal if its most similar teacher layer is; the number by chance is what a teacher layer drawn at random would give. If similarity falls off with depth in two matrices, they correlate under any pairing. After the means of each matrix's rows and columns are subtracted, only an agreement in the pairing is left.

# %% tags=["hide-input"]
if settings.name == "micro":
    show_summary(
        micro,
        "cka-micro",
        "Summary of each condition of the micro pair; the last three columns compare it with the pair before alignment.",
        page.command,
        out.with_suffix(".json"),
    )
else:
    display(commands("*Not run. These commands make it:*", "semalign run --profile micro --only 12"))

# %% [markdown]
# ### The second student
#
# `micro-sibling` was cut from the teacher, so each of its layers comes from the teacher layer with which it is paired. The prompts are those above. The transfer is the paper's method under the paper's settings for GSM8K; it moves the student, as the [next section](#cka-trained) says.

# %% tags=["hide-input"]
NAMES = {"micro-student": "cka-micro-student-trained", "micro-sibling": "cka-micro-sibling-trained"}
TRAINED = {student: results_dir() / "micro-analysis" / name for student, name in NAMES.items()}
COMMANDS = """semalign transfer micro-teacher STUDENT --data micro_gsm8k --out runs/transfer-STUDENT-gsm8k
semalign cka micro-teacher STUDENT --adapter runs/transfer-STUDENT-gsm8k --prompts micro_humaneval --limit 164 --out data/results/micro-analysis/cka-STUDENT-trained"""
MAKE = {student: COMMANDS.replace("STUDENT", student) for student in TRAINED}
similar = {
    student: pd.read_csv(f"{path}.csv") for student, path in TRAINED.items() if path.with_name(f"{path.name}.csv").is_file()
}  # fmt: skip
sibling, OF_SIBLING = similar.get("micro-sibling"), MAKE["micro-sibling"].replace("\n", "; ")
SIBLING = TRAINED["micro-sibling"].with_name(f"{TRAINED['micro-sibling'].name}.json")
if sibling is None:
    display(commands("*Not run. These commands make it:*", MAKE["micro-sibling"]))
else:
    page.save(sibling, "cka-sibling")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for micro-teacher and micro-sibling, with a scale of its own. What to see: whether the diagonal is clearer than in the pair that was trained apart.", "name": "fig-cka-sibling"}, "image": {"alt": "Four heat maps of teacher layers by student layers: before and after alignment, linear and RBF kernel."}}
if sibling is not None:
    figure = figures.layer_similarity(sibling, "raw")

# %% tags=["remove-input"]
if sibling is not None:
    display(page.provenance("cka-sibling", OF_SIBLING, SIBLING))

# %% tags=["hide-input"]
if sibling is not None:
    show_summary(
        sibling,
        "cka-sibling",
        "Summary of each condition of micro-teacher and micro-sibling.",
        OF_SIBLING,
        SIBLING,
    )

# %% [markdown]
# (cka-trained)=
# ### A transfer that trains
#
# The transfer into `micro-student` above leaves it nearly as it was. Under the same settings for GSM8K the paper's method trains for more steps at a higher rate, and it moves the student: its loss there rises, and so does that of the second student ([Evaluation](08_evaluation.ipynb)). Similarities are read on the same code prompts.

# %% tags=["hide-input"]
for called, made in MAKE.items():
    if called not in similar:
        display(commands(f"*Not run for {called}. These commands make it:*", made))
        continue
    source = TRAINED[called].with_name(f"{TRAINED[called].name}.json")
    told = pd.DataFrame(read_record(source)["details"]["summary"]).set_index(["condition", "states", "kernel"])
    before, after = told.loc["before"], told.loc["transferred"]
    depth = similar[called]["student_layer"].max()
    page.save(similar[called], f"cka-trained-{called}")
    near = {name: ", ".join(f"{depth * share:.0f}" for share in part["diagonal_share"]) for name, part in (("before", before), ("after", after))}  # fmt: skip
    display(
        Markdown(
            f"`{called}`: after it the mean difference to the matrix before is at most {after['mean_difference'].max():.3f}, and the agreement of the patterns (without row and column means) is at least {after['pairing_correlation'].min():.3f}. With the linear and the RBF kernel, for states as they are and then at unit length, {near['before']} of the student's {depth} layers were most similar to a teacher layer within one of their partner before, and {near['after']} after."
        ),
        page.provenance(f"cka-trained-{called}", made.replace("\n", "; "), source),
    )

# %% [markdown]
# That the pattern stays is no sign that the transfer was harmless.

# %% [markdown]
# (cka-words)=
# ### Why untrained models resemble each other
#
# A layer with random weights adds little to the embedding of its token. In a prompt the same tokens come up again and again, and within each model the states at two places with the same token are nearly equal, so that both models arrange the places alike, whatever their embeddings are. If this makes untrained models similar, nothing may be left of it when every token is read once. So both pairs read texts of one token each, one text for every token that is one token again when its text is encoded.

# %%
if settings.name == "micro":
    tokenizer = teacher.tokenizer
    pieces = [tokenizer.decode([i], skip_special_tokens=True) for i in range(len(tokenizer))]
    once = [text for i, text in enumerate(pieces) if tokenizer.encode(text) == [i]]
    options = CKAOptions(pooling="last", batch_size=64)
    fresh = untrained(teacher, seed=0), untrained(student, seed=1)
    for name, pair in {"trained": (teacher, student), "untrained": fresh}.items():
        print(f"{name}: mean CKA {cka_matrix(*pair, once, options).mean():.3f}")

# %% tags=["hide-input"]
if settings.name == "micro":
    means = micro[(micro["states"] == "raw") & (micro["kernel"] == "linear")].groupby("condition")["cka"].mean()
    display(
        Markdown(
            f"On the prompts, with the same kernel, the means are {means['before']:.3f} for the trained pair and {means['untrained']:.3f} for the untrained one. With {len(once)} tokens, each read once, the untrained models have nothing in common, and of the trained pair's similarity a small part is left; it is the part that training made, though only for tokens without a context."
        )
    )

# %% [markdown]
# ## Published weights
#
# This section compares SmolLM2-135M-Instruct {cite}`allal2025smollm2` with the harder cut of the two students of [the next page](13_published_weights.ipynb), which has less depth and width, before and after a short transfer, on the prompts of HumanEval {cite}`chen2021humaneval`. Here the student is a part of its teacher, so some similarity along the diagonal is there by construction: up to the first layer left out, the student is its teacher with less width.

# %% tags=["hide-input"]
REAL = results_dir() / "small" / "cka-smollm2-135m"
REAL_COMMAND = """semalign fetch smollm2-135m
semalign drop-layers smollm2-135m --every 3 --out ~/.cache/semalign/models/smollm2-135m-every-third-dropped
semalign slice smollm2-135m-every-third-dropped --width 504 --data gsm8k --out ~/.cache/semalign/models/smollm2-135m-cut
semalign transfer smollm2-135m smollm2-135m-cut --data gsm8k --examples 100 --hold-out 100 -s epochs=3 -s batch_size=16 -s micro_batch_size=8 --out runs/transfer-cut-gsm8k-literal
semalign cka smollm2-135m smollm2-135m-cut --adapter runs/transfer-cut-gsm8k-literal --out data/results/small/cka-smollm2-135m"""
REAL_SOURCE = "semalign cka smollm2-135m smollm2-135m-cut --adapter runs/transfer-cut-gsm8k-literal --out data/results/small/cka-smollm2-135m"
real = pd.read_csv(f"{REAL}.csv") if REAL.with_name(f"{REAL.name}.csv").is_file() else None
if real is None:
    display(commands("*Not run. These commands make it:*", REAL_COMMAND))
else:
    page.save(real, "cka-smollm2")
    display(commands("The matrices are made by", REAL_COMMAND))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Fig. 4 and 6 on SmolLM2-135M-Instruct and the student cut from it, HumanEval prompts: CKA of layer outputs as they are, before and after alignment, linear and RBF. What to see: the same as for the micro pair; in the lower left corner both models have the same layers.", "name": "fig-cka-smollm2"}, "image": {"alt": "Four heat maps of teacher layers by student layers: before and after alignment, linear and RBF kernel."}}
if real is not None:
    figure = figures.layer_similarity(real, "raw")

# %% tags=["remove-input"]
if real is not None:
    display(page.provenance("cka-smollm2", REAL_SOURCE, REAL.with_name(f"{REAL.name}.json")))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The controls for SmolLM2-135M-Instruct and the student cut from it.", "name": "fig-cka-smollm2-controls"}, "image": {"alt": "Heat maps of teacher layers by student layers for each control, linear and RBF kernel."}}
if real is not None:
    figure = figures.layer_similarity(real, "raw", CONTROLS)

# %% tags=["remove-input"]
if real is not None:
    display(page.provenance("cka-smollm2", REAL_SOURCE, REAL.with_name(f"{REAL.name}.json")))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "As {numref}`fig-cka-smollm2`, for states at unit length.", "name": "fig-cka-smollm2-unit"}, "image": {"alt": "Four heat maps of teacher layers by student layers: before and after alignment, linear and RBF kernel."}}
if real is not None:
    figure = figures.layer_similarity(real, "unit")

# %% tags=["remove-input"]
if real is not None:
    display(page.provenance("cka-smollm2", REAL_SOURCE, REAL.with_name(f"{REAL.name}.json")))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The controls for states at unit length.", "name": "fig-cka-smollm2-unit-controls"}, "image": {"alt": "Heat maps of teacher layers by student layers for each control, linear and RBF kernel."}}
if real is not None:
    figure = figures.layer_similarity(real, "unit", CONTROLS)

# %% tags=["remove-input"]
if real is not None:
    display(page.provenance("cka-smollm2", REAL_SOURCE, REAL.with_name(f"{REAL.name}.json")))

# %% tags=["hide-input"]
if real is not None:
    show_summary(
        real,
        "cka-smollm2",
        "Summary of each condition of SmolLM2-135M-Instruct and the student cut from it.",
        REAL_SOURCE,
        REAL.with_name(f"{REAL.name}.json"),
    )

# %% [markdown]
# ## What the numbers say
#
# High similarity along the diagonal says something about two trained models only to the extent that it exceeds that of the untrained pair. A matrix that alignment leaves unchanged says something about semantics only to the extent that permuted atoms change it. "After transfer" says something only to the extent that the transfer changed the student.

# %% tags=["hide-input"]
of_pairs = {
    "The micro pair": micro if settings.name == "micro" else None,
    "micro-teacher and micro-sibling": sibling,
    "SmolLM2-135M-Instruct and its cut": real,
}
of_pairs = {name: found for name, found in of_pairs.items() if found is not None}
display(
    Markdown(
        f"""Student layers whose most similar teacher layer is within one of their partner, for states as they are with the linear and the RBF kernel, and at unit length with both; mean similarities for states as they are with the linear kernel; and how well the pattern of pairs agrees with that before alignment (correlation without row and column means), in the same order:

{nested_list({name: diagonal_lines(found) for name, found in of_pairs.items()})}

In the micro pair the layers of untrained models resemble each other on prompts, and not at all where [every token is read once](#cka-words), so a high similarity by itself says nothing about training. For SmolLM2 this was not tried. The untrained pair and the permuted map are one draw each."""
    )
)
if settings.name == "micro":
    moved = summarise(micro).set_index("condition").loc["transferred", "mean_difference"].max()
    display(Markdown(f"After the transfer, the largest mean difference to any of the matrices before is {moved:.0e}."))

# %% [markdown]
# **Read next**: [Published weights](13_published_weights.ipynb), where models of other makers are run.
