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
# - **Purpose**: Tables 1 and 2 of the paper, with the models of this profile: the student as it is, SemAlign from each teacher, and the teachers, on all benchmarks.
# - **Cost**: scores come from run records under `data/results/`; records that are missing or stale are made first (about 20 s for each of a few dozen on a CPU core, for the micro family). One transfer is run live and held against its record.
# - **Command**: `semalign run --profile micro --only 06`; `semalign compare --profile micro` makes the records alone.

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from semalign import experiments
from semalign.paths import data_dir, results_dir
from semalign.profiles import load_profile
from semalign.theme import apply_theme, provenance, save_figure_data, table

apply_theme()
settings = load_profile(profile)
folder = results_dir() / settings.name
stale = experiments.missing(settings, folder)
print(
    f"{len(list(experiments.cells(settings)))} records, {len(stale)} of them missing or stale"
    + (": made now" if stale else "")
)
experiments.run(settings, folder)
scores = experiments.summary(folder)
file = save_figure_data(scores, "scores")

# %% [markdown]
# ## One cell, live
#
# A table made from files proves nothing about the code that stands beside it. So one transfer runs now and must agree with its record: every training loss to three decimals, and the score item for item or, on a machine with other floating-point habits, within the record's interval.

# %%
cell = next(cell for cell in experiments.cells(settings) if cell.method == experiments.PAPER)
recorded = experiments.read_record(folder / cell.file_name)
live = experiments.run_cell(settings, cell)
same = sum(a == b for a, b in zip(live["details"]["correct"], recorded["details"]["correct"], strict=True))
print(
    f"{cell.file_name}: {live['value']:.1f} now, {recorded['value']:.1f} on record, {same} of {live['n']} items alike, {live['seconds']:.0f} s"
)
low, high = recorded["interval"]
drift = max(abs(a[term] - b[term]) for a, b in zip(live["losses"], recorded["losses"], strict=True) for term in a)
print(f"largest difference of any training loss: {drift:.1e}")
assert low <= live["value"] <= high and drift < 1e-3, "the record no longer holds: delete it and run `semalign compare`"

# %% [markdown]
# ## Table 1: one teacher, four benchmarks
#
# Means over seeds with 95% intervals: Student's $t$ over the seeds of a method, Wilson's over the items for a model as it is. An interval over seeds says nothing of the choice of test items: where all seeds agree it has no width, and the item interval of the student's row (about ±4 points at n = 500) still holds. `semalign` is the paper's method under the paper's settings; no setting was chosen on these data. The paper's numbers, of other models on other benchmarks, stand beside for the pattern, not for the size.

# %% tags=["hide-input"]
TITLES = {"micro_mmlu": "MMLU", "micro_gsm8k": "GSM8K", "micro_humaneval": "HumanEval", "micro_mbpp": "MBPP"}


def written(row):
    return f"{row['value']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"


def score_of(method, student, teacher=None):
    part = scores[(scores["method"] == method) & (scores["student"] == student)]
    part = part[part["teacher"].isna()] if teacher is None else part[part["teacher"] == teacher]
    return {TITLES.get(row["task"], row["task"]): written(row) for _, row in part.iterrows()}


methods = [experiments.PAPER, *settings.variants]
first = [
    {"model": f"{settings.student} (student)", **score_of(experiments.NONE, settings.student)},
    *({"model": name, **score_of(name, settings.student, settings.teacher)} for name in methods),
    {"model": f"{settings.teacher} (teacher)", **score_of(experiments.NONE, settings.teacher)},
]
columns = ["model", *(TITLES.get(task, task) for task in settings.tasks)]
table_1 = pd.DataFrame(first)[columns].fillna("not run")
save_figure_data(table_1, "table-1")
n = " to ".join(map(str, sorted(set(scores["n"]))))
table(
    table_1,
    f"Table 1 at the scale of profile {settings.name}: scores in percent with 95% intervals, {len(settings.seeds)} seeds, n = {n} test items a task.",
    "tab-table-1",
)

# %% tags=["remove-input"]
provenance(
    "notebooks/06_evaluation.py", "table-1", f"semalign compare --profile {profile}", record=folder / cell.file_name
)

# %% tags=["hide-input"]
paper_1 = pd.read_csv(data_dir() / "paper" / "table1.csv")
table(
    paper_1, "The paper's Table 1, for comparison: Llama 2 on the real benchmarks. Not run here.", "tab-paper-table-1"
)

# %% [markdown]
# ## Table 2: code teachers
#
# The same student, and teachers that were trained further on code.

# %% tags=["hide-input"]
second = [{"model": f"{settings.student} (student)", **score_of(experiments.NONE, settings.student)}]
for teacher in [settings.teacher, *settings.teachers]:
    second.append({"model": f"{teacher} (teacher)", **score_of(experiments.NONE, teacher)})
    second += [{"model": f"{name} from {teacher}", **score_of(name, settings.student, teacher)} for name in methods]
code = [TITLES[task] for task in ("micro_humaneval", "micro_mbpp") if task in settings.tasks]
table_2 = pd.DataFrame(second)[["model", *code]].fillna("not run")
save_figure_data(table_2, "table-2")
table(
    table_2,
    f"Table 2 at the scale of profile {settings.name}: code benchmarks, three teachers, scores in percent with 95% intervals, {len(settings.seeds)} seeds.",
    "tab-table-2",
)

# %% tags=["remove-input"]
provenance("notebooks/06_evaluation.py", "table-2", f"semalign compare --profile {profile}")

# %% tags=["hide-input"]
paper_2 = pd.read_csv(data_dir() / "paper" / "table2.csv")
table(paper_2, "The paper's Table 2, for comparison. Not run here.", "tab-paper-table-2")

# %% [markdown]
# ## How much of the gap

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Scores of student, SemAlign and teacher on each benchmark; bars are 95% intervals. What to see: whether a transfer lies above the student it started from, and how far below the teacher.", "name": "fig-gap"}, "image": {"alt": "Point plot of scores for each benchmark, one colour a method."}}
labels = {(experiments.NONE, settings.student): "student", (experiments.NONE, settings.teacher): "teacher"}
drawn = scores[scores["teacher"].isna() | (scores["teacher"] == settings.teacher)].copy()
drawn["model"] = [labels.get((m, s), m) for m, s in zip(drawn["method"], drawn["student"])]
drawn = drawn[drawn["model"] != experiments.NONE]
order = ["student", *methods, "teacher"]
figure, axis = plt.subplots()
for i, (name, colour) in enumerate(zip(order, sns.color_palette("colorblind"))):
    part = drawn[drawn["model"] == name].set_index("task").reindex(list(settings.tasks))
    x = [j + 0.14 * (i - (len(order) - 1) / 2) for j in range(len(part))]
    errors = [(part["value"] - part["low"]).clip(lower=0), (part["high"] - part["value"]).clip(lower=0)]
    axis.errorbar(x, part["value"], yerr=errors, fmt="osD^v"[i % 5], color=colour, label=name, capsize=3)
axis.set_xticks(range(len(settings.tasks)), [TITLES.get(task, task) for task in settings.tasks])
axis.set(ylabel="score (%)", ylim=(0, 100))
axis.legend(ncol=len(order), loc="upper center", bbox_to_anchor=(0.5, 1.15), fontsize=9)
plt.show()

# %% tags=["remove-input"]
provenance("notebooks/06_evaluation.py", "scores", f"semalign compare --profile {profile}")

# %% [markdown]
# ## Reading
#
# This reading is of the profile `micro`. There the paper's settings leave the student where it was: no benchmark moves by a point, from any teacher. With the paper's learning rate the layer learns little of its target (see [Alignment and training](05_alignment.ipynb)), and with ten times that rate the layer cosine rises while the response's likelihood falls. So nothing here supports Table 1 or 2, and at this scale nothing refutes them for Llama 2 either.
#
# Micro-MMLU says nothing yet: every model of the family is at chance on it (25%). They know the facts, but do not choose the letter.
