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
# # Does the premise hold?
#
# ## In short
#
# **Do {term}`atoms <semantic atom>` of two models mean the same, and do {term}`aligned states <aligned state>` help?**
#
# - Where one model was made from the other, atoms agree largely: their {term}`CKA`, where 1 means the same arrangement, is {num}`diagnosis/micro-teacher--micro-sibling--micro_gsm8k.json:value:.2f` and {num}`diagnosis/smollm2-135m--smollm2-135m-mild--gsm8k.json:value:.2f` for two students that were cut from their teachers, whose heads are the teacher's in fewer directions and were not trained further. It is {num}`diagnosis/micro-teacher--micro-student--micro_gsm8k.json:value:.2f` and {num}`diagnosis/gemma3-270m--smollm2-135m--gsm8k.json:value:.2f` for two that were trained apart.
# - Where atoms agree, the student's head reads the teacher's next token from the aligned states of the last layer far more often than with shuffled tokens. The same is true of the micro pair that was trained apart, whose atoms hardly agree, and hardly of the two published models that were trained apart, whose atoms agree more, so that the CKA of atoms does not rank pairs by how much is read. Mixed into the last layer, such states lower the loss of one student only, `micro-sibling`; maps fitted to logits or states do so for other pairs too.
# - When this layer of `micro-sibling` is trained on {term}`labels` and aligned states together, no map is shown to lower the {term}`held-out <held out>` loss below that of labels alone; with 32 labels on MMLU the means point that way and decide nothing ({numref}`tab-premise-few-confirmed-nll`). With the logit-preserving and the Procrustes map it is equal to that within 0.01 nats per token, a coarse margin for benchmarks on which labels gain little, on all four, and with the paper's map on MMLU and GSM8K; within this margin the logit-preserving map is above labels on MBPP. On HumanEval and MBPP the paper's map raises the loss by more. Each map leaves a lower mean loss than its permuted form, on most benchmarks by a difference that is shown, so that the correspondence is felt, mostly by less harm ({numref}`tab-premise-confirmed-nll`). In the pair whose atoms agree best it is the same on the two code benchmarks ({numref}`tab-premise-coder-confirmed-nll`).
# - Without labels, at this layer, the logit-preserving and the Procrustes map lower the loss of `micro-sibling` on MMLU. For the first, this is shown against its permuted form too, which is best at the lowest rate, where it hardly trains; at the first layer the permuted form lowers the loss further ({numref}`tab-sweep-best`). The scores do not follow.
# - **What this does not show**: what more data would say, since the diagnoses have few rows of each pair, or what holds for the paper's models.
#
# :::{admonition} About this page
# - **Purpose**: Section 4.2 of the paper takes it that atom $i$ of the teacher's basis and atom $i$ of the student's basis mean the same. This page measures, before any training, for which pairs of models that holds, what the aligned states say, and what they do in place of the student's own states. Then it trains two pairs, to see what is left of this.
# - **Cost**: about 40 seconds on a CPU. All numbers are read from records of diagnoses, searches and comparisons; only the correspondence of the profile's own pair is computed again.
# - **Command**: `semalign run --profile micro --only 05`; the line under each table says what makes its records.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "models",
    "benchmarks",
    "results/diagnosis",
    "results/diagnosis-folded",
    "results/trained-apart",
    "results/sibling-places-selection",
    "results/coder-plus-selection",
    "results/coder-plus",
    "results/sibling-plus-selection",
    "results/sibling-plus",
    "results/sibling-few-selection",
    "results/sibling-few",
]

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book.figures.premise import patches_of_pairs, readings_of_pairs
from semalign.book.markdown import Markdown, folded
from semalign.book.page import open_page

page = open_page("05_premise", profile, inputs)
DIAGNOSE = "semalign diagnose TEACHER STUDENT --data TASK --out FOLDER; each record has its own"

# %%
from semalign.book.tables import premise
from semalign.experiments.profiles import load_profile
from semalign.paths import results_dir

settings = load_profile(profile)
folder = results_dir() / "diagnosis"
records = premise.diagnoses(folder)
diagnosed = [folder / premise.file_of(record) for record in records]

# %% [markdown]
# ## Do the atoms correspond?
#
# The {term}`target` of a student's state is $\sum_i \cos(h, s^T_i)\, s^S_i$: the teacher's cosine with its atom $i$ is the coefficient of the student's atom $i$. This carries meaning from one space to the other only if the two sets of atoms are arranged alike. A rotation between the spaces does no harm, since the map contains it; but where two tokens are neighbours for the teacher, they must be neighbours for the student too.
#
# Linear {term}`CKA` (centred kernel alignment) measures this without any training. It compares the two sets of unit atoms, paired by token: 1 means equal arrangements, whatever the rotation and the scale, and random pairs of the same atoms show what chance gives. The rows of the LM heads, from which the atoms are made by a pseudoinverse, are compared in the same way. The last two columns describe the map $M = S_T S_S^\top$. The first is the share of its squared norm $\lVert M \rVert_F^2$ that lies in its largest singular direction. The second, the participation ratio, is the effective number of directions that it uses. A map with nearly all energy in one direction sends every state to about the same direction, or to its opposite.

# %% tags=["hide-input"]
page.show_table(
    premise.correspondence_table(records),
    "How far the atoms of two models correspond. 'Of the tokens' is the share of the response tokens of the first data set that are shared atoms, on the side where it is smaller. CKA goes from 0 to 1; 'at random' is its mean over 20 random pairings of the same atoms, with the range that holds 95% of such pairings.",
    "premise-atoms",
    decimals=3,
    command=DIAGNOSE,
    records=diagnosed,
)

# %% [markdown]
# The correspondence depends on the two models alone. For the pair of this profile it is computed again, and must agree with the record.

# %%
from semalign.analysis.diagnosis.atoms import correspondences
from semalign.models.pair import Pair
from semalign.targets.pair_heads import PairHeads

own = [each for each in records if (each["teacher"], each["student"]) == (settings.teacher, settings.student)]
now = correspondences(PairHeads(Pair(settings.teacher, settings.student)))["atoms"]
print(f"{settings.teacher} and {settings.student}: CKA of atoms {now.aligned:.4f} now")
for record in own:
    assert abs(now.aligned - record["value"]) < 1e-4, "the record is of other models"

# %% [markdown]
# ### Where the heads of models that were trained apart agree
#
# The rows of two heads can be arranged alike while their atoms are not. The pseudoinverse divides the head by the squares of its singular values, so the directions in which the tokens' rows differ least weigh most in the atoms. So it may matter in how many directions two heads agree, however little the rows differ there; the number alone does not decide, as the table shows. Canonical correlations between the columns of the two heads measure this; a direction is *shared* if its correlation is above the largest of 20 random pairings of the tokens. In the second part of {numref}`tab-premise-apart`, a teacher and a student of the micro family were trained from scratch once more, with fewer tokens, to see what makes atoms correspond: each line changes one thing in both models, and the last one two ({term}`micro family`). Published text, in place of the generated text of the family, is that of the training rows of GSM8K and MBPP; the vocabulary is made from it, and both models read the same rows, in one stage.

# %% tags=["hide-input"]
from semalign.book.tables.trained_apart import apart_records, apart_table

apart = apart_records(results_dir() / "trained-apart")
page.show_table(
    apart_table(apart),
    "In how many directions two heads agree, for pairs of this book and for small pairs that were trained for this table, one training of each. 'First direction' is the share of the map's energy in its largest singular direction.",
    "premise-apart",
    command="python benchmarks/trained_apart.py",
    records=[results_dir() / "trained-apart" / f"{name}.json" for name in apart],
)

# %% tags=["hide-input"]
import torch
from torch.nn.functional import normalize

from semalign.analysis.diagnosis.atoms import correspondence, energy

both = PairHeads(Pair(settings.teacher, settings.student))
heads = [basis.weight[ids].double() for basis, ids in zip(both.inverted, both.shared_ids, strict=True)]
as_made, centred = (
    [normalize(torch.linalg.pinv(head - head.mean(0) if without else head).T, dim=-1) for head in heads]
    for without in (False, True)
)
similar = [correspondence(*atoms).aligned for atoms in (as_made, centred)]
first_of = [100 * energy(atoms[0].T @ atoms[1]).first for atoms in (as_made, centred)]
shown = apart_table(apart).set_index("models")
kept, short = shown[shown["tokens"] == ""], shown[shown["tokens"] != ""]
shares = {pair: f"{line['shared directions']} of {line['of']}" for pair, line in kept.iterrows()}
times = short["CKA of atoms"] / short["at random"]
others_first = kept["first direction"].drop(["micro-teacher → micro-student", "gemma3-270m → smollm2-135m"])
display(
    Markdown(
        f"""- **Trained apart**: the heads of the micro pair agree in {shares["micro-teacher → micro-student"]} directions, those of two published models in {shares["gemma3-270m → smollm2-135m"]}. In their other directions they agree no more than random pairings may, and the pseudoinverse weighs a direction by how little the rows differ in it, shared or not.
- **One made from the other**: the heads of the cut student agree with the teacher's in {shares["micro-teacher → micro-sibling"]}, as they must: its head is a projection of the teacher's.
- **Short trainings**: the heads agree in {100 * (short["shared directions"] / short["of"]).min():.0f} to {100 * (short["shared directions"] / short["of"]).max():.0f}% of their directions, and the CKA of atoms is {times.min():.1f} to {times.max():.1f} times that of random pairings; for the published pair it is {kept["CKA of atoms"]["gemma3-270m → smollm2-135m"] / kept["at random"]["gemma3-270m → smollm2-135m"]:.0f} times. None of these changes makes a micro pair like published ones.
- **The mean row** of the heads, taken out of both before the pseudoinverse: {settings.teacher} and {settings.student} have CKA {similar[1]:.3f} in place of {similar[0]:.3f}, and the first direction holds {first_of[1]:.0f}% of the map's energy in place of {first_of[0]:.0f}%.
- **The first direction** holds {100 * short["first direction"].min():.0f} to {100 * short["first direction"].max():.0f}% of the map's energy after the short trainings, and {100 * kept["first direction"]["micro-teacher → micro-student"]:.0f}% after the whole recipe, which trains several times as long. Other pairs with the whole recipe hold {100 * others_first.min():.0f} to {100 * others_first.max():.0f}%, and two published models {100 * kept["first direction"]["gemma3-270m → smollm2-135m"]:.0f}%. With one training of each, no cause can be named."""
    )
)

# %% [markdown]
# ## What do the targets say?
#
# An aligned state has the direction of the target. It is meant for the student, so the student's own head can read it. If the teacher's meaning arrives, the head gives the teacher's next token the largest logit. The figure shows how often it does, for the aligned states of each teacher layer, which are here the outputs of whole layers, and for each map. Permuted maps pair each token, or each position, with another one ([Decisions](#decisions-controls-of-a-map)); a map that carries meaning stands far above its permuted form. The logit-preserving map, $W_S^+ W_T$ for a state as a column, takes what the teacher's *head* reads as coefficients, where the paper's map takes cosines with its atoms. Procrustes maps (the best rotation) and ridge maps (the best linear map) are fitted on states of both models at the same positions of other rows. The maps that come from the models alone are made from heads without the weights of the [final norm](#decisions-final-norm); what reads the states is the student's whole norm and head. Where these weights differ much over the dimensions, as in Gemma, a map made without them is not made for the head that reads. [`-s fold_norm=true`](#setting-fold_norm) folds them in. {numref}`tab-premise-folded` has that pair in both ways: with the weights, the logit-preserving map brings the teacher's next token in about a third of the positions, without them in none; the paper's map brings next to nothing either way.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Share of positions at which the student's head reads the teacher's next token first, from aligned states of each teacher layer, for each pair on GSM8K or micro-GSM8K; the data have all benchmarks. 'The teacher's own states' are read by the teacher's head and 'the student's own states' by the student's, each layer of the student at the same share of the depth, where its layers were read; the horizontal line is what the teacher's logits say when they are approximated at the student's width. Bars are 95% intervals over rows. What to see: how far the paper's map lies above its permuted form in the late layers, how far below the Procrustes and the ridge map, and how late a model's own states say its next token.", "name": "fig-premise-readings"}, "image": {"alt": "A panel for each pair of models; in each a line for every map over the teacher's layers."}}
figure = readings_of_pairs(premise.on_benchmark(records, "GSM8K"))
page.save(premise.measured(records, "readings"), "premise-all-readings")
measured_on = f"{min(each['n'] for each in records)} to {max(each['n'] for each in records)} rows of each data set"

# %% tags=["remove-input"]
page.provenance("premise-all-readings", DIAGNOSE, diagnosed)

# %% tags=["hide-input"]
page.show_table(
    premise.reading_table(records),
    f"Share of positions at which the student's head reads the teacher's next token first, from aligned states of the teacher's last layer, in percent, over {measured_on}; the last two columns are the student's own states of its last layer, and the horizontal line of {{numref}}`fig-premise-readings`. The data have 95% intervals over rows. A response of MMLU has two positions, the letter and the end of the text.",
    "premise-readings",
    decimals=1,
    command=DIAGNOSE,
    records=diagnosed,
)

# %% tags=["hide-input"]
MORE = {
    "top_5": (
        "The first five tokens",
        "Share of positions at which the teacher's next token is one of the first five, in percent",
    ),
    "kl": (
        "The whole prediction",
        "Kullback-Leibler divergence of what is read from the teacher's prediction, in nats per position",
    ),
}
for measure, (fold, what) in MORE.items():
    page.show_table(
        premise.reading_table(records, measure),
        f"{what}; otherwise as {{numref}}`tab-premise-readings`.",
        f"premise-readings-{measure.replace('_', '-')}",
        decimals=1 if measure == "top_5" else 2,
        command=DIAGNOSE,
        records=diagnosed,
        fold=fold,
    )

# %% tags=["hide-input"]
FOLDED = "semalign diagnose gemma3-270m smollm2-135m --data gsm8k --examples 24 -s fold_norm=true --out runs/diagnosis"
with_norm = premise.diagnoses(results_dir() / "diagnosis-folded")
pairs = {(record["teacher"], record["student"], record["task"]) for record in with_norm}
without = [each for each in records if (each["teacher"], each["student"], each["task"]) in pairs]
read_from = [
    results_dir() / name / premise.file_of(record)
    for name, found in (("diagnosis", without), ("diagnosis-folded", with_norm))
    for record in found
]
if with_norm:
    page.show_table(
        premise.norm_table([*without, *with_norm]),
        "Gemma 3 270M → SmolLM2-135M-Instruct on GSM8K, without and with the weights of the final norm in the heads: CKA of atoms, and the shares of {numref}`tab-premise-readings`; all in percent.",
        "premise-folded",
        decimals=1,
        command=FOLDED,
        records=read_from,
    )
else:
    display(Markdown(f"*Not run: `{FOLDED}`.*"))

# %% [markdown]
# ## What do the targets do?
#
# What the student would do if it had learned its targets perfectly can be seen without any training: the aligned state takes the place of the output of the student's MLP at layer $k$, at the same length, and the model goes on from there. A *strength* below one mixes it with the student's own state. If the negative log-likelihood (NLL) of the response falls, the aligned states hold something that the student can use. If it rises, targets that were reached exactly would do harm. A training that goes only part of the way may do something else ({numref}`tab-sweep-best`).

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Change of the response NLL, in nats per token, if aligned states replace the output of the student's MLP at one layer wholly (strength 1), on the same benchmark; bars are paired 95% intervals over rows. Open markers are permuted maps. Rest the pointer on a point for its numbers; they are in the data too. The axis is linear near zero and logarithmic beyond. What to see: only points below zero help, and only if they lie below their permuted form too.", "name": "fig-premise-patches"}, "image": {"alt": "A panel for each pair of models; in each, points with intervals for every map at four student layers, and a line at zero."}}
figure = patches_of_pairs(premise.on_benchmark(records, "GSM8K"))
page.save(premise.measured(records, "patches"), "premise-all-patches")

# %% tags=["remove-input"]
page.provenance("premise-all-patches", DIAGNOSE, diagnosed)

# %% tags=["hide-input"]
page.show_table(
    premise.patch_table(records),
    "The layer and the strength at which the paper's targets serve each pair best: change of the response NLL, with paired 95% intervals, against the student's own states, against permuted atoms and against zero. The best of several places is chosen on the rows that are shown, so that small gains are overstated.",
    "premise-patches",
    command=DIAGNOSE,
    records=diagnosed,
)

# %% [markdown]
# ## What the numbers say
#
# Three lines for each pair, from all its data. A place is a layer at one strength.

# %% tags=["hide-input"]
display(Markdown(premise.findings(records)))

# %% [markdown]
# ## Verdicts
#
# These are the verdicts of `semalign diagnose` on each pair and data set, made from the numbers above; `-s` sets one of the [settings](#table-of-settings). It is the first thing to run with a pair of your own ([Your own pair](14_your_own_pair.ipynb)). A verdict is about states that are put in place of others, at the output of the MLP. What is left of this when all that the last layer adds is trained towards them is less: in `micro-sibling`, with the paper's map, a small fall in loss on MMLU in the search ({numref}`tab-premise-training`), which three seeds do not confirm, while the logit-preserving and the Procrustes map do lower it there ({numref}`tab-premise-confirmed-trainings`); nothing on GSM8K, and no gain in scores ({numref}`tab-premise-confirmed`). At the MLP, {numref}`tab-patch-training` holds the patch test against a training of the same places, in the two students of `micro-teacher`: the training follows its order in part, and hardly confirms its gains.

# %% tags=["hide-input"]
for pair, said in premise.verdicts(records).items():
    display(folded(Markdown(said + "\n"), pair))

# %% [markdown]
# ## Does training keep it?
#
# Here the last pair of layers of `micro-teacher` and `micro-sibling`, whose atoms correspond, is trained on the training rows of each task; states are compared in all that the layer adds (`residual`), not at the MLP alone as above. [Alignment and training](06_alignment.ipynb) explains the two {term}`terms of the objective <layer term, output term>`. In the entries `alone`, the student learns from the teacher's aligned states at the positions of the training rows' own responses, and from nothing else: no label is a target, and no logit of the teacher. In `labels`, cross-entropy is the output term, alone or with a layer term beside it that has a weight of 0.3, where the paper's is 1. In the names, `semantic` is the paper's map, `least-squares` the {term}`logit-preserving map` and `procrustes` the {term}`Procrustes map`. Three entries are what one could run instead: `projection` has, beside labels, a linear projection between the states of the two models that is trained too (TED {cite}`liang2023ted`), `all-layers` fine-tunes all layers on labels in three epochs in place of five (`sft`), and `logits` is distillation from the teacher's distribution. Each entry has the same seven learning rates, and the one with the lowest loss on validation rows is shown. A rate at an end of the grid has a †. At the lowest rate hardly anything is trained, so an entry for which it is best gains nothing by training. There is one seed, and rates were chosen on the rows that are shown, so small differences are uncertain beyond their intervals.

# %% tags=["hide-input"]
from semalign.book.tables.searches import best_points, loss_table, loss_text
from semalign.experiments.selection import ITEMS

search = load_profile("sibling-plus")
CONTROLS = {
    "alone-semantic": "alone-permuted",
    "alone-least-squares": "alone-permuted-least-squares",
    "alone-procrustes": "alone-permuted-procrustes",
    **{f"labels-{name}": "labels" for name in ("semantic", "least-squares", "procrustes")},
    **{f"labels-permuted{name}": "labels" for name in ("", "-least-squares", "-procrustes")},
    **dict.fromkeys(("projection", "all-layers"), "labels"),
}


def show_search(search, name, fold=""):
    """Show the loss of each entry of a search at its best rate, and return the best points."""
    searched = results_dir() / f"{search.name}-selection"
    controls = {entry: control for entry, control in CONTROLS.items() if entry in search.selection}
    points = best_points(search, searched)
    losses = loss_table(search, points, controls)
    page.show_table(
        losses,
        f"{search.teacher} → {search.student}, last layers: response NLL over all response tokens of {ITEMS} validation rows, in nats per token. The control of a map alone is its permuted form, that of anything else is `labels`; differences are means over rows with 95% bootstrap intervals. Below zero is better. †: at an end of the grid of rates.",
        name,
        command=f"semalign select --profile {search.name}",
        records=sorted(searched.glob("*.json")),
        fold=fold,
    )
    display(Markdown(f"Of the data sets that were run:\n\n{loss_text(losses)}"))
    return points


at_rates = show_search(search, "premise-training")

# %% [markdown]
# ### Once on the test split
#
# Each entry was then trained at its best rate with three seeds, and scored once on the test split. The held-out NLL is again that of the validation rows, which also chose the rates; from here on each row counts alike, where {numref}`tab-premise-training` counts each token alike. Two one-sided tests {cite}`schuirmann1987tost` ask whether an entry equals its control within the margin of all such tests here: 0.01 nats per token, and 2 points ([Decisions](#decisions-differences)). For HumanEval and MBPP the margins were named before anything was trained; for MMLU and GSM8K they were not. *Equal* means that the 90% interval lies inside the margin, *differs* that the $p$ of the difference, corrected for all lines of the measure, is below 0.05, and *open* that the data show neither.

# %% tags=["hide-input"]
from semalign.book.comparison import Comparison
from semalign.book.margin import margin_text
from semalign.book.readings import verdicts
from semalign.book.tables.controls import control_table, label
from semalign.book.tables.pairs import equality_table
from semalign.book.tables.trainings import training_lines, training_table
from semalign.book.tables.transfers import UNTRAINED
from semalign.results.pairs import NLL, SCORE, lines_of, pair_differences

PERMUTED = {
    "labels-semantic": "labels-permuted",
    "labels-least-squares": "labels-permuted-least-squares",
    "labels-procrustes": "labels-permuted-procrustes",
}
BESIDE = {
    "The paper's map beside labels, minus labels alone": ["labels-semantic"],
    "Maps fitted to logits or states beside labels, minus labels alone": ["labels-least-squares", "labels-procrustes"],
    "A trained projection beside labels, and fine-tuning of all layers, minus labels alone": ["projection", "all-layers"],
    "Maps without labels, minus their permuted forms": [name for name in CONTROLS if name.startswith("alone")],
}  # fmt: skip


def show_confirmed(search, name, fold=""):
    """Show what the entries of a search did when they were trained again and scored on the test split."""
    confirmed = Comparison(search)
    if confirmed.lacking:
        print(confirmed.lacking)
    about = f"{search.teacher} → {search.student}, last layers, chosen rates"
    shown = {"command": confirmed.command, "records": confirmed.paths}
    scored = control_table(search, confirmed.scores, [search.teacher])
    page.show_table(
        scored[scored["name"].isin(map(label, confirmed.entries)) | (scored["kind"] == "as it is")],
        f"{about}: test scores in percent with 95% intervals: over the items for the models as they are, over seeds for trainings. `semalign` is the paper's objective on these layers, at the paper's rate. {UNTRAINED}",
        name,
        **shown,
    )
    did = training_lines(search, confirmed.records, confirmed.entries, confirmed.before)
    page.show_table(
        training_table(search, did, confirmed.records, confirmed.entries),
        f"{about}: test score in percent, steps, change of the trained weights as a share of their norm, layer cosine before → after, held-out NLL before → after in nats per token, and its change with a 95% interval over rows and seeds.",
        f"{name}-trainings",
        fold="What these trainings did",
        **shown,
    )
    pairs = [*CONTROLS.items(), *PERMUTED.items(), ("labels", "logits")]
    pairs = [pair for pair in pairs if set(pair) <= set(search.variants)]
    tested = {measure: pair_differences(confirmed.records, pairs, measure) for measure in (NLL, SCORE)}
    for measure, over in ((NLL, "rows"), (SCORE, "test items")):
        page.show_table(
            equality_table(search, pairs, tested[measure], measure).drop(columns="measure"),
            f"{about}: differences in {measure.name}, in {measure.unit}, with 90% intervals over {over} and seeds; the margin is {measure.margin:g}.",
            f"{name}-{'nll' if measure is NLL else 'score'}",
            fold=fold and f"{fold}, {measure.name}",
            **shown,
        )
    display(margin_text({search.student: did}, "labels"))
    say_confirmed(tested)


def say_confirmed(tested):
    """Say in words how each group of entries differs from its controls."""
    groups = {what: [(entry, CONTROLS[entry]) for entry in entries] for what, entries in BESIDE.items()}
    groups["Maps beside labels, minus their permuted forms beside labels"] = list(PERMUTED.items())
    lines = []
    for what, asked in groups.items():
        for measure, found in tested.items():
            of_group = lines_of(found, asked)
            if len(of_group):
                lines.append(f"- **{what}**: {measure.name} {verdicts(of_group)}.")
    display(Markdown("Over the benchmarks with records:\n\n" + "\n".join(lines)))


show_confirmed(search, "premise-confirmed")

# %% [markdown]
# ### Other layers, weights, maps and an order of layers
#
# The search above looks at one place, at one interface and with one weight of the layer term. {numref}`tab-premise-places` has the same seven rates at other places, beside labels: `last` is the last student layer again, with a smaller weight, at the MLP, with a ridge map, and with two permuted maps; `three` trains the last three student layers, each with the teacher layer that the formula gives it; `middle` trains a layer in the middle; `frontier` trains all layers one after the other, each with its teacher layer and an equal share of the steps ([Decisions](#decisions-frontier)). Each entry is compared with `labels` at the same layers, and `labels` at other layers with `labels` at the last one. Nothing of this was scored on the test split.

# %% tags=["hide-input"]
places = load_profile("sibling-places")
LABELS = {
    name: "last-labels" if name.endswith("-labels") else f"{name.partition('-')[0]}-labels" for name in places.selection
}
ELSEWHERE = {name: labels for name, labels in LABELS.items() if name != labels}
searched = results_dir() / f"{places.name}-selection"
elsewhere = loss_table(places, best_points(places, searched), ELSEWHERE)
page.show_table(
    elsewhere,
    f"{places.teacher} → {places.student}, beside labels: response NLL over all response tokens of {ITEMS} validation rows, in nats per token. The control of an entry is `labels` at the same layers, of `labels` that at the last layer; differences are means over rows with 95% bootstrap intervals. Below zero is better. †: at an end of the grid of rates.",
    "premise-places",
    command=f"semalign select --profile {places.name}",
    records=sorted(searched.glob("*.json")),
    fold="The search at other places",
)
display(Markdown(f"Of the data sets that were run:\n\n{loss_text(elsewhere)}"))

# %% [markdown]
# ### The pair whose atoms correspond best
#
# The atoms of `micro-coder` correspond to those of `micro-teacher` better than in any other diagnosed pair, since its training began from that model. Its knowledge should be the easiest to pass on. {numref}`tab-premise-coder` has the search of {numref}`tab-premise-training`, without `projection` and `all-layers`, with `micro-coder` as the teacher and `micro-teacher` as the student, on the two code benchmarks, at their last layers. Both models are of one size, so Procrustes and permuted maps lose nothing by the width.

# %% tags=["hide-input"]
coder = load_profile("coder-plus")
coder_rates = show_search(coder, "premise-coder", "The search in this pair")
atoms = loss_table(coder, coder_rates, {"labels-semantic": "labels-permuted"})
real = atoms[atoms["entry"] == "labels-semantic"].set_index("data")["against its control"]
lines = [f"{data} {change}" for data, change in real.items()]
display(Markdown(f"Beside labels, the paper's map minus permuted atoms: {'; '.join(lines)}."))

# %% [markdown]
# As above, each entry was then trained at its best rate with three seeds, and scored once on the test split. The margins were named before.

# %% tags=["hide-input"]
show_confirmed(coder, "premise-coder-confirmed", "Equal or not in this pair")

# %% [markdown]
# Here too the correspondence carries something: beside labels every map leaves a lower loss than its permuted form, on both benchmarks. But none is shown to help. With the logit-preserving and the Procrustes map the loss is equal to that of labels alone, with the paper's map it is higher by less than the margin, and no difference in score is shown. Without labels every map is best at one of the two lowest rates, where hardly anything is trained, and the scores stay where they were.
#
# ### With few labels
#
# A teacher should matter most where labels are few. In the [ablations](11_ablations.ipynb), at one rate, the mean loss with 32 training rows is lower with aligned states beside labels than with labels alone, and higher with permuted atoms. {numref}`tab-premise-few` is the search of {numref}`tab-premise-training` with these rows, one draw of them, in as many steps as with all, and with the paper's weight of the layer term. Its best entries were trained with five seeds and scored once on the test split.

# %% tags=["hide-input"]
few = load_profile("sibling-few")
few_rates = show_search(few, "premise-few", "The search with few labels")
show_confirmed(few, "premise-few-confirmed", "Equal or not with few labels")

# %% [markdown]
# On MMLU the means keep the order that the ablations had: with the paper's and the logit-preserving map beside labels the loss is below that of labels alone, and with each permuted form above it; with the Procrustes map it is a little above. The mean score with the paper's map is the highest, above that of labels alone and of permuted atoms. But no difference in loss or score is shown once the comparisons of this section are corrected for ({numref}`tab-premise-few-confirmed-nll`, {numref}`tab-premise-few-confirmed-score`), and the losses with the paper's map and with labels alone are not shown to be equal either: this is where aligned states might add something to labels, and it stays open. On GSM8K no entry that has labels trains with so few: every rate but the lowest, at which nothing changes, raises the loss. Seeds change the training and not which rows are drawn, and these are one draw.
#
# ### What the searches give
#
# An objective that beats what one would run anyway, by more than its control does, would deserve a name of its own, `semalign+`. These searches give none: beside labels no layer term lowers the held-out loss below that of labels at the same layers by more than its interval. Where several layers, a middle one, or all one after the other train in `micro-sibling`, the layer term mostly raises the loss on GSM8K, and the paper's map raises it at the last layers on both code benchmarks, in `micro-teacher` as in `micro-sibling`; permuted atoms raise it more in the mean. Labels at more layers at once, or at an earlier one, do lower it. Without labels no mean score of `micro-sibling` is far above that of the student before ({numref}`tab-premise-confirmed`); on MMLU the mean falls with the paper's map, and less with permuted atoms, which hardly trained. Fine-tuning of all its layers, which needs no teacher, reaches a lower mean loss than every entry at the last layer. On the two code benchmarks labels at this layer already bring `micro-sibling` to about the teacher's own score, and fine-tuning of all layers above it, so that this teacher had little left to give there. The searches looked at two pairs of models, with one seed, and with three where their best points were confirmed, and not at everything: at other places of `micro-sibling` only MMLU and GSM8K were searched, and none of these searches aligns before it trains on labels. Other pairs may differ.

# %% [markdown]
# **Read next**: [Alignment and training](06_alignment.ipynb), or [Your own pair](14_your_own_pair.ipynb) to diagnose your models.
