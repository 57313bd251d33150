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
# # Evaluation
#
# ## In short
#
# **Does the student score higher after SemAlign, and does it come as close to its teacher as the paper says?**
#
# - There are two students: one was trained independently of the teacher, one was cut from it. With the rows, epochs and rates of the paper's Table 5, the claim that SemAlign lifts the student on all four benchmarks is {verdict}`7:micro,micro-sibling`.
# - The claim that the student comes close to the teacher on every benchmark is {verdict}`16:micro,micro-sibling`. The score on GSM8K falls by about half for both students where attribution by magnitudes chooses the pair, which is the first layers; with the layers that the signed sum chooses, and with the last layers, it stays about where it was (both claims are tested at the layers of either sum; {numref}`tab-trainings-micro-student`, {numref}`tab-trainings-micro-sibling`).
# - With fewer rows and settings chosen on validation data, training on {term}`labels` raises scores. With {term}`aligned states <aligned state>` beside labels no score of either student is shown to be higher than with labels alone, and the one on MBPP is lower for the student that was trained apart.
# - **What this does not show**: what would come out for Llama 2. These are small models and invented benchmarks, which neither support nor refute the paper's numbers.
#
# :::{admonition} About this page
# - **Purpose**: make Tables 1 and 2 of the paper with the models of this profile, at the sizes and rates of the paper's Table 5: the student as it is, SemAlign and the two baselines from each teacher, and the teachers, next to the paper's numbers and with the gap to the teacher. The page also shows what each training did, for two students, and the scores after settings were chosen on validation data.
# - **Cost**: about 2 minutes on a CPU. Scores come from run records under `data/results/`, which the page only reads; it names those that are missing or stale. One transfer is run live and compared with its record.
# - **Command**: `semalign run --profile micro --only 08`; `semalign compare --profile micro` makes the records of the main tables.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = [
    "models", "benchmarks", "paper", "results/{profile}", "results/{profile}-sibling", "results/{profile}-tuned",
    "results/{profile}-curves", "results/{profile}-tuned-curves", "results/{profile}-sibling-curves",
    "results/{profile}-sibling-tuned", "results/{profile}-sibling-tuned-curves",
]  # fmt: skip

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book import figures, readings
from semalign.book.markdown import Markdown, nested_list
from semalign.book.page import open_page
from semalign.book.tables import trainings
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import (
    UNTRAINED,
    gap_table,
    lead_table,
    record_counts,
    score_table,
    table_entries,
)
from semalign.experiments.curves import Curves
from semalign.experiments.curves import points as curve_points

page = open_page("08_evaluation", profile, inputs)

# %%
from semalign.book.comparison import paper_sized, tuned
from semalign.experiments import currency, runs
from semalign.experiments.cells import cells
from semalign.experiments.profiles import load_profile
from semalign.results.comparisons import gaps
from semalign.results.records import PAPER, read_record

settings = load_profile(profile)
own, *others = paper_sized(settings)
lacking = currency.missing(settings, own.folder)
print(len(list(cells(settings))), "cells,", len(lacking), "of them without a current record")
for cell, reason in list(lacking.items())[:10]:
    print(f"  {cell.file_name}: {reason}")

# %% [markdown]
# `semalign compare` makes those that are missing or stale. Only current {term}`run records <run record>` count: those made from the present models, data and settings. A *cell* is one entry of a table with one seed. Entries without records are *not run*.

# %%
current = {path.name for path in own.paths}
scores = own.scores
to_teacher = gaps(own.folder, only=current)
apart = {each.profile.student: gaps(each.folder, only={path.name for path in each.paths}) for each in others}

# %% tags=["hide-input"]
page.save(scores, "scores")
page.save(to_teacher, "gaps-to-teacher")
page.show_table(
    record_counts(settings, current),
    f"Current records behind the entries of this page: one for each teacher, benchmark and seed (seeds {', '.join(map(str, settings.seeds))}).",
    "records",
    command=f"{own.command} --dry-run",
    records=own.paths,
)
for each in others:
    page.show_table(
        record_counts(each.profile, {path.name for path in each.paths}),
        f"The same for {each.profile.student}, the second student.",
        f"records-{each.profile.student}",
        command=f"{each.command} --dry-run",
        records=each.paths,
        fold=f"The same for {each.profile.student}",
    )

# %% [markdown]
# ## One cell, live
#
# The tables of this page are made from files, which do not test the code that stands beside them. So one transfer runs now, and the page stops if it disagrees with its record: every training loss must agree to three decimals, and the score must lie within the record's interval, since another machine may round differently.

# %%
cell = next((cell for cell in cells(settings, [PAPER]) if cell.method == PAPER and cell.file_name in current), None)
if cell is None:
    print(f"no record of {PAPER} to compare with")
else:
    recorded = read_record(own.folder / cell.file_name)
    live = runs.run_cell(settings, cell)
    items = zip(live["details"]["correct"], recorded["details"]["correct"], strict=True)
    print(f"{cell.file_name}: {live['value']:.1f} now, {recorded['value']:.1f} on record,")
    print(f"{sum(a == b for a, b in items)} of {live['n']} items alike, {live['seconds']:.0f} s")
    low, high = recorded["interval"]
    losses = zip(live["losses"], recorded["losses"], strict=True)
    drift = max(abs(a[term] - b[term]) for a, b in losses for term in a)
    print(f"largest difference of any training loss: {drift:.1e}")
    holds = low <= live["value"] <= high and drift < 1e-3
    assert holds, "the record no longer holds: delete it and run `semalign compare`"

# %% [markdown]
# ## Table 1: one teacher, four benchmarks
#
# Plain numbers, such as Table 1, are the paper's; numbers such as {numref}`tab-table-1` are this book's.
#
# The table gives means over seeds with 95% intervals: Student's $t$ over the seeds of a method, and Wilson's over the items for a model as it is ([Differences](#decisions-differences)). An interval over seeds says nothing about the choice of test items: where all seeds agree it has no width, and the item interval of the student's line still applies. Seeds change the order of the rows, the initial weights (of LoRA, or of LaTen's network) and, in the controls, which atoms are permuted; not the models. The second student, below, gives a second pair of models.
#
# SemAlign and the controls have the rows, epochs and rates of [Table 5](../paper_settings.md), and no rate, number of rows or number of epochs was chosen on data. `semalign` weighs the two terms of the loss equally, as the paper does; what the paper leaves open is decided in [Decisions](#decisions-output-cosine) and the entries around it. Attribution chooses the layer on the training rows, and pairs the first layers here; `semalign-last` pairs the last ones, as the paper's Fig. 3 does, and `semalign-signed` those that attribution finds when it [sums signed values](#decisions-the-objective-that-is-attributed), as the paper's text says literally. {term}`Seeking` and {term}`LaTen`, the paper's baselines, follow their published code, or the paper's description where the two differ ([Baselines and controls](../baselines.md) says which). Seeking has the rows and the rate of Table 5 and three epochs; LaTen has the sizes, steps and rate of [Table 4](../paper_settings.md), a tenth of the rate in its scripts. The paper's numbers are for other models on other benchmarks: they are shown next to ours to compare the pattern, not the size. [Claims](../claims.md) has two notes on them: which share of the gap SemAlign closes ({numref}`tab-paper-shares`), and how many right answers each score stands for, with the standard error ({numref}`tab-paper-counts`).

# %% tags=["hide-input"]
benchmarks = [title(task) for task in settings.tasks]
first = table_entries(settings, [settings.teacher])
items = " to ".join(map(str, sorted({scores["n"].min(), scores["n"].max()})))
page.show_table(
    score_table(settings, scores, first, benchmarks),
    f"Table 1 at the scale of profile {settings.name}: scores in percent with 95% intervals, up to {len(settings.seeds)} seeds, n = {items} test items per task. 'Paper' is Llama 2 on the real benchmarks, with Llama2-7B-Chat as student and Llama2-13B-Chat as teacher; 'here' is this profile. {UNTRAINED}",
    "table-1",
    command=own.command,
    records=own.paths,
)
for each in others:
    page.show_table(
        score_table(each.profile, each.scores, table_entries(each.profile, [each.profile.teacher]), benchmarks),
        f"The same for {each.profile.student}, the student that was cut from the teacher and trained on.",
        f"table-1-{each.profile.student}",
        command=each.command,
        records=each.paths,
        fold=f"Table 1 for {each.profile.student}",
    )

# %% [markdown]
# ### The gap to the teacher
#
# The paper argues with the distance to the teacher: it should be small, and overshooting the teacher is no merit. So the gap is teacher minus method; below zero the method is above its teacher. Its interval here is a paired bootstrap over test items and seeds. The number in brackets is the share of the student's gap that was closed. It is left out where the teacher is not clearly above the student, that is, where the interval of their difference contains zero. The last two columns are means over the benchmarks of the gap without its sign, as in the paper's Section 5.2.

# %% tags=["hide-input"]
page.show_table(
    gap_table(settings, to_teacher, first, benchmarks),
    "Teacher minus method, in points, with the share of the gap closed in brackets. Nearer to zero is better; below zero the method is above its teacher. *Mean size*: the mean of the gaps without their signs. Our values have 95% intervals.",
    "gaps-1",
    command=own.command,
    records=own.paths,
)
for each in others:
    student = each.profile.student
    page.show_table(
        gap_table(each.profile, apart[student], table_entries(each.profile, [each.profile.teacher]), benchmarks),
        f"The same for {student}.",
        f"gaps-1-{student}",
        command=each.command,
        records=each.paths,
        fold=f"The gaps of {student}",
    )

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Scores of student, transfers and teacher on each benchmark, general teacher; bars are 95% intervals. What to see: whether a transfer lies above the student it started from, and how far it is from the teacher.", "name": "fig-gap"}, "image": {"alt": "Point plot of scores for each benchmark, one colour and marker for each model or method."}}
figure = figures.gap_to_teacher(settings, scores)

# %% tags=["remove-input"]
page.provenance("scores", own.command, own.paths)

# %% [markdown]
# ## Table 2: code teachers
#
# This table has `micro-student` and teachers that were trained further on code. They take the place of the paper's CodeLlama and WizardCoder, in this order. The second student has the same teachers.

# %% tags=["hide-input"]
teachers = [settings.teacher, *settings.teachers]
code = [title(task) for task in settings.tasks if any(task in tasks for tasks in settings.teachers.values())]
second = table_entries(settings, teachers if code else [])
page.show_table(
    score_table(settings, scores, second, code),
    f"Table 2 at the scale of profile {settings.name}: code benchmarks, {len(teachers)} teachers, scores in percent with 95% intervals, up to {len(settings.seeds)} seeds. The paper's student is Llama2-7B-Chat, its teachers, in the same order, Llama2-13B-Chat, CodeLlama-13B-Python and WizardCoder-13B-Python. {UNTRAINED}"
    + ("" if code else " This profile has no further teachers."),
    "table-2",
    command=own.command,
    records=own.paths,
)
for each in (each for each in others if each.profile.teachers):
    page.show_table(
        score_table(
            each.profile, each.scores, table_entries(each.profile, [each.profile.teacher, *each.profile.teachers]), code
        ),
        f"The same for {each.profile.student}, the student that was cut from the teacher and trained on.",
        f"table-2-{each.profile.student}",
        command=each.command,
        records=each.paths,
        fold=f"Table 2 for {each.profile.student}",
    )

# %% tags=["hide-input"]
page.show_table(
    gap_table(settings, to_teacher, second, code),
    "Gaps of Table 2, as in {numref}`tab-gaps-1`: teacher minus method in points, share of the gap closed in brackets.",
    "gaps-2",
    command=own.command,
    records=own.paths,
)
for each in (each for each in others if each.profile.teachers):
    student = each.profile.student
    page.show_table(
        gap_table(
            each.profile,
            apart[student],
            table_entries(each.profile, [each.profile.teacher, *each.profile.teachers]),
            code,
        ),
        f"The same for {student}.",
        f"gaps-2-{student}",
        command=each.command,
        records=each.paths,
        fold=f"The gaps of {student} from the code teachers",
    )

# %% [markdown]
# ### Which method leads
#
# For each teacher and benchmark, the table gives the transfer with the highest mean score among the three that the paper compares. A lead within the intervals is not a result, and a lead over methods that did not train the student (‡ in {numref}`tab-table-1` and {numref}`tab-table-2`) says only that the leading one trained; paired differences, with a correction for their number, are on the pages [Controls](09_controls.ipynb) and [Chosen settings](10_chosen_settings.ipynb).

# %% tags=["hide-input"]
page.show_table(
    lead_table(settings, scores),
    "Which of the paper's three methods has the highest mean score here.",
    "leads",
    command=own.command,
    records=own.paths,
)
for each in others:
    page.show_table(
        lead_table(each.profile, each.scores),
        f"The same for {each.profile.student}.",
        f"leads-{each.profile.student}",
        command=each.command,
        records=each.paths,
        fold=f"The same for {each.profile.student}",
    )

# %% [markdown]
# ## What the trainings did
#
# A score says little about a training that changed little. So each score stands here beside the steps taken, the change of the trained weights as a share of their norm, the cosine of the layer's states with their targets, and the NLL of the responses on held-out rows. An entry *did not train* if its weights and its held-out NLL both changed by less than 2% ([Decisions](#decisions-what-a-record-says-of-a-training)); the last column says which did.
#
# There are two students: `micro-student`, which was trained independently of the teacher, and `micro-sibling`, which was cut from it and whose atoms correspond to the teacher's ([Does the premise hold?](05_premise.ipynb)). Besides the entries of Table 1 there are {term}`controls <control>`, each of which changes one thing: permuted atoms, one of the two terms alone, or cross-entropy on the same layer. `permuted-layer` has the layer term alone, with permuted atoms. Entries whose names end in `-last` train the last layer, paired with the teacher's last layer.

# %% tags=["hide-input"]
trained = {}
for each in (own, *others):
    student = each.profile.student
    if each.lacking:
        print(each.lacking)
    lines = trainings.training_lines(each.profile, each.records, each.entries, each.before)
    trained[each.profile.name] = lines
    page.show_table(
        trainings.training_table(each.profile, lines, each.records, each.entries),
        f"Student {student}, teacher {each.profile.teacher}, up to {len(each.profile.seeds)} seeds: score in percent with 95% interval over seeds (of the student over items), steps of the optimiser, change of the trained weights as a share of their norm, layer cosine before → after, held-out NLL before → after in nats per token (mean over rows), and its change with a 95% interval, paired by row, over rows and seeds. Lower NLL is better.",
        f"trainings-{student}",
        command=each.command,
        records=each.paths,
    )

# %% tags=["hide-input"]
ABOUT = f"with the columns of {{numref}}`tab-trainings-{settings.student}`"
for each in (own, *others):
    student = each.profile.student
    for teacher in each.profile.teachers:
        from_it = each.profile.further_entries or each.entries
        lines = trainings.training_lines(each.profile, each.records, from_it, each.before, teacher)
        page.show_table(
            trainings.training_table(each.profile, lines, each.records, from_it, teacher),
            f"Student {student}, teacher {teacher}, {ABOUT}.",
            f"trainings-{teacher}" if each is own else f"trainings-{teacher}-{student}",
            command=each.command,
            records=each.paths,
            fold=f"{student} from {teacher}",
        )

# %% tags=["hide-input"]
TOLD = {
    "semalign": "SemAlign",
    "semalign-last": "SemAlign with the last layers paired",
    "semalign-signed": "SemAlign with the layers that the signed sum chooses (`semalign-signed`)",
    "cross-entropy": "the same layer trained on labels (`cross-entropy`)",
    "seeking": "Seeking, which trains on labels too",
    "laten": "LaTen",
}
parts = {}
for each in (own, *others):
    lines = trained[each.profile.name]
    parts[each.profile.student] = [
        *(f"{called}: {readings.gains(each.profile, each.scores, name)}." for name, called in TOLD.items()),
        f"did not train, of all entries and benchmarks with records: {readings.untrained(lines)}.",
    ]
display(
    Markdown(
        f"Change of the score from the student as it is, in points; the change of the held-out NLL is in the tables above.\n\n{nested_list(parts)}"
    )
)

# %% [markdown]
# ## With settings chosen on validation data
#
# The paper's rates suit its models, and may not suit these. So the profile `micro-tuned` gives every method settings that were [chosen on validation data](#decisions-settings-of-the-tuned-entries) from the same number of grid points. It has [fewer training rows](#decisions-training-rows-at-micro-scale), so that all methods could be tried with five seeds. The profile `micro-sibling-tuned` does the same for the second student, with three seeds. `semalign` still has the paper's rate, and is the only entry that was not tuned; compare the others with `semalign-tuned`, and with `semalign-ce`, which has cross-entropy in place of the output cosine. For `micro-student` the rates that were chosen for `semalign-tuned` are so low that it trained on no benchmark (‡), so that its line shows the student as it was. [Baselines and controls](../baselines.md) explains the names of the other entries.

# %% tags=["hide-input"]
for each in tuned(settings):
    student, general = each.profile.student, each.profile.teacher
    if each.lacking:
        print(each.lacking)
    if not each.paths:
        continue
    first_one = student == settings.student
    ending = "" if first_one else f"-{student}"
    asked = [("tuned-1", [general], benchmarks, "as in Table 1", "" if first_one else f"The same for {student}")]
    if each.profile.teachers:
        everyone = [general, *each.profile.teachers]
        asked += [
            (
                "tuned-2",
                everyone,
                code,
                "code benchmarks, all teachers, as in Table 2",
                f"{student} from the code teachers",
            )
        ]
    for name, teachers, shown, about, fold in asked:
        page.show_table(
            score_table(each.profile, each.scores, table_entries(each.profile, teachers), shown),
            f"Student {student}, fewer rows, and settings chosen on validation data for all entries but `semalign`, {about}: scores in percent with 95% intervals, up to {len(each.profile.seeds)} seeds. {UNTRAINED}",
            f"{name}{ending}",
            command=each.command,
            records=each.paths,
            fold=fold,
        )
    for teacher in (general, *each.profile.teachers):
        entries = each.entries if teacher == general else each.profile.further_entries or each.entries
        lines = trainings.training_lines(each.profile, each.records, entries, each.before, teacher)
        page.show_table(
            trainings.training_table(each.profile, lines, each.records, entries, teacher),
            f"Student {student}, fewer rows, and settings chosen on validation data for all entries but `semalign`, teacher {teacher}, {ABOUT}.",
            f"trainings-tuned{ending}" if teacher == general else f"trainings-tuned-{teacher}{ending}",
            command=each.command,
            records=each.paths,
            fold=f"What these trainings did: {student} from {teacher}",
        )
if not tuned(settings):
    print(f"no profile {settings.name}-tuned: not run")

# %% [markdown]
# ## Does a larger change raise the score?

# %% tags=["hide-input"]
chosen = tuned(settings)
lines = {each.profile.name: trainings.training_lines(each.profile, each.records, each.entries, {}) for each in chosen}
named = [(each.profile, {**trained, **lines}[each.profile.name]) for each in (*chosen, own, *others)]
points = trainings.change_points(named)
page.save(points, "score-over-change")
unknown = points["weight_change"].isna().sum()
if unknown:
    text = f"Of {len(points)} entries and benchmarks, {unknown} have no point in the figure, since their records lack the change of the weights."
    display(Markdown(text))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Mean score of an entry minus the student's, over the change of the trained weights as a share of their norm, for every entry of the comparisons above whose records have that change, general teacher. What to see: how far the score moved for a given change of the weights; whether SemAlign (circles) is above controls (squares) and baselines (triangles) that changed the weights as much.", "name": "fig-score-over-change"}, "image": {"alt": "One scatter plot for each benchmark, with the change of weights on a logarithmic axis, a line where the score is the student's, a colour for each profile and a marker for each kind of method."}}
figure = figures.score_over_change(points, list(settings.tasks))

# %% tags=["remove-input"]
made_by = "; ".join(each.command for each in (own, *others, *chosen))
page.provenance("score-over-change", made_by, [path for each in (own, *others, *chosen) for path in each.paths])

# %% [markdown]
# ## Along the training
#
# Each curve follows one training far beyond the numbers of steps in the tables above, to the same number for every benchmark. The student is measured on the way: its held-out NLL and layer cosine at many steps, and its score on 200 validation items at a few. The learning rate falls to zero over all steps, so a point before the last is not the end of a shorter training. Curves were made of a part of the entries and benchmarks, with one seed unless the data say otherwise; the figures show which. `semalign-tuned` has the rates that were chosen for few steps, and is trained on the fewer rows of `micro-tuned` and `micro-sibling-tuned`, so that it sees each of them more often. On HumanEval the rate of Table 5 is lower than on the other benchmarks, and most curves stay flat.

# %% tags=["hide-input"]
followed = {each.profile.student: [Curves(each.profile)] for each in (own, *others)}
for each in chosen:
    followed[each.profile.student].append(Curves(each.profile, ["semalign-tuned"]))
paths = {student: [path for part in parts for path in part.current] for student, parts in followed.items()}
made_by = {student: "; ".join(part.command for part in parts) for student, parts in followed.items()}
lines = {student: curve_points(found) for student, found in paths.items()}
first_student, second_student = [*followed, *["no second student"] * (2 - len(followed))]
for student, parts in followed.items():
    for part in parts:
        print(f"{student}: {len(part.current)} of {len(part.cells)} curves; `{part.command}` makes the others")
    page.save(lines[student], f"curves-{student}")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Score, held-out NLL and layer cosine over the steps, the student that was trained independently of the teacher; means over the seeds that were run. What to see: whether the NLL falls at all while the layer cosine rises. Trainings with permuted atoms differ much by their seed ({numref}`tab-trainings-micro-student`), so that one of them says little.", "name": "fig-curves"}, "image": {"alt": "Panels of score, NLL and layer cosine over steps, a row for each benchmark and a coloured line with markers for each entry, or a note that they were not run."}}
figure = figures.curves(lines[first_student])

# %% tags=["remove-input"]
page.provenance(f"curves-{first_student}", made_by[first_student], paths[first_student])

# %% tags=["hide-input"]
ALONG = "Held-out NLL along the curves, in nats per token over all tokens, means over the seeds that were run: before the training, the lowest after that and its step, and at the end. Lower is better. The tables of trainings above count each row alike instead, so that their numbers differ."
page.show_table(
    trainings.curve_table(lines[first_student]),
    f"{ALONG} Student {first_student}.",
    "along",
    decimals=3,
    command=made_by[first_student],
    records=paths[first_student],
    fold="The loss along the curves in numbers",
)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for the student that was cut from the teacher.", "name": "fig-curves-sibling"}, "image": {"alt": "Panels of score, NLL and layer cosine over steps, a row for each benchmark and a coloured line with markers for each entry, or a note that they were not run."}}
figure = figures.curves(lines.get(second_student, curve_points([])))

# %% tags=["remove-input"]
for each in others:
    student = each.profile.student
    display(page.provenance(f"curves-{student}", made_by[student], paths[student]))

# %% tags=["hide-input"]
for each in others:
    student = each.profile.student
    page.show_table(
        trainings.curve_table(lines[student]),
        f"{ALONG} Student {student}.",
        f"along-{student}",
        decimals=3,
        command=made_by[student],
        records=paths[student],
        fold="The loss along the curves in numbers",
    )

# %% [markdown]
# ## What the numbers say
#
# These tables show small models on benchmarks invented for them. None of their numbers is for Llama 2, apart from the paper's own.

# %% tags=["hide-input"]
said = [
    f"- **At Table 5's sizes, {each.profile.student}**: SemAlign {readings.gains(each.profile, each.scores, PAPER)}; Seeking {readings.gains(each.profile, each.scores, 'seeking')}; LaTen {readings.gains(each.profile, each.scores, 'laten')}. Cases in which a method has the highest mean of the three: {readings.leaders(lead_table(each.profile, each.scores))}."
    for each in (own, *others)
]
for each in chosen:
    gained = {name: readings.gains(each.profile, each.scores, name) for name in each.entries}
    said += [
        f"- **{each.profile.student}, fewer rows, settings chosen on validation data**: `semalign-tuned` {gained['semalign-tuned']}. With cross-entropy in place of the output cosine, `semalign-ce`: {gained['semalign-ce']}; the same training without an aligned state, `cross-entropy`: {gained['cross-entropy']}.",
        f"- **{each.profile.student}, labels alone, all layers**, `sft`: {gained['sft']}. Seeking, tuned too: {gained['seeking']}. LaTen, tuned too: {gained['laten']}.",
    ]
display(
    Markdown(
        "What they say, as mean score minus the student's, in points; which of these differences exceed chance is on the pages [Controls](09_controls.ipynb), [Chosen settings](10_chosen_settings.ipynb) and [Claims](../claims.md):\n\n"
        + "\n".join(said)
    )
)

# %% [markdown]
# A transfer from 13 to 7 billion parameters may behave differently: nothing here refutes Tables 1 and 2, and nothing supports them. The page [Chosen settings](10_chosen_settings.ipynb) examines whether another form of alignment helps beyond its controls.
#
# **Read next**: [Controls](09_controls.ipynb) for what explains these scores, or [Claims](../claims.md) for the verdicts.
