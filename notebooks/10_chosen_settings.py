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
# # Chosen settings
#
# ## In short
#
# **When every method has settings chosen on validation data, which one does best, and is there a better version of the paper's?**
#
# - With fewer training rows and chosen settings, `semalign-tuned`, the paper's objective with a rate of its own, trained a student only once: the one that was cut from the teacher, on MMLU. Its score there is not shown to differ from those with permuted and random atoms. Where another entry without cross-entropy is shown to differ from its permuted form, it is by about a thousandth of a nat at most, in trainings that hardly changed the student ({numref}`tab-permuted-forms-shown`). Beside {term}`labels`, where all train, the paper's map does better than permuted atoms for this student alone: in held-out loss on HumanEval ({numref}`tab-permuted-forms-shown-micro-sibling`). In score on MBPP the difference is shown over the eight tests of {numref}`tab-tuned-equality-micro-sibling`, which were planned afterwards, and not over all comparisons of the entry ({numref}`tab-differences-semalign-ce-micro-sibling`).
# - Training on labels does best in most cases, on all layers (`sft`) or on one: `sft`, in three epochs, scores higher than most entries, and one method is shown to score higher than it, on one benchmark: Seeking on MMLU, for the student that was cut from the teacher. There the means of several entries are above that of `sft`, labels at one layer among them. The mean score of labels alone at the same layer is higher than that of the paper's objective on each benchmark and for both students, beyond chance on GSM8K and HumanEval for the student that was trained apart and on all but GSM8K for the other. In all but one of these cases the paper's objective did not train the student, so that this compares labels with the student as it was.
# - With the paper's map beside them, labels are not shown to score higher than alone, and on MBPP, for the student that was trained apart, they score lower. They leave a higher held-out loss than alone in most cases, for the second student by less than the margin ({numref}`tab-tuned-equality`, {numref}`tab-tuned-equality-micro-sibling`).
# - Searches for a change of the objective that beats what one would run anyway, by more than its control does, found none.
# - **What this does not show**: what these methods reach at the paper's sizes, which is in [Controls](09_controls.ipynb), or with other models.
#
# :::{admonition} About this page
# - **Purpose**: compare every method of the registry under settings that were chosen on validation data: what each is, what it scores, "SemAlign minus X" on the same test items, how settings were chosen, whether a changed objective works, and what each method costs.
# - **Cost**: about 30 seconds, most of it resampling. Scores, the grid and the costs are only read from run records; what has no current record is *not run*.
# - **Command**: `semalign run --profile micro --only 10`. `semalign compare --profile micro-tuned` makes the scores, `semalign select --profile micro-tuned` the grid, and `python benchmarks/method_cost.py --profile micro-tuned` the costs.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "models",
    "benchmarks",
    "results/{profile}",
    "results/{profile}-tuned",
    "results/{profile}-tuned-cost",
    "results/{profile}-tuned-selection",
    "results/{profile}-sibling-tuned",
    "results/{profile}-sibling-tuned-selection",
    "results/{profile}-plus-selection",
    "results/{profile}-few-selection",
]

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book import figures, readings
from semalign.book.margin import margin_text
from semalign.book.markdown import Markdown, folded, table
from semalign.book.page import open_page
from semalign.book.tables import controls, costs, grids
from semalign.book.tables.trainings import training_lines
from semalign.book.tables.transfers import NOT_RUN, UNTRAINED

page = open_page("10_chosen_settings", profile, inputs)

# %%
import pandas as pd

from semalign.book.comparison import paper_sized, tuned
from semalign.book.tables.pairs import equality_table, pair_table
from semalign.book.tables.transfers import transfer_entries
from semalign.experiments.profiles import load_profile
from semalign.experiments.selection import TABLE
from semalign.paths import results_dir
from semalign.results.comparisons import differences
from semalign.results.pairs import NLL, SCORE, pair_differences
from semalign.results.records import PAPER

settings = load_profile(profile)
chosen, *others = tuned(settings) or paper_sized(settings)[:1]  # without chosen settings, as it is
scores, current = chosen.scores, {path.name for path in chosen.paths}
if chosen.lacking:
    print(chosen.lacking)
COST = f"python benchmarks/method_cost.py --profile {chosen.profile.name}"

# %%
ours = [name for name in transfer_entries(chosen.profile) if chosen.profile.method_of(name).name == PAPER]
compared = {name: differences(chosen.folder, name, only=current) for name in ours}

# %% [markdown]
# ## The answer in numbers
#
# `semalign` is the paper's method with the paper's settings, and `semalign-tuned` is the same with settings chosen on validation data. `semalign-ce` has cross-entropy in place of the output cosine, and `permuted-ce` is the same with permuted atoms. The other names are {term}`controls <control>`.

# %% tags=["hide-input"]
TUNED_PAIRS = [
    ("semalign-tuned", "permuted-atoms"),
    ("semalign-tuned", "random-bases"),
    ("semalign-ce", "cross-entropy"),
    ("semalign-ce", "permuted-ce"),
    ("semalign-tuned", "sft"),
]
if tuned(settings):
    page.show_table(
        controls.chosen_differences(chosen.profile, compared, TUNED_PAIRS),
        f"Profile {chosen.profile.name}, fewer rows and settings chosen on validation data: differences in points, ± half of the 95% interval before correction; bold: the corrected p is below 0.05. `semalign-ce` has cross-entropy in place of the output cosine, and `sft` uses no teacher. Which entries trained stands in {{numref}}`tab-controls`.",
        "tuned-in-short",
        command=chosen.command,
        records=chosen.paths,
    )
for each in (part for part in (chosen, *others) if part.paths):
    plain = differences(each.folder, "sft", only={path.name for path in each.paths})
    text = f"`sft`, which fine-tunes all layers on labels, against every other entry and the student as it is, student {each.profile.student}: {readings.clear_differences(plain)}, with $p$ corrected for all of them."
    display(Markdown(text))

# %% [markdown]
# ## Every method, with settings chosen on validation data
#
# All methods were trained on [fewer rows](#decisions-training-rows-at-micro-scale), so that all of them could be tried with five seeds.
#
# A method that transfers knowledge through semantic alignment should do better than the same training without a teacher, better than the same training with a map without semantics, and better than the usual ways to distil. The page [Baselines and controls](../baselines.md) describes each method in full. The *method* is the paper's, the *baselines* are those that the paper compares with, and the *controls* are this project's. Entries that are not in the registry of methods are {term}`variants <variant>`. Except for `semalign`, all entries have settings that were [chosen on validation data](#decisions-settings-of-the-tuned-entries).

# %% tags=["hide-input"]
page.show_table(
    controls.method_table(chosen.profile),
    "The methods: for a control, the citation is of what it varies.",
    "methods",
    fold="Every method and variant in one line",
)

# %% [markdown]
# ### Scores
#
# The scores are means over seeds with 95% intervals, as in {numref}`tab-table-1`: Student's $t$ over the seeds, or Wilson's over the items where there is only one run.

# %% tags=["hide-input"]
page.show_table(
    controls.control_table(chosen.profile, scores, [settings.teacher]),
    f"Scores of every method in percent with 95% intervals, teacher {settings.teacher}, profile {chosen.profile.name}. {UNTRAINED}",
    "controls",
    command=chosen.command,
    records=chosen.paths,
    fold="Scores of every method",
)

# %% tags=["hide-input"]
if settings.teachers:
    page.show_table(
        controls.control_table(chosen.profile, scores, list(settings.teachers)),
        f"The same from the further teachers of profile {chosen.profile.name}. {UNTRAINED}",
        "controls-code",
        command=chosen.command,
        records=chosen.paths,
        fold="Scores from the further teachers",
    )

# %% [markdown]
# ### SemAlign minus X
#
# Both methods were scored on the same test items ([Decisions](#decisions-differences)). The intervals are bootstrap intervals {cite}`efron1979bootstrap`: a resample draws items, the same for both methods, and seeds of each; the ends are percentiles of the difference over all resamples. Many lines are tested at once, so $p$ values are corrected for the whole table by Holm's procedure {cite}`holm1979multiple`, with [more resamples](#decisions-differences) where there are more lines: if lines with a corrected value below 0.05 are taken as differences, the chance that any of them has no difference is below 5%. With few seeds the spread over seeds is underestimated: with $n$ seeds, by a factor $(n - 1)/n$ in the variance.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "`semalign-tuned` minus every other entry, general teacher, with 95% intervals before any correction. What to see: right of zero `semalign-tuned` is better. It trained `micro-student` on none of these benchmarks (‡ in {numref}`tab-controls`), so that the figure shows how far the others are from the student, and nothing about semantics.", "name": "fig-differences"}, "image": {"alt": "One panel for each benchmark; in each a point with a horizontal interval for every method, and a line at zero."}}
TUNED = "semalign-tuned" if "semalign-tuned" in compared else PAPER
figure = figures.differences(chosen.profile, compared[TUNED])

# %% tags=["remove-input"]
page.save(compared[TUNED], f"differences-{TUNED}")
page.provenance(f"differences-{TUNED}", chosen.command, chosen.paths)


# %% tags=["hide-input"]
def show_differences(each, of_each, ending=""):
    """Show "SemAlign minus X" for each entry of the paper's method, folded."""
    of = f", student {each.profile.student}" if ending else ""
    for name, lines in of_each.items():
        data = f"differences-{name}{ending}"
        page.save(lines, data)
        if lines.empty:
            display(Markdown(f"*`{name}` minus X{of}: {NOT_RUN}.*"))
            continue
        for suffix, teachers, shown in controls.difference_tables(each.profile, name, lines):
            source = f"from {' and '.join(teachers)}{of}"
            caption = f"`{name}` minus X in points, {source}, ± half of the 95% interval. Bold: p, corrected for all {(~lines['single']).sum()} lines, is below 0.05; the data have every p. Above zero `{name}` is better."
            made = table(shown, caption, f"tab-differences-{name}{suffix}{ending}")
            display(folded(made, f"{name} minus X, {source}"), page.provenance(data, each.command, each.paths))


show_differences(chosen, compared)

# %% [markdown]
# ### Every map beside its permuted form
#
# What an entry with a layer term does may come from its map, or from any training at this layer. So each stands beside the same entry with permuted atoms or, for maps that are fitted to states, with states that come from other positions. Both have a rate of their own, from the same grid. Held-out NLL is compared, the finer measure; it is that of the validation rows that chose the rates. A second table asks by two one-sided tests {cite}`schuirmann1987tost` whether the paper's map beside labels is equal to labels alone, and to permuted atoms, within the margins of all such tests here ([Decisions](#decisions-differences)); they were planned after their records were made.

# %% tags=["hide-input"]
PERMUTED = {
    "semalign-tuned": "permuted-atoms",
    "layer-cosine": "permuted-layer",
    "least-squares": "permuted-least-squares",
    "procrustes": "permuted-procrustes",
    "ridge": "permuted-ridge",
    "semalign-ce": "permuted-ce",
}
BESIDE_LABELS = [("semalign-ce", "cross-entropy"), ("semalign-ce", "permuted-ce")]


# %% tags=["hide-input"]
def show_permuted(each, ending=""):
    """Show the differences in held-out NLL between each map and its permuted form."""
    pairs = list(PERMUTED.items())
    runs = each.records[each.records["teacher"] == settings.teacher]
    lines = pair_differences(runs, pairs, NLL)
    page.save(lines, f"permuted-forms{ending}")
    page.show_table(
        pair_table(each.profile, pairs, lines, NLL),
        f"Student {each.profile.student}: each map minus its permuted form in held-out NLL, in nats per token, ± half of the 95% interval over rows and seeds; below zero the map is better. Bold: p, corrected for all {(~lines['single']).sum()} lines, is below 0.05.",
        f"permuted-forms-shown{ending}",
        command=each.command,
        records=each.paths,
    )
    tested = {measure: pair_differences(runs, BESIDE_LABELS, measure) for measure in (NLL, SCORE)}
    lines_of_measure = tested[NLL]
    page.show_table(
        pd.concat([equality_table(each.profile, BESIDE_LABELS, tested[measure], measure) for measure in tested]),
        f"Student {each.profile.student}, the paper's map beside labels: is the difference shown to be small (*equal*), is there one (*differs*), or neither (*open*)? *Equal*: the 90% interval, which is shown, lies inside the margin; *differs*: p, corrected for all {(~lines_of_measure['single']).sum()} differences of the measure, is below 0.05. Held-out NLL in nats per token (margin {NLL.margin:g}), score in points (margin {SCORE.margin:g}).",
        f"tuned-equality{ending}",
        command=each.command,
        records=each.paths,
    )
    plain = training_lines(each.profile, each.records, ["cross-entropy"], each.before)
    display(margin_text({each.profile.student: plain}, "cross-entropy"))


if tuned(settings):
    show_permuted(chosen)

# %% [markdown]
# ### How settings were chosen
#
# `semalign select` scores every point of a grid on validation data, with one seed, the {term}`general teacher`, and the same number of points for every entry, so that no method is tuned more than another. Each grid has six rates; the weight of the layer term is the paper's 1, and 0.3 beside cross-entropy, in `layer-distillation` and in `frontier`. The profile's variants hold the [best point](#decisions-settings-of-the-tuned-entries) of each entry and task: of the points whose score is within one standard error of the highest, the one with the lowest response NLL, which is not always the one with the highest score. The test split is not used. A best point at the highest rate means that the grid is too short for that entry; the lines above the tables name those, if any. They also name the entries whose loss falls at the lowest rate, where a lower one may be better. At the lowest rates a student hardly changes, so a method that does harm at every rate has its best point there.


# %%
def grid_of(profile):
    """Return the folder of a profile's grid, and the grid; None if it was not run."""
    folder = results_dir() / f"{profile.name}-selection"
    return folder, pd.read_csv(folder / TABLE) if (folder / TABLE).is_file() else None


# %% tags=["hide-input"]
def show_grid(profile, ending=""):
    """Show the chosen points of a grid, and all points, folded."""
    command = f"semalign select --profile {profile.name}"
    folder, points = grid_of(profile)
    if points is None:
        display(Markdown(f"*The grid of profile {profile.name} was {NOT_RUN}. `{command}` runs it.*"))
        return
    print(grids.grid_size(points))
    page.save(points, f"selection{ending}")
    display(Markdown(grids.ends_text(profile, points)))
    differing = grids.not_as_chosen(profile, points)
    print(f"Entries whose settings in the profile are not the chosen point: {', '.join(differing) or 'none'}")
    of = f", student {profile.student}" if ending else ""
    chosen_points = table(
        grids.chosen_table(profile, points),
        f"The chosen point of each entry and task{of}. At a point marked 'lowest' or 'highest', the rate is the smallest or the largest that was tried.",
        f"tab-chosen{ending}",
    )
    whole_grid = table(
        grids.whole_grid_table(profile, points),
        f"The whole grid{of}: validation scores in percent, the chosen points bold.",
        f"tab-grid{ending}",
    )
    for made, title in ((chosen_points, "The chosen points"), (whole_grid, "The whole grid")):
        display(folded(made, f"{title}{of}"), page.provenance(f"selection{ending}", command, folder))


show_grid(chosen.profile)

# %% [markdown]
# ### The second student
#
# The profile `micro-sibling-tuned` has the same entries and grids for the student that was cut from the teacher, whose atoms correspond to the teacher's. Seeking starts from weights of the teacher, from which this student was cut, and trains all seven matrices of every layer; `sft` trains four of them. Their rates and dropout differ too. What makes Seeking better on MMLU here was not tested.

# %% tags=["hide-input"]
for each in others:
    student, made = each.profile.student, {"command": each.command, "records": each.paths}
    if each.lacking:
        print(each.lacking)
    if each.paths:
        theirs = {name: differences(each.folder, name, only={path.name for path in each.paths}) for name in ours}
        page.show_table(
            controls.chosen_differences(each.profile, theirs, TUNED_PAIRS),
            f"As in {{numref}}`tab-tuned-in-short`, for {student}, up to {len(each.profile.seeds)} seeds.",
            f"tuned-in-short-{student}",
            **made,
        )
        page.show_table(
            controls.control_table(each.profile, each.scores, [settings.teacher]),
            f"Scores of every method in percent with 95% intervals, student {student}, teacher {settings.teacher}. {UNTRAINED}",
            f"controls-{student}",
            fold=f"Scores of every method, student {student}",
            **made,
        )
        show_differences(each, theirs, f"-{student}")
        show_permuted(each, f"-{student}")
    show_grid(each.profile, f"-{student}")

# %% [markdown]
# ## Would a change of the objective help?
#
# Two searches on validation data look for a change of the objective that helps, each at six learning rates, with the layer term at a weight of 0.3. The first search starts from cross-entropy as the output term, with the rows of `micro-tuned`. Its two entries of cross-entropy have no layer term, one on the paired layer and one on the last. `plain` adds the layer term as it is. The other entries change this term: states are centred (`centred`), compared by mean square or by the relations among them (`mean-square`, `relation`), taken from all that the layer adds and centred (`layer-output`), or from the last layers (`last`); in `reverse-kl`, also centred, the teacher's logits replace the labels. The second search has 32 training rows for each task, so that labels are scarce; `semalign-kl` has the layer term beside a KL term to the teacher's logits. An entry that beats cross-entropy, or distillation, by more than its control with permuted atoms does would be called `semalign+`; the first search has no such control, so that a gain in it would only have been a reason to look further. Searches in pairs whose atoms correspond are in [Does the premise hold?](05_premise.ipynb), two of them with their best points on the test split.

# %% tags=["hide-input"]
_, grid = grid_of(chosen.profile)
SEARCHES = {"plus": "300 training rows", "few": "32 training rows"}
searches = {}
for name, size in SEARCHES.items():
    path = results_dir() / f"{settings.name}-{name}-selection" / TABLE
    command = f"semalign select --profile {settings.name}-{name}"
    if not path.is_file():
        display(Markdown(f"*This search was {NOT_RUN}: `{command}`.*"))
        continue
    searched = pd.read_csv(path)
    if name == "plus" and grid is not None:  # cross-entropy on the paired layer is in the grid, at five of these rates
        rates = searched.loc[searched["variant"] == "cross-entropy-last", "learning_rate"]
        same = grid[
            (grid["variant"] == "cross-entropy")
            & grid["task"].isin(searched["task"])
            & grid["learning_rate"].isin(rates)
        ]
        searched = pd.concat([same, searched], ignore_index=True)
    searches[name] = searched
    page.save(searched, f"search-{name}")
    caption = f"Search with {size}: response NLL on {searched['n'].max()} validation items in nats per token (lower is better) at the point where it is lowest, and the score there in percent."
    made = table(grids.search_table(settings, searched), caption, f"tab-search-{name}")
    display(folded(made, f"The search with {size}"), page.provenance(f"search-{name}", command, path.parent))

# %% tags=["hide-input"]
NLLS = {
    "The layer term beside cross-entropy, minus cross-entropy": ("plus", ["plain", "relation", "centred"], "cross-entropy"),
    "From all that the layer adds, minus the same at the MLP, both centred": ("plus", ["layer-output"], "centred"),
    "On the last layer": ("plus", ["last", "last-centred"], "cross-entropy-last"),
    "Mean square to aligned states, and KL to the teacher in place of labels": ("plus", ["mean-square", "reverse-kl"], "cross-entropy"),
    "Few rows: real atoms minus permuted ones": ("few", ["semalign-ce"], "permuted-ce"),
    "Few rows: distillation minus cross-entropy": ("few", ["layer-distillation", "logit-kl", "logit-reverse-kl"], "cross-entropy"),
    "Few rows: fine-tuning of all layers, minus cross-entropy": ("few", ["sft"], "cross-entropy"),
}  # fmt: skip
if searches:
    lines = "\n".join(
        f"- **{what}**: {readings.search_differences(searches[of], entries, other)}."
        for what, (of, entries, other) in NLLS.items()
        if of in searches
    )
    items = min(searched["n"].min() for searched in searches.values())
    width = readings.half_width(items)
    text = f"Lowest response NLL of an entry minus that of another, in nats per token (below zero is better):\n\n{lines}\n\nThese are results of one seed and {items} items: the 95% interval of one score is up to ±{width:.0f} points, that of a difference of two up to ±{2**0.5 * width:.0f}. The NLL is the finer measure, but these records have no losses by row, so that its differences have no interval."
    display(Markdown(text))

# %% [markdown]
# A response of MMLU has two positions, a letter and the end of the sequence. After the row's mean is subtracted, their states are opposite whatever they were, so their relation is constant, and `relation` is cross-entropy itself there. These two searches did not try prompts without labels, several layers at once, or an alignment phase before the training on the task; the first two are among the [ablations](11_ablations.ipynb), for both students.

# %% [markdown]
# ## What it costs
#
# The table gives seconds and peak memory of one transfer. Each method runs in its own process with an empty cache, on one task and one thread. Memory is that of the whole process, Python and PyTorch included; the next column gives what the process held before the transfer began. Computing the teacher's states is part of the transfer: a second run with other seeds finds them in the cache and is faster.

# %% tags=["hide-input"]
costs_from = results_dir() / f"{chosen.profile.name}-cost"
records = costs.cost_records(chosen.profile, costs_from)
spent = records if records.empty else costs.cost_data(chosen.profile, records, scores)
if spent.empty:
    display(Markdown(f"*Costs were {NOT_RUN} for this profile. `{COST}` measures them.*"))
else:
    page.save(spent, "cost")
    made = table(costs.cost_table(spent), costs.cost_caption(chosen.profile, records), "tab-cost", decimals=1)
    display(
        folded(made, "Seconds and memory of each method"),
        page.provenance("cost", COST, [costs_from / name for name in records["path"]]),
    )

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Score against the cost of one transfer: seconds (top) and peak memory of the process (bottom); bars are 95% intervals of the score, numbers those of the table above. What to see: whether a method that costs more scores more; up and to the left is better.", "name": "fig-cost"}, "image": {"alt": "Two scatter plots of score against seconds and against memory, one numbered point for each method, or a note that costs were not run."}}
figure = figures.score_over_cost(spent)

# %% tags=["hide-input"]
if not spent.empty:
    display(page.provenance("cost", COST, [costs_from / name for name in records["path"]]))

# %% [markdown]
# **Read next**: [Ablations](11_ablations.ipynb), or [Claims](../claims.md) for what all this means for the paper's claims.
