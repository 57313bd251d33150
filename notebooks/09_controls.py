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
# # Controls
#
# ## In short
#
# **Does a change of the student's score come from semantic alignment?**
#
# - At the sizes of the paper's Table 5 no score is shown to rise by more than with {term}`atoms <semantic atom>` that are permuted. The claim that the paper's whole objective keeps semantic content is {verdict}`6:micro,micro-sibling`, for the student that was trained apart from its teacher and the one that was cut from it, since it is not shown to lift a score of either.
# - With the whole objective no difference in score between real and permuted atoms is shown, once the number of comparisons is corrected for. With {term}`aligned states <aligned state>` alone there is one: in `micro-sibling`, whose atoms correspond to the teacher's, the score on GSM8K falls with both ({numref}`tab-trainings-micro-sibling`), and much further with permuted atoms ({numref}`tab-pairs-score-micro-sibling`). In `micro-student`, which was trained apart, it falls with both too ({numref}`tab-trainings-micro-student`), and no difference between them is shown ({numref}`tab-pairs-score-micro-student`).
# - On GSM8K, against the output cosine alone, the layer term lowers the score of `micro-student` and raises that of `micro-sibling`. Both end far below the student before, and cross-entropy on {term}`labels` far above both.
# - No other layer was found to be a way out for the layer term alone: in a sweep over all of them at one rate, on two benchmarks, the place where the loss falls most, with the {term}`logit-preserving map` at the first layers, does still better with the permuted form of that map, and with labels alone ({numref}`tab-sweep-best`).
# - **What this does not show**: that there are no differences. An interval that contains zero leaves that open.
#
# :::{admonition} About this page
# - **Purpose**: find out whether the change of a score comes from semantic alignment. The page compares the paper's method with its {term}`controls <control>` at the sizes of the paper's Table 5, for two students, and asks whether another layer would do better.
# - **Cost**: about 30 seconds, most of it resampling. Scores and losses are only read from run records; what has no current record is *not run*.
# - **Command**: `semalign run --profile micro --only 09`. `semalign compare --profile micro` makes the scores, with `micro-sibling` for the second student, `semalign sweep --profile micro-depth` and `micro-sibling-depth` the losses of every layer, and `semalign compare --profile sibling-first` those at the sweep's best place.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "models",
    "benchmarks",
    "results/{profile}",
    "results/{profile}-sibling",
    "results/{profile}-depth-sweep",
    "results/{profile}-sibling-depth-sweep",
    "results/sibling-first",
]

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book import figures, readings
from semalign.book.machines import made_on
from semalign.book.margin import margin_text
from semalign.book.markdown import Markdown, folded, table
from semalign.book.page import open_page
from semalign.book.tables import pairs
from semalign.experiments import sweep
from semalign.experiments.profile_paths import profile_names
from semalign.results.pairs import NLL, SCORE, pair_differences

page = open_page("09_controls", profile, inputs)

# %%
import pandas as pd

from semalign.book.comparison import Comparison, paper_sized
from semalign.book.tables.trainings import training_lines
from semalign.experiments.profiles import load_profile

settings = load_profile(profile)
beside = paper_sized(settings)
for each in beside:
    if each.lacking:
        print(each.lacking)

# %% tags=["hide-input"]
PAIRS = [
    ("semalign", "permuted-atoms"),
    ("semalign", "output-cosine"),
    ("semalign", "layer-cosine"),
    ("layer-cosine", "permuted-layer"),
    ("semalign", "cross-entropy"),
    ("semalign-last", "permuted-last"),
    ("semalign-last", "output-last"),
    ("semalign-last", "semalign"),
    ("semalign-signed", "permuted-signed"),
    ("semalign-signed", "semalign"),
    ("semalign", "seeking"),
    ("semalign", "laten"),
]
ASKED = {each.profile.name: [pair for pair in PAIRS if {*pair} <= {*each.entries}] for each in beside}
ATOMS = {name: [pair for pair in asked if pair[1].startswith("permuted")] for name, asked in ASKED.items()}
found = {
    each.profile.name: {
        measure: pair_differences(
            each.records[each.records["teacher"] == each.profile.teacher], ASKED[each.profile.name], measure
        )
        for measure in (NLL, SCORE)
    }
    for each in beside
}

# %% [markdown]
# ## The answer in numbers
#
# `semalign` is the paper's method with the paper's settings. `semalign-last` and `permuted-last` are `semalign` and `permuted-atoms` with the last layers paired, and `semalign-signed` and `permuted-signed` with those that the signed sum of attribution chooses; `layer-cosine` is the layer term alone, and `permuted-layer` the same with permuted atoms. [Baselines and controls](../baselines.md) describes each {term}`control`.

# %% tags=["hide-input"]
shown = pd.concat(lines for each in beside for lines in found[each.profile.name].values())
shown = shown[shown["minus"].str.startswith("permuted")]
display(
    Markdown(
        f"Real atoms against permuted ones at Table 5's sizes, over all students, benchmarks and both measures: {readings.verdicts(shown)}. What these words mean stands [below](#equal-atoms), with the numbers; an entry that did not train says nothing about atoms."
    )
)
page.show_table(
    pd.concat(pairs.word_table(each.profile, ATOMS[each.profile.name], found[each.profile.name]) for each in beside),
    "Real atoms against permuted ones at Table 5's sizes: is their difference shown to be small (*equal*), is there one (*differs*), or neither (*open*)? ‡: neither entry trained the student in any run, so that the two are equal for this reason alone.",
    "atoms-in-words",
    command="; ".join(each.command for each in beside),
    records=[path for each in beside for path in each.paths],
)

# %% [markdown]
# ## At the paper's settings
#
# [Evaluation](08_evaluation.ipynb) has the scores at the sizes and rates of [Table 5](../paper_settings.md) for two students; this section has the differences. The two entries of a pair differ in one thing: the atoms, which are permuted in one of them, the terms of the objective, or which layers are paired. The last lines compare the paper's method with the baselines under the settings of their published code and of the paper's tables. Besides the score each pair is compared in the NLL of the responses on held-out rows, which is the finer measure: every row counts with all its tokens, where a score counts an item as right or wrong.

# %% tags=["hide-input"]
for each in beside:
    suffix, of = each.profile.student, found[each.profile.name]
    for measure, short, better in ((NLL, "nll", "below"), (SCORE, "score", "above")):
        page.save(of[measure], f"pairs-{short}-{suffix}")
        caption = f"Student {each.profile.student}: differences in {measure.name}, in {measure.unit}, ± half of the 95% interval over {of[measure]['n'].max()} {'rows' if measure is NLL else 'items'} and {of[measure]['seeds'].max()} seeds. Bold: p, corrected for all {(~of[measure]['single']).sum()} differences of this table, is below 0.05. The first entry is better {better} zero."
        shown = pairs.pair_table(each.profile, ASKED[each.profile.name], of[measure], measure)
        made = table(shown, caption, f"tab-pairs-{short}-{suffix}")
        display(
            folded(made, f"Differences in {measure.name}, student {each.profile.student}"),
            page.provenance(f"pairs-{short}-{suffix}", each.command, each.paths),
        )

# %% [markdown]
# (equal-atoms)=
# ### Are real and permuted atoms equal?
#
# A difference that was not shown is not yet an equality. Two one-sided tests {cite}`schuirmann1987tost` ask the opposite question: is the difference shown to be smaller than a margin? The margins are 0.01 nats per token and 2 points. They were chosen for what they mean in practice, and were not fixed before these results were known ([Decisions](#decisions-differences)). *Equal* means that the 90% interval lies inside the margin, on both sides of zero, which is a test at 5%. *Differs* means that the corrected $p$ is below 0.05, which stands in bold in {numref}`tab-pairs-nll-micro-student` and the three tables after it. Where both hold, there is a difference, and it is smaller than the margin. *Open* means that the data show neither. Entries that [did not train](08_evaluation.ipynb) are equal for that reason alone (‡). Each *equal* is a test of its own at 5% and is not corrected for their number; only a statement that all cases of a student are equal would need no correction, since for it every test must succeed.

# %% tags=["hide-input"]
for each in beside:
    suffix, of = each.profile.student, found[each.profile.name]
    atoms = ATOMS[each.profile.name]
    equal = pd.concat([pairs.equality_table(each.profile, atoms, of[measure], measure) for measure in (NLL, SCORE)])
    page.show_table(
        equal,
        f"Student {each.profile.student}: real atoms minus permuted ones, with the 90% interval; held-out NLL in nats per token (margin {NLL.margin:g}), score in points (margin {SCORE.margin:g}).",
        f"equality-{suffix}",
        command=each.command,
        records=each.paths,
        fold=f"Equal or not, student {each.profile.student}",
    )
plain = {
    each.profile.student: training_lines(each.profile, each.records, ["cross-entropy"], each.before) for each in beside
}
display(margin_text(plain, "cross-entropy"))

# %% [markdown]
# ### Every layer
#
# Would another layer do better? Each student layer is trained towards the teacher layer that the {term}`layer map` gives it, by the layer term alone, at Table 5's rows, epochs and rate, with several maps, at the output of the MLP and at all that the layer adds (`residual`). Only the held-out NLL is measured, with one seed, on MMLU and GSM8K. A map and layer would do better if it lowered the loss clearly, and the atoms would matter if permuted ones did worse; the lists below the figures count both.

# %% tags=["hide-input"]
swept, sources, SWEPT = {}, {}, ["micro_mmlu", "micro_gsm8k"]
for name in (f"{settings.name}-depth", f"{settings.name}-sibling-depth"):
    if name not in profile_names():
        print(f"no profile {name}: not run")
        continue
    depth = load_profile(name)
    paths = sweep.current(depth, sweep.sweep_folder(depth))
    swept[name] = sweep.table(paths)
    command, data = f"semalign sweep --profile {name}", name.removeprefix(f"{settings.name}-")
    if missing := len(sweep.points(depth)) - len(paths):
        print(f"{name}: {missing} points are missing or stale: {command}")
    display(Markdown(f"Sweep `{name}`: {made_on(paths)}."))
    page.save(swept[name], f"sweep-{data}")
    sources[name] = page.provenance(f"sweep-{data}", command, paths)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Change of the held-out NLL after training one student layer towards its teacher layer, by map and student layer, for the student that was trained independently of the teacher; in nats per token, below zero (blue) the predictions became better. Each benchmark has its own scale of colours. What to see: whether any map or layer is blue, and whether the paper's map differs from permuted atoms.", "name": "fig-sweep"}, "image": {"alt": "Heat maps with a number in each cell, for each benchmark and interface, or a note that they were not run."}}
figure = figures.nll_by_layer(swept.get(f"{settings.name}-depth", sweep.table([])), SWEPT, ["mlp", "residual"])

# %% tags=["remove-input"]
display(*(found for name, found in sources.items() if name == f"{settings.name}-depth"))

# %% tags=["hide-input"]
display(Markdown(readings.swept(swept.get(f"{settings.name}-depth", sweep.table([])), SWEPT)))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for the student that was cut from the teacher.", "name": "fig-sweep-sibling"}, "image": {"alt": "Heat maps with a number in each cell, for each benchmark and interface, or a note that they were not run."}}
figure = figures.nll_by_layer(swept.get(f"{settings.name}-sibling-depth", sweep.table([])), SWEPT, ["mlp", "residual"])

# %% tags=["remove-input"]
display(*(found for name, found in sources.items() if name == f"{settings.name}-sibling-depth"))

# %% tags=["hide-input"]
display(Markdown(readings.swept(swept.get(f"{settings.name}-sibling-depth", sweep.table([])), SWEPT)))

# %% [markdown]
# ### Where the sweep lowers the loss most
#
# In the second student the sweep lowers the loss most at the first layer of each model, with the {term}`logit-preserving map` at all that the layer adds, on MMLU. The sweep has one seed, and no permuted form of that map. Here this place is trained with three seeds, each map beside its permuted form and beside labels alone at the same layer and rate. The place was chosen by reading the sweep, whose held-out rows are the same, so the result is a little too good.

# %% tags=["hide-input"]
from semalign.book.tables.paper import title

best = Comparison(load_profile("sibling-first"))
if best.lacking:
    print(best.lacking)
BEST = [
    ("alone-semantic", "alone-permuted"),
    ("alone-least-squares", "alone-permuted-least-squares"),
    ("alone-procrustes", "alone-permuted-procrustes"),
    ("alone-semantic", "labels"),
    ("alone-least-squares", "labels"),
    ("alone-procrustes", "labels"),
]
page.show_table(
    pairs.pair_table(best.profile, BEST, pair_differences(best.records, BEST, NLL), NLL),
    "Difference in the held-out NLL at the first layers of micro-teacher and micro-sibling, in nats per token, ± half of the 95% interval over rows and seeds; the first entry is better below zero. Bold: p, corrected by Holm's procedure over this table, is below 0.05.",
    "sweep-best",
    command=best.command,
    records=best.paths,
)
told = [
    f"`{line.entry}` on {title(line.task)} {line.nll_before:.3f} → {line.nll:.3f}"
    for line in training_lines(best.profile, best.records, list(best.profile.variants), best.before).itertuples()
]
display(Markdown(f"Held-out NLL before → after: {'; '.join(told) or 'not run'}."))

# %% [markdown]
# On MMLU the logit-preserving map does lower the loss without any label. But its permuted form lowers it further, and labels alone further still, so the gain does not come from the correspondence of tokens. On GSM8K every map raises the loss, and real atoms by less than permuted ones: there the correspondence matters, and the training does harm, while labels alone lower it a little.
#
# **Read next**: [Chosen settings](10_chosen_settings.ipynb), where every method has settings of its own, or [Ablations](11_ablations.ipynb).
