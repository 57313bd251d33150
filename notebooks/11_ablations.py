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
# # Ablations
#
# ## In short
#
# **Which part of the method does the work, and are few layers enough?**
#
# - Where the student learns from {term}`aligned states <aligned state>` alone, shuffling the tokens raises the loss greatly on both benchmarks, with few rows as with many. In this pair, whose {term}`atoms <semantic atom>` agree, the correspondence matters; in the other student, whose atoms hardly agree, it does so on GSM8K alone, with the {term}`logit-preserving map`, the Procrustes and the ridge map, and is not shown to with the paper's ({numref}`tab-second-forms`). Beside cross-entropy shuffling costs far less, and at the paper's own settings shuffling the paper's map makes no clear difference ({numref}`tab-ablation-forms`).
# - Little of this helps the student. On GSM8K none of the four starting points lowers its loss at its rate; at a higher one labels with the layer term do, by less than labels alone ({numref}`tab-premise-training`). Beside cross-entropy the paper's layer term never clearly lowers the loss that {term}`labels` alone give, however few rows there are, in either student; with the fewest rows on MMLU permuted atoms do, in the other one ({numref}`tab-second-controls`). Beside the paper's output cosine, which raises the loss on GSM8K greatly, it takes part of that rise away in this pair ({numref}`tab-ablation-weight`).
# - Without labels the last layer alone changes the loss on MMLU little and raises it on GSM8K, and more layers raise it. Beside cross-entropy more layers lower it on GSM8K, and all of them on MMLU, but labels alone on as many layers do so too, and on GSM8K they do better without the layer term ({numref}`tab-labels-on-layers`), in the other student too ({numref}`tab-second-labels-on-layers`).
# - At the paper's settings the attributed pair is the worst of those that were tried on GSM8K, and on MMLU none is clearly better ({numref}`tab-ablation-pairing`). Without labels, ten atoms do about as well as all of them, and coefficients from a soft softmax do much more harm ({numref}`tab-ablation-strength`). Whether the layer cosine predicts the gain, and whether layer outputs have fewer side effects than parameters, stays open. On average over students and benchmarks, places where the patch test of `semalign diagnose` shows less harm are shown to do better when the layer term alone trains them; the gains that it shows are confirmed on one benchmark in one student, where they are far smaller on average, and nowhere else ({numref}`tab-patch-training`).
# - **What this does not show**: scores, except in the sections on [labels of another form](#labels-of-another-form) and on side effects. The ablations cover two benchmarks and three seeds. Those of attribution and of labels of another form cover one pair, the others two; the side effects cover four benchmarks and two pairs, with one seed.
#
# :::{admonition} About this page
# - **Purpose**: change one thing at a time about the method, and see how the {term}`held-out <held out>` loss changes. The paper announces ablations of attribution, pairing and strength of decomposition, and two findings (its Section 1): that alignment before the update predicts the transfer, and that few layers are enough. Its Appendix D.1 argues about side effects and bandwidth. The paper shows no numbers for any of these.
# - **Cost**: about 90 seconds on a CPU. Losses and scores are only read from run records, but for those of the students as they are; what has no current record is *not run*.
# - **Command**: `semalign run --profile micro --only 11`. `semalign compare --profile ablations` makes the losses, with `student-ablations` those of the other student, `semalign select --profile sibling-form` and `semalign compare --profile sibling-form` what is shown of labels of another form, `python benchmarks/attribution_choices.py` the attributions, and `python benchmarks/side_effects.py`, as the lines below its tables say, the side effects.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "models", "benchmarks",
    "results/ablations", "results/ablations-again", "results/ablations-analysis",
    "results/student-ablations",
    "results/sibling-form", "results/sibling-form-selection", "results/side-effects",
    "results/side-effects-tuned", "results/micro-tuned-cost", "results/micro",
    "results/micro-sibling", "results/micro-tuned", "results/micro-tuned-selection",
    "results/micro-sibling-tuned", "results/micro-sibling-tuned-selection",
    "results/micro-plus-selection", "results/micro-few-selection",
    "results/sibling-plus-selection", "results/micro-depth-sweep",
    "results/micro-sibling-depth-sweep", "results/sibling-plus", "results/sibling-places-selection",
    "results/coder-plus-selection", "results/coder-plus", "results/sibling-first", "results/micro-changes",
    "results/sibling-changes", "results/speed", "results/diagnosis",
]  # fmt: skip

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from semalign.book.figures.ablations import critical_places, factor_effects, gain_over_alignment
from semalign.book.figures.medium import sizes_and_operations
from semalign.book.figures.patch_training import trained_over_patched
from semalign.book.figures.side_effects import side_effects as side_effect_points
from semalign.book.machines import made_again, made_on
from semalign.book.margin import margin_text
from semalign.book.markdown import Markdown, rounded
from semalign.book.page import open_page

page = open_page("11_ablations", profile, inputs)
COMPARE = "semalign compare --profile ablations"
ATTRIBUTE = "python benchmarks/attribution_choices.py"
SIDE = "python benchmarks/side_effects.py"
SIDES = {  # whose side effects, and the command that measures them
    "side-effects": (
        "micro-sibling, under the settings of the main comparison",
        SIDE,
    ),
    "side-effects-tuned": (
        "micro-student, with fewer rows, and settings chosen on validation data for all but `semalign`",
        f"{SIDE} --profile micro-tuned --out data/results/side-effects-tuned",
    ),
}

# %%
from semalign.book.comparison import Comparison
from semalign.book.tables import ablations, medium, pairs, prediction, regimes, side_effects
from semalign.experiments.inputs import source_once
from semalign.experiments.profiles import load_profile
from semalign.paths import results_dir
from semalign.results.pairs import NLL

first, second = (Comparison(load_profile(name)) for name in ("ablations", "student-ablations"))
settings, records, second_records, SECOND = first.profile, first.paths, second.paths, second.command
for each in (first, second):
    if each.lacking:
        print(each.lacking)

# %% tags=["hide-input"]
ENTRY = {"literal": "semalign", "both": "both", "alone": "alone"}  # the starting points with three maps or more
FITTED = ("least-squares", "procrustes", "ridge")
FORMS = [(ENTRY[base], f"{base}-permuted") for base in ENTRY]
FORMS += [(f"{base}-{name}", f"{base}-permuted-{name}") for base in ENTRY for name in FITTED]
NUMBERS = (2, 4, 8)
ON_LAYERS = [(f"labels-{n}-layers", "both-weight-0") for n in NUMBERS]
ON_LAYERS += [(f"both-{n}-layers", f"labels-{n}-layers") for n in NUMBERS]
HEADS = [
    pair
    for base in ENTRY
    for pair in ((f"{base}-heads", f"permuted-{base}-heads"), (f"{base}-heads", f"{base}-attention"))
]
HEADS.append(("both-heads", "both-weight-0"))


def compared(each):
    """Return all comparisons of a student in this chapter, which are corrected together."""
    further = [*FORMS, *ON_LAYERS, *HEADS, *regimes.tried(each.profile).values()]
    return ablations.compared(each.profile, each.records, further)


family, second_family = compared(first), compared(second)
lines, second_lines = (ablations.ablation_data(*each) for each in ((settings, family), (second.profile, second_family)))
print(len(family), "comparisons of micro-sibling,", len(second_family), "of micro-student")

# %% [markdown]
# ## What is changed, and around what
#
# The pair is micro-teacher and micro-sibling, whose atoms correspond ([Does the premise hold?](05_premise.ipynb)), with the rows and epochs of the paper's Table 5. Except in the sections on labels of another form and on side effects, nothing is scored on a test split: variants are compared by the {term}`response NLL` on held-out rows, which tells more than a score on a few hundred items ([Decisions](#decisions-what-ablations-are-compared-by)). There are four *starting points*, and every {term}`variant` is one of them with one thing changed:
#
# - `literal`: the paper's settings, at the pair of layers that attribution chooses; what the paper's text leaves open, such as the sum in attribution, is as in [Decisions](#decisions-the-objective-that-is-attributed);
# - `both`: cross-entropy beside the layer term, at the last pair, comparing everything that the layer adds to the residual stream (`residual`);
# - `alone`: the layer term without labels, at the same place;
# - `inner`: as `alone`, but one student layer below the last, so that there are teacher layers above and below to pair it with.
#
# The three other starting points have a higher rate than `literal`: the one that was best for cross-entropy on MMLU in an earlier search, chosen on the same validation rows, so that on MMLU these three are a little too good. On GSM8K a rate thirty times as high was best for labels ({numref}`tab-premise-training`).
#
# Besides these changes, pairs of entries are compared: each map with its permuted form, labels with and without the layer term on several layers and with fewer rows, and states of single heads with their controls. A difference is the variant's loss minus that of its starting point, on the same rows, in nats per token: below zero the change helps. Intervals are bootstraps over rows and seeds. Bold differences are those whose $p$ is below 0.05 after Holm's procedure, which takes all comparisons of one student on both benchmarks together; the sections on labels of another form and after it have their own.

# %% tags=["hide-input"]
page.show_table(
    ablations.base_table(settings, first.records, first.before),
    f"The starting points: response NLL on {settings.held_out} held-out rows, where all rows count alike, of the student before and after the transfer, mean over seeds, and the change with half of its 95% interval over rows and seeds.",
    "ablation-bases",
    command=COMPARE,
    records=records,
)
page.save(lines, "ablations")
again = made_again(results_dir() / "ablations-again", first.folder)
display(
    Markdown(
        f"The records of micro-sibling: {made_on(records)}; {again} nats per token. Of micro-student: {made_on(second_records)}."
    )
)

# %% [markdown]
# ## The map
#
# Which map takes the teacher's states into the student's space? `semantic`, the paper's, pairs token with token; [Baselines and controls](../baselines.md) describes the others. Permuted forms are {term}`controls <control>`: they keep the geometry of both spaces and pair wrong tokens, or wrong positions; `random` has no correspondence at all. If the meaning of the atoms matters, the paper's map must be better than its permuted form. All maps have the rate of their starting point here. {numref}`tab-premise-training` gives the paper's, the logit-preserving and the Procrustes map and their permuted forms rates of their own. Without labels most permuted forms then do best at the lowest rates, where they hardly train; beside labels they train at rates like those of labels alone.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL with another map minus that with the paper's map, around three starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: where the permuted form of a map is worse than the map itself, its correspondence carries something.", "name": "fig-ablation-map"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for each of eight maps and each benchmark, and a line at zero."}}
figure = factor_effects(settings, lines, "map")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "map"),
    "Response NLL with another map minus that with the paper's, ± half of the 95% interval.",
    "ablation-map",
    command=COMPARE,
    records=records,
    fold="The numbers: the map",
)
display(Markdown(ablations.reading(lines, "map")))
page.show_table(
    pairs.pair_table(settings, FORMS, family, NLL),
    "Response NLL with a map minus that with its permuted form, ± half of the 95% interval; below zero the map is better. `semalign`, `both` and `alone` have the paper's map.",
    "ablation-forms",
    command=COMPARE,
    records=records,
)

# %% [markdown]
# ## Are few layers enough?
#
# The paper trains one layer and says that a small set is enough. Here the same objective trains more layers at once, each with the teacher layer that the formula gives it: the first ones around `literal`, whose pair is the first, and the last ones around the others. Few layers are enough if more of them do not lower the loss.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL with two, four and all eight layers trained minus that with one. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: left of zero, more layers help, and one was not enough.", "name": "fig-ablation-layers"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for two, four and eight layers and each benchmark."}}
figure = factor_effects(settings, lines, "layers")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "layers"),
    "Response NLL with more layers minus that with one, ± half of the 95% interval.",
    "ablation-layers",
    command=COMPARE,
    records=records,
    fold="The numbers: layers",
)
display(Markdown(ablations.reading(lines, "layers")))

# %% [markdown]
# At the paper's settings one layer is not always enough: on GSM8K all eight take away part of the harm that the first one does, and still leave the loss above that of the student before ({numref}`tab-ablation-bases`); fewer than all take nothing of it away, and two add to it. On MMLU, where the change by one layer is not shown to differ from zero, two and four raise the loss. Without labels two and four layers raise the loss on both benchmarks, all eight clearly on GSM8K only. Beside cross-entropy, more layers may help because labels train more layers. So {numref}`tab-labels-on-layers` has labels alone on as many layers, and what the layer term adds to them there.

# %% tags=["hide-input"]
page.show_table(
    pairs.pair_table(settings, ON_LAYERS, family, NLL),
    "Response NLL of labels alone on the last two, the last four and all layers minus that of labels on the last one (`both-weight-0`), and of labels with the layer term (`both`) minus that of labels on the same layers, ± half of the 95% interval.",
    "labels-on-layers",
    command=COMPARE,
    records=records,
)

# %% [markdown]
# ## Strength of decomposition
#
# A target is a sum over all atoms, each with its cosine as the coefficient. Three things are changed about that sum:
#
# - **few atoms**: only those with the largest cosines, in magnitude, are kept. If a few of them carry the meaning, few are enough; if the sum works as a product with one fixed matrix and not as a decomposition, it needs all;
# - **temperature**: a softmax turns the cosines into probabilities on the vocabulary, which the paper mentions (its Section 3.1) and does not use. At 0.01 a target is nearly its nearest atom; at 1 all targets are nearly the mean atom ([Decisions](#decisions-which-coefficients-a-target-has));
# - **part of the vocabulary**: the atoms are the tokens that occur in the training rows, or as many random ones, on MMLU. On GSM8K the rows have fewer different tokens than the teacher's states have directions, so that their atoms do not span its space.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL with other coefficients or atoms minus that with the cosines of all atoms, around three starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: how many atoms it takes until the loss is that of all of them, and whether it matters which they are.", "name": "fig-ablation-strength"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for each number of atoms, temperature and part of the vocabulary, and each benchmark."}}
figure = factor_effects(settings, lines, "strength")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "strength"),
    "Response NLL with other coefficients or atoms minus that with the cosines of all atoms, ± half of the 95% interval.",
    "ablation-strength",
    command=COMPARE,
    records=records,
    fold="The numbers: strength",
)
display(Markdown(ablations.reading(lines, "strength")))

# %% [markdown]
# Ten atoms and more leave about the loss that all of them leave. Without labels one atom does more harm on GSM8K, and on MMLU the atoms of the data's tokens do, while as many random tokens do not. A softmax that is not sharp does harm around every starting point on GSM8K.

# %% [markdown]
# ## The weight of the layer term
#
# The paper adds its two terms without weights. With weight 0 nothing of the teacher is left. If alignment adds to what the output term gives, the loss must be lower with the layer term than without it.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL with another weight of the layer term minus that with weight 1, around two starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: whether weight 0, which removes the teacher, is right of zero.", "name": "fig-ablation-weight"}, "image": {"alt": "Two panels, one for each starting point, with a point and an interval for five weights and each benchmark."}}
figure = factor_effects(settings, lines, "weight")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "weight"),
    "Response NLL with another weight minus that with weight 1, ± half of the 95% interval.",
    "ablation-weight",
    command=COMPARE,
    records=records,
    fold="The numbers: weights",
)
display(Markdown(ablations.reading(lines, "weight")))

# %% [markdown]
# ## Pairing
#
# Around `inner`, the last but one layer of the student learns from every layer of the teacher in turn, and around `both`, the last one learns from some of them beside labels. So the formula's layer, the nearest one by similarity of layer outputs (linear CKA), shifts by one and two, and what a random pairing would give, are all among them; `interpolated` is the paper's mixture of two layers. Around `literal`, the pair that attribution chose is replaced: by the pairs of the signed sum at the MLP and at the attention, by that of attribution at the outputs of whole layers, by a pair in the middle, by the last one, and by deeper teacher layers for the same student layer. On MMLU the signed sum at the attention finds the last teacher layer but one. This leads to the last student layer, for which the formula takes the last teacher layer, so that this variant and that of the last pair are one training.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL with another pair of layers minus that with the pair of the starting point. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: whether the formula's pair is better than its neighbours, and how much the distance matters.", "name": "fig-ablation-pairing"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for each pairing and each benchmark."}}
figure = factor_effects(settings, lines, "pairing")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "pairing"),
    "Response NLL with another pair minus that with the starting point's, ± half of the 95% interval.",
    "ablation-pairing",
    command=COMPARE,
    records=records,
    fold="The numbers: pairings",
)
similar = results_dir() / "ablations-analysis" / "cka-micro-sibling.csv"
where = ablations.pairs_of(settings, pd.read_csv(similar)) if similar.is_file() else ablations.NOT_RUN
display(Markdown(f"{ablations.reading(lines, 'pairing')}\n\n{where}."))

# %% [markdown]
# In micro-sibling, around the paper's settings, the attributed pair is the worst of all that were tried on GSM8K: each of the others leaves a lower loss, and the loss of the student before is lower still ({numref}`tab-ablation-bases`). The pairs that do not have the first student layer hardly differ among each other there. On MMLU none is clearly better than the attributed pair. Without labels on GSM8K, one layer below the last, the formula's layer is among the best: only the mixture of two layers is not clearly worse. On MMLU the first teacher layer does better there. Beside labels on GSM8K the formula's layer is better than every other that was tried, and on MMLU the choice makes no clear difference. In micro-student no choice makes a clear difference on MMLU. On GSM8K the layer above the formula's does better than it without labels, and most others do worse, with labels and without ({numref}`tab-second-pairing`). As in micro-sibling the attributed pair does more harm there than a middle or a late one.
#
# ## Granularity
#
# Attribution and training can look at what attention adds, at what the MLP adds, at both together, or at the layer's output. The paper attributes and compares at one of them, and does not say exactly at which.
#
# **Attribution** can also look at single attention heads, whose output is taken before the matrix that mixes them; a layer then has the score of its best head. And it can go another way than gradient × activation: *integrated gradients* average the gradient over activations between zero and the layer's own, and an *ablation* puts zero in place of the activation and measures how far the log-likelihood of the response falls. All that a choice can change is the {term}`critical layer`, and with it the pair of layers; {numref}`fig-ablation-attribution` shows the layer, and {numref}`tab-ablation-attribution` both. A pair is trained only where it differs from that of the starting point: {numref}`tab-ablation-pairing` has the pairs that were.
#
# **Training** can compare single heads too (`heads`), which the paper leaves to future work (its Appendix D.2). The state of a head is what it alone adds to the residual stream, where the atoms are, and head $i$ of the student is compared with head $i$ of the teacher ([Decisions](#decisions-interface)). The student of this chapter was cut from the teacher and kept its heads, so these belong together.

# %% tags=["hide-input"]
from semalign.book.tables import analyses
from semalign.results.records import read_record

attributed = results_dir() / "ablations-analysis" / "attribution.json"
if not attributed.is_file():
    display(Markdown(f"*The attributions were not run: `{ATTRIBUTE}` measures them.*"))
else:
    found = read_record(attributed)
    sizes = (source_once(name).outline.model.config.num_hidden_layers for name in (settings.teacher, settings.student))
    scores = analyses.recorded_scores(found)
    page.save(scores, "attribution-choices")
    page.show_table(
        analyses.critical_layers(scores, *sizes),
        f"Critical teacher layer → paired student layer by each method of attribution, aggregation and granularity, over {found['configuration']['examples']} training rows.",
        "ablation-attribution",
        command=ATTRIBUTE,
        records=[attributed],
        fold="The layers in numbers",
    )
    display(
        Markdown(
            f"Of {found['n']} choices, {found['value'] * found['n']:.0f} find the layer that the paper's settings find."
        )
    )

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The critical teacher layer by each method and aggregation of attribution, a marker for each granularity. What to see: whether the choice moves the layer away from the first one.", "name": "fig-ablation-attribution"}, "image": {"alt": "A panel for each benchmark; in each, a line for each method and aggregation, with a marker at the layer that each granularity finds."}}
if attributed.is_file():
    figure = critical_places(scores)

# %% tags=["remove-input"]
if attributed.is_file():
    display(page.provenance("attribution-choices", ATTRIBUTE, attributed))

# %% [markdown]
# The figure and the table below change where states are *compared*.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL at another interface minus that at the starting point's, around three starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: whether the choice of the interface changes more than the choice of the map.", "name": "fig-ablation-interface"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for each interface and each benchmark."}}
figure = factor_effects(settings, lines, "interface")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "interface"),
    "Response NLL at another interface minus that at the starting point's, ± half of the 95% interval. For `literal` the interface also decides what is attributed.",
    "ablation-interface",
    command=COMPARE,
    records=records,
    fold="The numbers: granularity",
)
display(Markdown(ablations.reading(lines, "interface")))

# %% [markdown]
# {numref}`tab-ablation-heads` compares trainings at single heads with the same and permuted atoms, and with the sum over heads, which is the interface `attention`; beside labels also with labels alone.

# %% tags=["hide-input"]
page.show_table(
    pairs.pair_table(settings, HEADS, family, NLL),
    "Difference in the held-out NLL in nats per token, ± half of the 95% interval over rows and seeds; below zero heads compared one by one are better.",
    "ablation-heads",
    command=COMPARE,
    records=records,
)
page.show_table(
    pairs.pair_table(second.profile, HEADS, second_family, NLL),
    "What {numref}`tab-ablation-heads` has, for micro-student.",
    "second-heads",
    command=SECOND,
    records=second_records,
    fold="The same for micro-student",
)

# %% [markdown]
# In micro-sibling, around the paper's settings on GSM8K, heads do better with real atoms than with permuted ones: what single heads add can be aligned too. Elsewhere no such difference is shown. Without labels the mean loss falls on MMLU only, by less than its interval, as it does for the sum over heads. At the last layers on GSM8K heads do less harm than their sum. Labels alone are not beaten, and on GSM8K they do better. In micro-student real and permuted atoms are not shown to differ anywhere. Heads do better there than their sum on GSM8K, with labels and without, and on MMLU without ({numref}`tab-second-heads`); labels alone are not beaten there either.

# %% [markdown]
# ## Readings of the text
#
# Three things that the text leaves open are done the other way here, one at a time: the gain of the [final norm](#decisions-final-norm) folded into the head before it is inverted, means subtracted from [states and targets](#decisions-averages), and every [position](#decisions-supervised-positions) supervised instead of the response alone.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL under another reading of the text minus that under the starting point's, around three starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: whether a decision of this project changes the result.", "name": "fig-ablation-reading"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for each of three readings and each benchmark."}}
figure = factor_effects(settings, lines, "reading")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "reading"),
    "Response NLL under another reading minus that under the starting point's, ± half of the 95% interval.",
    "ablation-reading",
    command=COMPARE,
    records=records,
    fold="The numbers: readings",
)
display(Markdown(ablations.reading(lines, "reading")))

# %% [markdown]
# ## Rows and labels
#
# How much does the result depend on what is trained on? With 32, 100 or 300 rows in place of 1,000, each row is used more often, so that there are as many steps. In another group of variants no label is used at all: the responses are the teacher's own greedy answers to the same prompts, and the layer term trains alone, beside cross-entropy with these answers, or beside a KL term to the teacher's logits ([Decisions](#decisions-what-the-teacher-s-answers-are)). Losses are measured on held-out rows with their true responses, whatever was trained on.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL after training on other rows or responses minus that after 1,000 rows with their labels, around three starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: how much is lost without labels, and with few rows.", "name": "fig-ablation-regime"}, "image": {"alt": "Panels, one for each starting point, with a point and an interval for each number of rows and each kind of responses, and each benchmark."}}
figure = factor_effects(settings, lines, "regime")

# %% tags=["remove-input"]
page.provenance("ablations", COMPARE, records)

# %% tags=["hide-input"]
page.show_table(
    ablations.factor_table(settings, lines, "regime"),
    "Response NLL after training on other rows or responses minus that after 1,000 rows with their labels, ± half of the 95% interval.",
    "ablation-regime",
    command=COMPARE,
    records=records,
    fold="The numbers: rows and labels",
)
display(Markdown(ablations.reading(lines, "regime")))

# %% [markdown]
# A teacher is worth most where labels are few. If alignment carries knowledge, the layer term must lower the loss beside the same labels, and more so when rows are taken away; and its atoms must matter, so that permuted ones lower it less. {numref}`tab-ablation-controls` compares trainings on the same rows.

# %% tags=["hide-input"]
contrasts = regimes.regime_data(settings, family)
page.show_table(
    regimes.regime_table(settings, contrasts),
    "Trainings on the same rows: difference of their response NLL, ± half of the 95% interval. Below zero the first is better; a blank was not tried.",
    "ablation-controls",
    command=COMPARE,
    records=records,
)
display(Markdown(regimes.regime_reading(contrasts)))
second_contrasts = regimes.regime_data(second.profile, second_family)
page.show_table(
    regimes.regime_table(second.profile, second_contrasts),
    "The same for micro-student.",
    "second-controls",
    command=SECOND,
    records=second_records,
)
display(Markdown(regimes.regime_reading(second_contrasts)))

# %% [markdown]
# Beside labels neither the paper's map nor the logit-preserving one clearly lowers the loss with any number of rows. On GSM8K the paper's map raises it, less so the fewer rows there are, and with the fewest its mean is lower, not clearly; permuted atoms raise it more in the mean: the correspondence is felt there, but brings no gain. The teacher's answers in place of labels change none of this.
#
# With the fewest rows the order of the means in micro-sibling is that of semantics: on both benchmarks the loss is lower than with labels alone beside the paper's and the logit-preserving map, and higher beside permuted atoms. None of these differences is shown. [The search with few labels](05_premise.ipynb) gives each of them a rate of its own.
#
# In micro-student, with the fewest rows on MMLU, every layer term lowers the mean loss beside labels. Permuted atoms lower it most, and they alone beyond chance once all comparisons are corrected for, which is no sign of semantics. With 100 rows or more on GSM8K, and beside the teacher's answers on MMLU, the paper's map raises the loss ({numref}`tab-second-controls`).
#
# The search with few rows in the independent pair is in [Chosen settings](10_chosen_settings.ipynb).

# %% [markdown]
# ## The other student
#
# Here `micro-student` takes all of this chapter's changes. This student was trained apart from the teacher, and its atoms hardly correspond to the teacher's. Rows, rates, layers and interface are those of the first student, so that none was chosen for this one.

# %% tags=["hide-input"]
page.show_table(
    ablations.base_table(second.profile, second.records, second.before),
    "The starting points for micro-student, as in {numref}`tab-ablation-bases`.",
    "second-bases",
    command=SECOND,
    records=second_records,
)
page.save(second_lines, "second-ablations")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Response NLL of micro-student with another map minus that with the paper's map, around three starting points. Bars are 95% intervals; the axis is linear within 0.01 nats of zero and logarithmic beyond. What to see: whether the permuted form of a map is worse than the map itself here too.", "name": "fig-second-map"}, "image": {"alt": "Three panels, one for each starting point, with a point and an interval for each of eight maps and each benchmark, and a line at zero."}}
figure = factor_effects(second.profile, second_lines, "map")

# %% tags=["remove-input"]
page.provenance("second-ablations", SECOND, second_records)

# %% tags=["hide-input"]
CHANGED = {
    "map": ("map", "with another map minus that with the paper's"),
    "layers": ("number of layers", "with more layers minus that with one"),
    "strength": (
        "strength of decomposition",
        "with other coefficients or atoms minus that with the cosines of all atoms",
    ),
    "weight": ("weight", "with another weight of the layer term minus that with weight 1"),
    "pairing": ("pairing", "with another pair of layers minus that of the starting point"),
    "interface": ("interface", "with another interface minus that of the starting point"),
    "reading": ("reading", "under another reading of the text minus that of the starting point"),
    "regime": ("rows and labels", "after training on other rows or responses minus that after 1,000 rows with labels"),
}
for factor, (called, what) in CHANGED.items():
    page.show_table(
        ablations.factor_table(second.profile, second_lines, factor),
        f"Response NLL of micro-student {what}, ± half of the 95% interval.",
        f"second-{factor}",
        command=SECOND,
        records=second_records,
        fold=f"The numbers: {called} for micro-student",
    )
    display(Markdown(f"By the {called}:\n\n{ablations.reading(second_lines, factor)}"))
page.show_table(
    pairs.pair_table(second.profile, FORMS, second_family, NLL),
    "What {numref}`tab-ablation-forms` has, for micro-student: a map minus its permuted form.",
    "second-forms",
    command=SECOND,
    records=second_records,
)
page.show_table(
    pairs.pair_table(second.profile, ON_LAYERS, second_family, NLL),
    "What {numref}`tab-labels-on-layers` has, for micro-student: labels alone on more layers, and labels with the layer term minus labels on the same layers.",
    "second-labels-on-layers",
    command=SECOND,
    records=second_records,
)

# %% [markdown]
# Learning from aligned states alone, this student too loses more on GSM8K when the tokens of the logit-preserving map are shuffled, though its atoms hardly agree with the teacher's ({numref}`tab-second-forms`); with the paper's map it does so in the mean, and the difference is not shown, as on MMLU with every map. The Procrustes and the ridge map do less harm on GSM8K than the paper's map around every starting point. Without labels, more layers raise the loss on both benchmarks, with four and all eight far more than in the first student. Beside cross-entropy the layer term raises it on GSM8K at two, four and all eight layers, and on MMLU at two, while labels alone on more layers lower it on GSM8K. Beside labels the mean loss is the lower the less weight the layer term has, on both benchmarks. Targets of few atoms do less harm on GSM8K than those of all: with labels, as in the first student, and without, where one atom does more in the first student ({numref}`tab-second-strength`). Around the paper's settings they do less harm on GSM8K and more on MMLU; on GSM8K the first layers do less harm too where states are compared at the attention, at heads or at the layer's output ({numref}`tab-second-interface`). A soft softmax does more harm. States and targets without their means do less harm there too, and supervision of every position does more without labels ({numref}`tab-second-reading`).

# %% [markdown]
# (labels-of-another-form)=
# ## Labels of another form
#
# So far the labels have a form that both models know from their training. Labels of another source often do not: The published GSM8K's answers have marks for a calculator and end in a number behind "####", while the training rows of LaTen's code end in a sentence. Does the teacher's aligned state help where neither model has seen the form of the labels? Two tasks have the questions and prompts of the micro benchmarks with other responses. In `micro_gsm8k_laten` the worked solution stands on one line and ends in a sentence, as in LaTen's rows; in `micro_mmlu_words` the response is the text of the right choice in place of its letter. Held-out rows and test items have this form too. The entries, their controls and the seven learning rates are those of [the search at the last layers](05_premise.ipynb), without the maps of Procrustes and the projection: `alone` learns from aligned states only, `labels` from cross-entropy, with or without a layer term, `all-layers` is fine-tuning of all layers, and `logits` is distillation. `semalign` is the paper's method with the paper's settings, at the pair that attribution chooses, and was not part of the search.
#
# The teacher has not seen the form either. On GSM8K it still gets most of the numbers right; of the choices in words it gets hardly more than the student, so that there it has little to show ({numref}`tab-form-scores`).

# %% tags=["hide-input"]
from semalign.book.readings import verdicts
from semalign.book.tables.controls import control_table, label
from semalign.book.tables.pairs import equality_table
from semalign.book.tables.searches import best_points, loss_table, loss_text
from semalign.experiments.selection import ITEMS
from semalign.results.pairs import SCORE, pair_differences
from semalign.results.records import NONE

form = Comparison(load_profile("sibling-form"))
FORM_CONTROLS = {
    "alone-semantic": "alone-permuted",
    "alone-least-squares": "alone-permuted-least-squares",
    **{f"labels-{name}": "labels" for name in ("semantic", "permuted", "least-squares")},
    "all-layers": "labels",
}
SELECT = f"semalign select --profile {form.profile.name}"
searched = results_dir() / f"{form.profile.name}-selection"
losses = loss_table(form.profile, best_points(form.profile, searched), FORM_CONTROLS)
page.show_table(
    losses,
    f"{form.profile.teacher} → {form.profile.student}, last layers, labels of another form: response NLL over all response tokens of {ITEMS} validation rows of that form, in nats per token, each entry at its best rate. The control of a map alone is its permuted form, that of anything else is `labels`; differences are means over rows with 95% bootstrap intervals. Below zero is better. †: at an end of the grid of rates.",
    "form-training",
    command=SELECT,
    records=sorted(searched.glob("*.json")),
)
display(Markdown(loss_text(losses)))

# %% [markdown]
# Each entry was then trained at its best rate with three seeds, and scored once on the test split. A number counts as right wherever it stands last in the answer (`flexible`), so that the score does not ask for the form; a choice counts by the likelihood of its text.

# %% tags=["hide-input"]
FORM_PAIRS = [*FORM_CONTROLS.items(), ("labels", "logits"), ("semalign", "labels")]
FORM_PAIRS += [(entry, NONE) for entry in ("semalign", "labels", "alone-semantic", "alone-permuted")]
tested = {measure: pair_differences(form.records, FORM_PAIRS, measure) for measure in (NLL, SCORE)}
scored = control_table(form.profile, form.scores, [form.profile.teacher])
page.show_table(
    scored[scored["name"].isin(map(label, form.entries)) | (scored["kind"] == "as it is")],
    f"{form.profile.teacher} → {form.profile.student}, labels of another form: test scores in percent with 95% intervals.",
    "form-scores",
    command=form.command,
    records=form.paths,
)

# %% tags=["hide-input"]
from semalign.book.tables.trainings import training_lines, training_table

did = training_lines(form.profile, form.records, form.entries, form.before)
page.show_table(
    training_table(form.profile, did, form.records, form.entries).drop(columns=["seeds", "steps", "trained"]),
    f"{form.profile.teacher} → {form.profile.student}, labels of another form, {did['steps'].min():.0f} to {did['steps'].max():.0f} steps, up to {did['seeds'].max()} seeds: test score in percent, change of the trained weights as a share of their norm, layer cosine before → after, held-out NLL before → after in nats per token, and its change with a 95% interval over rows and seeds.",
    "form-trainings",
    command=form.command,
    records=form.paths,
    fold="What these trainings did",
)

# %% tags=["hide-input"]
for measure, name in ((NLL, "nll"), (SCORE, "score")):
    page.show_table(
        equality_table(form.profile, FORM_PAIRS, tested[measure], measure).drop(columns="measure"),
        f"{form.profile.teacher} → {form.profile.student}, labels of another form: differences in {measure.name}, in {measure.unit}, with 90% intervals over {'rows' if measure is NLL else 'test items'} and seeds; the margin is {measure.margin:g}. What *equal*, *differs* and *open* mean is in the chapter on [controls](09_controls.ipynb).",
        f"form-{name}",
        command=form.command,
        records=form.paths,
        fold=f"Equal or not, {measure.name}",
    )
display(margin_text({form.profile.student: did}, "labels"))
BESIDE = {
    "A layer term beside labels, minus labels alone": ["labels-semantic", "labels-least-squares"],
    "Fine-tuning of all layers, minus labels alone": ["all-layers"],
    "Maps without labels, minus their permuted forms": ["alone-semantic", "alone-least-squares"],
}
said = [
    f"- **{what}**: {measure.name} {verdicts(tested[measure][tested[measure]['ours'].isin(entries)])}."
    for what, entries in BESIDE.items()
    for measure in (NLL, SCORE)
]
display(Markdown("Over both tasks:\n\n" + "\n".join(said)))

# %% [markdown]
# What the new form needs comes from the labels. Aligned states of the paper's map lower the loss without labels, but permuted ones lower it too, and with three seeds no difference between them is shown; with the logit-preserving map only the permuted form lowers it on MMLU, and neither does on GSM8K. Why a training without meaning lowers the loss here was not tested. With aligned states of the paper's map alone the score clearly falls on GSM8K only, and by less than with permuted atoms, which lower it on both benchmarks. The paper's method with its own settings lowers the score on GSM8K too, and does not clearly change that on words; on GSM8K it ends above labels at the last layer, which do still more harm, and on words below them ({numref}`tab-form-score`). So the correspondence keeps something here too, but brings no gain. Beside labels no layer term lowers the loss clearly below that of labels alone. A lower loss is not a higher score here: at the last layer alone, the labels of GSM8K teach the student to write in the new form and to get the numbers wrong, which fine-tuning of all layers does not. The rates were chosen by the loss, as in the search at the last layers. On words this gave `logits` the highest rate of all, at which its training ran away: the weights change many times over, the loss stays about where it was, and the score falls far ({numref}`tab-form-trainings`), so that this entry says nothing about logits there. `semalign select` asks for the score first and marks other points, with lower rates on GSM8K, where labels at the last layer hardly change the score.
#
# ## Does alignment predict the gain?
#
# The transfers with a layer term in the folders that the line below the figure names say how similar the student's states were to their targets before training (the {term}`layer cosine`), how much that changed, and how far the held-out loss fell, relative to what it was. If alignment before the update predicts the transfer, the rank correlation of the first and the last is above zero. Runs on labels of another form are left out, since there the loss falls most by learning the form. Runs that differ only in their seed count as one. Settings also differ in their rate, their layer and their output term, and those move the loss too, so a correlation over them all does not show an effect of alignment. The page [Claims](../claims.md) counts each task with a pair of layers and an interface once, by the mean over those of its runs that have the paper's targets. That mean depends on the rates that were tried, and so does the verdict.

# %%
FOLDERS = [
    "ablations", "student-ablations", "micro", "micro-sibling", "micro-tuned", "micro-sibling-tuned", "micro-changes",
    "sibling-changes", "sibling-first", "sibling-plus",
    "micro-tuned-selection", "micro-sibling-tuned-selection", "micro-plus-selection", "micro-few-selection",
    "sibling-plus-selection",
    "sibling-places-selection", "coder-plus-selection", "coder-plus",
]  # fmt: skip
paths = [path for name in FOLDERS for path in sorted((results_dir() / name).glob("*.json"))]
runs = prediction.measured_runs(paths)
print(len(runs), "settings with layer cosine and held-out loss")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Relative fall of the response NLL over the layer cosine before training, one point for each setting with the paper's map, by benchmark, of the micro models; the vertical axis is linear within 0.1 of zero. What to see: whether points further right are higher, among the points of one student.", "name": "fig-prediction"}, "image": {"alt": "A panel for each benchmark with a cloud of points for each student, and a line at zero."}}
figure = gain_over_alignment(runs[runs["map"] == "semantic"])
page.save(runs, "prediction-runs")

# %% tags=["remove-input"]
VERBS = {True: "select", False: "compare"}
PREDICT = "; ".join(f"semalign {VERBS[name.endswith('-selection')]} --profile {name.removesuffix('-selection')}" for name in FOLDERS)  # fmt: skip
page.provenance("prediction-runs", PREDICT, paths)

# %% tags=["hide-input"]
page.show_table(
    prediction.prediction_table(runs),
    "Spearman's rank correlation of the layer cosine with the relative fall of the response NLL, ± half of the 95% bootstrap interval over settings. With too few different cosines nothing is computed.",
    "prediction",
    command=PREDICT,
    records=paths,
)

# %% [markdown]
# Where the interval of the correlation with the cosine before training excludes zero, the correlation is weak, with every map as with the paper's. On MMLU it comes from the difference between the students: micro-sibling has both the higher cosines and the larger falls, and within a student none is shown. On GSM8K it is shown within micro-student, and not within micro-sibling. In `coder-plus`, `micro-teacher` is the student. On MMLU and GSM8K, which have most of the settings, the loss of micro-student fell less where training raised the cosine more.
#
# The sweeps over every layer, which the chapter on [controls](09_controls.ipynb) shows, have one rate, one number of steps and the layer term alone, so that the runs of a student and a task differ in their place and their map only. With every map a weak correlation above zero is shown on GSM8K; with the paper's map the one that is shown is below zero, in micro-sibling on GSM8K.

# %% tags=["hide-input"]
SWEPT = ["micro-depth", "micro-sibling-depth"]
swept = [path for name in SWEPT for path in sorted((results_dir() / f"{name}-sweep").glob("*.json"))]
page.show_table(
    prediction.prediction_table(prediction.measured_runs(swept)),
    "The same over the places of the sweeps: a layer of a student, an interface and a map.",
    "prediction-sweeps",
    command="; ".join(f"semalign sweep --profile {name}" for name in SWEPT),
    records=swept,
)

# %% [markdown]
# (patch-test-and-training)=
# ### Does the patch test predict a training?
#
# `semalign diagnose` puts aligned states in place of the student's own, before any training, and measures what that does to the loss ([What do the targets do?](05_premise.ipynb)). The sweeps trained some of the same places: the output of the MLP of a student layer, with the same teacher layer and the same map, on two benchmarks. So the two changes of the loss can be compared, place by place. {numref}`fig-patch-training` shows them, and {numref}`tab-patch-training` says how alike their order is, and how often the training confirms that a place helps.

# %% tags=["hide-input"]
from semalign.book.tables import patch_training, premise
from semalign.experiments import sweep
from semalign.experiments.students import student_rows

sweeps, trainings, before = [load_profile(name) for name in SWEPT], [], {}
for each in sweeps:
    trainings += sweep.current(each, sweep.sweep_folder(each))
    before |= {(each.student, task): student_rows(each, task) for task in each.tasks}
trained = [read_record(path) for path in trainings]
diagnosed = premise.diagnoses(results_dir() / "diagnosis")
changes_made = patch_training.trained_places(trained, before)
places = patch_training.patched_and_trained(diagnosed, changes_made)
both = places.drop_duplicates(patch_training.PLACE)
print(len(both), "places were patched and trained")

# %% tags=["hide-input"]
NAMED = ["teacher", "student", "task"]
kept = set(both[NAMED].itertuples(index=False, name=None))
patched = [one for one in diagnosed if tuple(one[name] for name in NAMED) in kept]
of_both = [results_dir() / "diagnosis" / premise.file_of(record) for record in patched]
of_both += trainings
page.save(places, "patch-training-places")
if patched:
    sizes = [task.train_size for each in sweeps for task in each.tasks.values()]
    display(Markdown(patch_training.rows_text(patched, trained, sizes)))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Change of the response NLL by the training of a place, over its change where aligned states replace half of the student's own at that place (strength 0.5), in nats per token; on the dotted line both are equal. Axes are linear within 0.01 nats of zero and logarithmic beyond. What to see: in three of the four panels points further left tend to be lower, and most of those left of zero lie far above the dotted line, so that a training gains less than the patch, or nothing.", "name": "fig-patch-training"}, "image": {"alt": "A panel for each student and benchmark, with a point for each layer and map, lines at zero and a dotted diagonal."}}
figure = trained_over_patched(places[places["strength"] == 0.5])

# %% tags=["remove-input"]
PATCH_TRAINING = "semalign diagnose TEACHER STUDENT --data TASK --out FOLDER; "
PATCH_TRAINING += "; ".join(f"semalign sweep --profile {name}" for name in SWEPT)
page.provenance("patch-training-places", PATCH_TRAINING, of_both)

# %% tags=["hide-input"]
page.show_table(
    patch_training.agreement_table(places),
    "The patch test beside training, at each strength: Spearman's rank correlation of the two changes of the loss, with its 95% bootstrap interval over the layers of a student; at how many places the training lowers the loss (its 95% interval over rows is below zero) among all, among those where the patch does (its own interval is below zero), and among those that a diagnosis would name (better than the map's control and than zero, too); and the mean change where the patch helps, by the patch → by the training, in nats per token. All: places are ranked within each student and benchmark.",
    "patch-training",
    command=PATCH_TRAINING,
    records=of_both,
)

# %% [markdown]
# The order of the places is predicted to a degree: over both students and benchmarks the correlation is shown to be above zero, at either strength. Within one student and benchmark it is shown for `micro-sibling` on MMLU, and at the lower strength for `micro-student` on GSM8K; for the others it is not. On GSM8K it is an order of harm: where the patch raises the loss most, training raises it most, and training lowers it nowhere. Gains are overstated. On MMLU with `micro-sibling`, training lowers the loss at most places where the patch does, and at both that a diagnosis would name, which are maps of the last layer; elsewhere it confirms none of the places where the patch helps. Where the patch helps, the mean gain by training is a small part of that by the patch, or none at all. A patch reaches its target exactly, which a training does not, and the places that help were picked on few rows; how much either explains was not tested. No place of `micro-student` on MMLU is shown to help by the patch; training lowers the loss at one of them.
#
# So a diagnosis that names a place is a reason to try it, beside its control and beside labels, and no forecast of the gain; and places that it does not name can lower the loss too. This rests on two students, two benchmarks, one rate and one seed, and on the layer term alone: whether a place adds to labels is another question. Each student has four layers in this comparison, and with so few the intervals of the correlations are rather too narrow. A training's interval is over rows alone.

# %% [markdown]
# ## Side effects
#
# Appendix D.1 argues that a method that writes parameters of the teacher into the student is likely to harm what the student knew besides, and that layer outputs are safer. Here a student is trained on one task, and measured on all four: the loss on held-out rows, and the score on the test items. Every entry is measured. Under the settings of [the main comparison](08_evaluation.ipynb) LaTen changes nothing; with [chosen settings](10_chosen_settings.ipynb) its weights change by less than a percent, and the loss on its own task falls by a few percent.

# %% tags=["hide-input"]
MEANS = "Mean changes after a transfer on one task, over the tasks trained on: of the trained weights as a share of their norm, of the response NLL in nats per token (above zero is harm) and of the score in points (below zero is harm)."
MATRICES = {
    "": (side_effects.LOSS, "change of the response NLL on each task after a transfer on one, in nats per token, with 95% intervals over rows. Above zero is harm."),
    "-scores": (side_effects.SCORE, "change of the score on each task after a transfer on one, in points, with 95% intervals over items. Below zero is harm."),
}  # fmt: skip
means_of = {}
for name, (about, command) in SIDES.items():
    made = {"command": command, "records": results_dir() / name}
    found = {end: side_effects.side_effects(results_dir() / name, kind) for end, (kind, _) in MATRICES.items()}
    if found[""].empty:
        display(Markdown(f"*The side effects on {about} were not run: `{command}` measures them.*"))
        continue
    short = name.replace("effects", "effect", 1)
    page.show_table(
        side_effects.mean_table(*found.values()),
        f"Student {about}. {MEANS} Seeds: {found['']['seeds'].min()}.",
        f"{short}-means",
        **made,
    )
    for end, (kind, caption) in MATRICES.items():
        page.save(side_effects.side_effect_table(found[end], kind), data := f"{short}{end}" if end else name)
        display(Markdown(f"In the data file: {caption}"), page.provenance(data, command, results_dir() / name))
    means_of[name] = means, _ = tuple(side_effects.mean_rises(lines) for lines in found.values())
    still = [f"`{name}`" for name, own, other, *_ in means.itertuples() if rounded(own, 4) == rounded(other, 4) == 0]
    if still:
        display(Markdown(f"{', '.join(still)} changed nothing here, which decides nothing."))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Mean changes after a transfer on one task, over the tasks trained on, student micro-sibling: of the loss in nats per token (left, above zero is harm; the axis is linear around zero, else logarithmic) and of the score (right, below zero is harm), on the task trained on and on the others. What to see: which methods change the other tasks at all, and whether a gain on the own task is paid for there.", "name": "fig-side-effects"}, "image": {"alt": "Two panels with a line for each method and a marker each for own and other tasks, on either side of a line at zero."}}
if "side-effects" in means_of:
    figure = side_effect_points(*means_of["side-effects"])

# %% tags=["remove-input"]
if "side-effects" in means_of:
    display(page.provenance("side-effect-means", SIDES["side-effects"][1], results_dir() / "side-effects"))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for micro-student, with fewer rows, and settings chosen on validation data for all but `semalign`.", "name": "fig-side-effects-tuned"}, "image": {"alt": "Two panels with a line for each method and a marker each for own and other tasks, on either side of a line at zero."}}
if "side-effects-tuned" in means_of:
    figure = side_effect_points(*means_of["side-effects-tuned"])

# %% tags=["remove-input"]
if "side-effects-tuned" in means_of:
    tuned = "side-effects-tuned"
    display(page.provenance("side-effect-tuned-means", SIDES[tuned][1], results_dir() / tuned))

# %% [markdown]
# In micro-sibling everything that learns by the paper's output cosine or from aligned states alone raises the loss on the other tasks a little, by less than a hundredth of a nat on average, real atoms and permuted ones, first layers and last ({numref}`tab-side-effect-means`). Labels, the teacher's logits and Seeking leave it as it was on average, while they lower that of their own task. The first group also changed its weights most. In micro-student, with fewer rows and chosen rates, it is the other way round: labels, the teacher's logits and Seeking raise the loss on the other tasks, and what learns from aligned states without labels hardly changes it, since most of these hardly trained ({numref}`tab-side-effect-tuned-means`). Of those that raise the score of their own task much, fine-tuning of all layers (`sft`) keeps the mean score on the others about as it was; labels at one layer lower it, beside permuted atoms the most, so that to train few layers was no protection here. With one seed for each training this decides nothing about layer outputs and parameters.
#
# ## What moves, and what is computed
#
# Appendix D.1 says that layer outputs need less bandwidth than parameters or logits, and that alignment costs almost nothing. Both can be computed from the shapes of the models and the lengths of the rows; {numref}`tab-plan-check` compares the operations of each phase with what is counted while it runs, and {numref}`tab-medium-measured` the sizes with those of the tensors, both for a few rows. The targets of all training rows are compared with the weights of one student layer and with the logits at the same positions; operations are those of one transfer under the paper's settings. Lengths of texts are counted for the micro tasks; for the real ones they are estimated from the characters where the tokenizer is not here, and assumed where the data are not.

# %% tags=["hide-input"]
COLUMNS = "For each task: megabytes of the targets of all training rows, of the logits at the same positions and of one student layer, in the type of the weights; billions of operations of a transfer, part by part."
MOVED = {"llama2": "Llama 2, 13B to 7B", settings.name: "micro-teacher to micro-sibling"}
moved_of = {}
for name, models in MOVED.items():
    moved = moved_of[name] = medium.medium_table(load_profile(name))
    page.show_table(moved, f"{models}. {COLUMNS}", f"medium-{name}", decimals=1)
    share = medium.share_of_alignment(moved)
    less = ", ".join(moved.loc[moved["targets, MB"] < moved["one layer, MB"], "data"]) or "no task"
    low, high, own = f"{share.min():.2g}", f"{share.max():.2g}", medium.share_of_teacher(moved)
    said = f"Bases, map and targets are {low if low == high else f'{low} to {high}'} percent of the operations, the teacher's pass {own.min():.0f} to {own.max():.0f} percent. The targets are smaller than one layer for {less}. The logits at the same positions are {(moved['logits, MB'] / moved['targets, MB']).iloc[0]:.1f} times as large."
    display(Markdown(said))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same sizes (left) and operations (right), on logarithmic axes. What to see: the targets are far smaller than the logits, and for several tasks larger than one layer; bases, map and targets are a small part of what a transfer computes, and the teacher's pass, which a training on labels does not need, is not.", "name": "fig-medium"}, "image": {"alt": "A row of two panels for each pair of models: sizes of targets, logits and one layer, and operations of each part of a transfer, by task."}}
figure = sizes_and_operations({MOVED[name]: table for name, table in moved_of.items()})

# %% tags=["remove-input"]
for name in moved_of:
    display(page.provenance(f"medium-{name}"))

# %% tags=["hide-input"]
CHECK = "python benchmarks/plan_check.py --out data/results/speed/plan.json"
if (planned := results_dir() / "speed" / "plan.json").is_file():
    page.show_table(
        medium.measured_table(planned),
        "Sizes in bytes, and operations, for the rows by which {numref}`tab-plan-check` was made, in float32: by arithmetic, as in the tables above, and measured, as the sizes of the tensors and the products that were counted.",
        "medium-measured",
        command=CHECK,
    )
else:
    display(Markdown(f"*Not measured: `{CHECK}`.*"))

# %% tags=["hide-input"]
spent = {name: results_dir() / "micro-tuned-cost" / f"{name}.json" for name in ("semalign", "cross-entropy")}
if all(path.is_file() for path in spent.values()):
    ours, theirs = (read_record(path)["seconds"] for path in spent.values())
    display(
        Markdown(
            f"Measured in the micro family (micro-student, GSM8K, with fewer rows; {{numref}}`tab-cost`), a transfer takes {ours:.1f} s, and the same training of the same layer by cross-entropy, without any alignment, {theirs:.1f} s, one run each; both compute attribution."
        )
    )

# %% [markdown]
# **Read next**: [Similarity of layers](12_cka.ipynb), or [Claims](../claims.md) for what this means for the paper's claims.
