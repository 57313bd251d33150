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
# - **Purpose**: does the difference come from semantic alignment? Every method of the registry beside SemAlign: what it is, what it scores, "SemAlign minus X" on the same test items, how settings were chosen, and what each method costs.
# - **Cost**: about three minutes, most of it resampling. Scores, the grid and the costs are only read from run records; what has no current record is *not run*.
# - **Command**: `semalign run --profile micro --only 07`, with `--force` after new records. `semalign compare --profile micro --methods all` makes the scores, `semalign select --profile micro` the grid, `python benchmarks/method_cost.py` the costs.

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import display

from semalign.book.tables import NOT_RUN, by_key, descriptions, interval, title
from semalign.book.theme import Markdown, apply_theme, provenance, save_figure_data, table
from semalign.experiments import runs as experiments
from semalign.experiments import selection
from semalign.experiments.cells import NONE, rows_of
from semalign.experiments.profiles import PAPER, load_profile
from semalign.methods.registry import methods
from semalign.paths import results_dir
from semalign.results.comparisons import differences
from semalign.results.records import read_records

apply_theme()
settings = load_profile(profile)
folder = results_dir() / settings.name
folder.mkdir(parents=True, exist_ok=True)
rows = rows_of(settings, ["all"])
current = experiments.current(settings, folder, ["all"])
scores = experiments.summary(folder, current)
HERE, COMPARE = "notebooks/07_controls.py", f"semalign compare --profile {profile} --methods all"
print(f"{len(current)} of {len(list(experiments.cells(settings, ['all'])))} records are current")

# %% [markdown]
# ## What is compared
#
# A method that moves knowledge through semantic alignment should do better than the same training without a teacher, than the same training towards a map without semantics, and than the usual ways to distil. The page [Baselines and controls](../baselines.md) says in full what each does. *Methods* are the paper's, *baselines* those it compares with, *controls* this project's. Rows that are not in the registry are variants: a method under settings that were chosen on validation data.

# %% tags=["hide-input"]
KINDS = {name: method.kind for name, method in methods().items()}
what = descriptions()


def described(name):
    """Return what a row is, with what a variant changes on all tasks; what was chosen by task is a table below."""
    text = what.get(name, f"`{settings.method_of(name).name}` under settings chosen on validation data.")
    changed = settings.variants[name].settings_for("all") if name in settings.variants else {}
    return text + (f" Always: {', '.join(f'{key} {value}' for key, value in changed.items())}." if changed else "")


listed = pd.DataFrame(
    [
        {
            "name": name,
            "kind": KINDS.get(name, f"variant of {settings.method_of(name).name}"),
            "after": f"{{cite}}`{settings.method_of(name).citation}`",
            "what it is": described(name),
        }
        for name in rows
    ]
)
save_figure_data(listed, "methods")
table(listed, "The methods: for a control, the citation is of what it varies.", "tab-methods")

# %% tags=["remove-input"]
provenance(HERE, "methods", f"semalign run --profile {profile} --only 07")

# %% [markdown]
# ## Scores
#
# Means over seeds with 95% intervals, as in [Table 1](06_evaluation.ipynb): Student's $t$ over the seeds, or Wilson's over the items where there is one run.

# %% tags=["hide-input"]
found = by_key(scores)


def score(name, teacher, student, task):
    line = found.get((name, teacher, student, title(task)))
    return NOT_RUN if line is None else interval(*line[["value", "low", "high"]])


def pairs(teachers, row=None):
    """Return pairs of a teacher and a task that it teaches; with a row, those that the row runs for."""
    return [(t, task) for t in teachers for task in settings.tasks if t in settings.teachers_for(task, row)]


def rows_from(teachers):
    """Return the rows that run from these teachers."""
    return [row for row in rows if pairs(teachers, row)]


def score_table(teachers):
    """Return scores of the rows that run from these teachers: one column for each task of each teacher."""
    asked = pairs(teachers)
    named = {pair: title(pair[1]) + (f", {pair[0]}" if len(teachers) > 1 else "") for pair in asked}
    lines = [
        {"name": f"{settings.student} (student)", "kind": "as it is", "seeds": "–"}
        | {named[t, task]: score(NONE, None, settings.student, task) for t, task in asked},
        {
            "name": "its teacher" if len(teachers) > 1 else f"{settings.teacher} (teacher)",
            "kind": "as it is",
            "seeds": "–",
        }
        | {named[t, task]: score(NONE, None, t, task) for t, task in asked},
    ]
    for name in rows_from(teachers):
        kind = KINDS.get(name, "variant")
        seeds = [found[key]["seeds"] for key in found if key[0] == name and key[1] in teachers]
        lines.append({"name": name, "kind": kind, "seeds": " to ".join(map(str, sorted(set(seeds)))) or "–"} | {named[t, task]: score(name, t, settings.student, task) for t, task in asked})  # fmt: skip
    return pd.DataFrame(lines)


controls = score_table([settings.teacher])
save_figure_data(controls, "controls")
table(
    controls,
    f"Scores of every method in percent with 95% intervals, teacher {settings.teacher}, profile {settings.name}.",
    "tab-controls",
)

# %% tags=["remove-input"]
provenance(HERE, "controls", COMPARE)

# %% tags=["hide-input"]
if settings.teachers:
    controls_code = score_table(list(settings.teachers))
    save_figure_data(controls_code, "controls-code")
    display(
        table(
            controls_code,
            f"The same from the further teachers of profile {settings.name}.",
            "tab-controls-code",
        ),
        provenance(HERE, "controls-code", COMPARE),
    )

# %% [markdown]
# ## SemAlign minus X
#
# Both methods were scored on the same test items. A resample draws items, the same for both, and seeds of each; the interval is that of the percentiles {cite}`efron1979bootstrap`. Many lines are tested at once, so $p$ values are corrected for the whole table by Holm's procedure {cite}`holm1979multiple`: where the corrected value is below 0.05, the chance of any such line without a difference is below 5%. With few seeds the spread over seeds is underestimated, with $S$ of them by a factor $(S - 1)/S$ in the variance.

# %% tags=["hide-input"]
# Enough for a corrected p of 0.02 where no resample is on the other side of zero.
RESAMPLES = max(10_000, 100 * len(rows) * sum(len(settings.teachers_for(task)) for task in settings.tasks))
ours = [PAPER, *(name for name in settings.variants if name != PAPER and settings.method_of(name).name == PAPER)]
compared = {name: differences(folder, name, only=current, resamples=RESAMPLES) for name in ours}


def difference_table(name, lines, teachers):
    """Return lines of differences with one row a method, one column for each task of each teacher."""
    asked = pairs(teachers)
    known = {(line["minus"], line["teacher"], line["task"]): line for _, line in lines.iterrows()}

    def written(key):
        if key not in known:
            return NOT_RUN
        line = known[key]
        mark = "**" if line["p_holm"] < 0.05 else ""
        return f"{mark}{interval(*line[['difference', 'low', 'high']], signed=True)}{mark}, p {line['p_holm']:.2g}"

    others = [NONE, *(other for other in rows_from(teachers) if other != name)]
    return pd.DataFrame(
        [
            {"minus": "student as it is" if other == NONE else other}
            | {title(task) + (f", {t}" if len(teachers) > 1 else ""): written((other, t, task)) for t, task in asked}
            for other in others
        ]
    )


for name, lines in compared.items():
    save_figure_data(lines, f"differences-{name}")
    if lines.empty:
        display(Markdown(f"*`{name}` minus X: {NOT_RUN}.*"))
        continue
    smallest = min(1.0, 2 / (RESAMPLES + 1) * len(lines))
    groups = {"": [settings.teacher], "-code": list(settings.teachers)}
    for suffix, teachers in groups.items():
        if lines["teacher"].isin(teachers).any():
            display(
                table(
                    difference_table(name, lines, teachers),
                    f"`{name}` minus X in points, from {' and '.join(teachers)}: 95% interval, and p corrected for all {len(lines)} lines (bold: below 0.05; the smallest that {RESAMPLES:,} resamples can give is {smallest:.2g}). Above zero `{name}` is better.",
                    f"tab-differences-{name}{suffix}",
                )
            )
    display(provenance(HERE, f"differences-{name}", COMPARE))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "SemAlign under the paper's settings minus every other row, general teacher, with 95% intervals before any correction. What to see: right of zero SemAlign is better; a control left of zero or on it explains SemAlign's score without semantic alignment.", "name": "fig-differences"}, "image": {"alt": "One panel for each benchmark; in each a point with a horizontal interval for every method, and a line at zero."}}
drawn = compared[PAPER]
drawn = drawn[drawn["teacher"] == settings.teacher].replace({"minus": {NONE: "student as it is"}})
order = [name for name in ["student as it is", *rows] if name in set(drawn["minus"])]
figure, axes = plt.subplots(
    1, len(settings.tasks), figsize=(9, 0.8 + 0.26 * max(len(order), 4)), sharey=True, squeeze=False
)
for axis, task in zip(axes[0], settings.tasks):
    part = drawn[drawn["task"] == task].set_index("minus").reindex(order)
    errors = [(part["difference"] - part["low"]).clip(lower=0), (part["high"] - part["difference"]).clip(lower=0)]
    axis.errorbar(part["difference"], range(len(order)), xerr=errors, fmt="o", ms=4, capsize=2)
    axis.axvline(0, color="0.3", lw=1)
    axis.set(title=title(task), xlabel="points")
axes[0, 0].set_yticks(range(len(order)), order)
axes[0, 0].invert_yaxis()
plt.show()

# %% tags=["remove-input"]
provenance(HERE, f"differences-{PAPER}", COMPARE)

# %% [markdown]
# ## How settings were chosen
#
# `semalign select` scores every point of a grid on validation data: one seed, the general teacher, the same number of points for every row, so that no method is tuned more than another. The best point of each row and task, by validation score, is what the profile's variants hold; the test split is not looked at.

# %% tags=["hide-input"]
chosen_from = results_dir() / f"{settings.name}-selection" / "selection.csv"
SELECT = f"semalign select --profile {profile}"
grid = pd.read_csv(chosen_from) if chosen_from.is_file() else None
if grid is None:
    display(Markdown(f"*The grid was {NOT_RUN} for this profile. `{SELECT}` runs it.*"))
else:
    keys = ["task", "variant", "point", "value", "n", "response_nll", "best"]
    names = [column for column in grid if column not in keys]

    def point(line):
        set_ = {name: line[name] for name in names if pd.notna(line[name])}
        return ", ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in set_.items()
        )

    grid["settings"] = grid.apply(point, axis=1)
    grid["benchmark"] = grid["task"].map(title)
    points = grid.groupby("variant", sort=False)["point"].nunique()
    sizes = " or ".join(map(str, sorted(set(points))))
    print(f"{len(points)} rows, {sizes} points each, {grid['n'].max()} validation items")
    best = grid[grid["best"]].pivot(index="variant", columns="benchmark", values="settings").reset_index()
    best = best.rename(columns={"variant": "row"})[["row", *(title(t) for t in settings.tasks if title(t) in best)]]
    save_figure_data(grid.drop(columns=["settings", "benchmark"]), "selection")
    display(
        table(
            best.fillna(NOT_RUN), "The chosen point of each row and task: the settings that it changes.", "tab-chosen"
        ),
        provenance(HERE, "selection", SELECT),
    )

# %% tags=["hide-input"]
if grid is not None:
    try:
        in_grid = selection.chosen(settings, grid)
    except (IndexError, KeyError):
        in_grid = {}
        print("The grid of the profile is not the one that was run.")
    differing = [
        f"{row} on {title(task)}"
        for row, tasks in in_grid.items()
        for task in settings.tasks
        if task in tasks
        and {**settings.settings_for(task, row, varied=False), **tasks[task]} != settings.settings_for(task, row)
    ]
    print(
        "Rows whose settings in the profile are not the chosen point: "
        + (", ".join(differing) if differing else "none")
    )

# %% tags=["hide-cell"]
if grid is not None:
    whole = grid.assign(
        score=[f"**{v:.1f}**" if chosen else f"{v:.1f}" for v, chosen in zip(grid["value"], grid["best"])]
    ).pivot(index=["variant", "point", "settings"], columns="benchmark", values="score")
    whole = whole.reset_index().rename(columns={"variant": "row"}).fillna(NOT_RUN)
    whole = whole[["row", "point", "settings", *(title(t) for t in settings.tasks if title(t) in whole)]]
    display(
        table(whole, "The whole grid: validation scores in percent, the chosen points bold.", "tab-grid"),
        provenance(HERE, "selection", SELECT),
    )

# %% [markdown]
# ## A version that works?
#
# If the paper's objective does not help a student, a small departure from it may. Two searches on validation data look for one, a change at a time, each with four points of step size and weight of the layer term. The first starts from cross-entropy as the output term, with all training examples: `plain` adds the layer term as it is, the other rows change it, and the two rows of cross-entropy have none, on the paired layer and on the last. The second has 32 examples a task, where labels are scarce. A row that beats cross-entropy, or distillation, by more than its control with permuted atoms would be `semalign+`.

# %% tags=["hide-input"]
SEARCHES = {"plus": "all training examples of the profile", "few": "32 training examples"}
for name, size in SEARCHES.items():
    path, command = results_dir() / f"{settings.name}-{name}-selection" / "selection.csv", f"semalign select --profile {settings.name}-{name}"  # fmt: skip
    if not path.is_file():
        display(Markdown(f"*This search was {NOT_RUN}: `{command}`.*"))
        continue
    searched = pd.read_csv(path)
    if name == "plus" and grid is not None:
        same = grid[(grid["variant"] == "cross-entropy") & grid["task"].isin(searched["task"])]
        searched = pd.concat([same, searched], ignore_index=True)
    lowest = searched.loc[searched.groupby(["variant", "task"], sort=False)["response_nll"].idxmin()]
    cells_ = lowest.assign(
        benchmark=lowest["task"].map(title),
        text=[f"{nll:.4f} ({score:.1f})" for nll, score in zip(lowest["response_nll"], lowest["value"])],
    ).pivot(index="variant", columns="benchmark", values="text")
    shown = cells_.loc[list(dict.fromkeys(searched["variant"]))].reset_index().rename(columns={"variant": "row"})
    save_figure_data(searched, f"search-{name}")
    display(
        table(
            shown.fillna(NOT_RUN),
            f"Search with {size}: response NLL on {searched['n'].max()} validation items in nats a token, lower is better, at the point where it is lowest, and the score there in percent.",
            f"tab-search-{name}",
        ),
        provenance(HERE, f"search-{name}", command),
    )

# %% [markdown]
# Read off the records of the profile `micro`: nothing that was tried helps beyond its control, so there is no `semalign+` here. In the first search nothing beats cross-entropy by more than 0.0003 nats, so that no row of permuted atoms was run beside it; the second has one.
#
# - **The layer term can be made harmless, not helpful.** At weight 0.03 the response NLL is that of cross-entropy without it, to within 0.0003 for the plain term and for relations, which need no map, and within 0.003 for centred states, at the MLP's output or the residual contribution. At 0.3 it is worse in most rows (the table's data have every point).
# - **Another layer does not change that**: on the last layer, too, the rows with the layer term end within 0.002 of cross-entropy, and that layer learns less than the paired one.
# - **Mean square to aligned states does harm**, and KL to the teacher in place of labels gains nothing.
# - **Few examples do not either**: with 32, real and permuted atoms are 0.0001 apart.
#
# One seed, 200 items: the interval of one score is about ±7 points, that of a difference up to ±10; the NLL is the finer measure. A response of one token has no relations, so that on MMLU `relation` is cross-entropy itself. Not tried: prompts without labels, several layers at once, an alignment phase before the task's.

# %% [markdown]
# ## What it costs
#
# Seconds and peak memory of one transfer, each method in a process of its own with an empty cache, on one task and one thread. Memory is that of the whole process, Python and PyTorch included; what the process held before the transfer began stands beside it. Making the teacher's states is part of the transfer: a second run with other seeds finds them in the cache and is faster.

# %% tags=["hide-input"]
costs_from = results_dir() / f"{settings.name}-cost"
COST = f"python benchmarks/method_cost.py --profile {profile}"
costs = None
if costs_from.is_dir() and not (made := read_records(costs_from)).empty:
    now = {
        "teacher": experiments.fingerprint_of(settings.teacher),
        "student": experiments.fingerprint_of(settings.student),
    }
    kept = [all(prints.get(key) == value for key, value in now.items()) for prints in made["fingerprints"]]
    print(f"{sum(kept)} of {len(made)} cost records are of the models of this profile")
    costs = made[kept].copy()
if costs is None or costs.empty:
    costs = None
    display(Markdown(f"*Costs were {NOT_RUN} for this profile. `{COST}` measures them.*"))
else:
    task = costs["task"].iloc[0]
    costs["memory"] = costs["peak_memory_bytes"] / 2**20
    costs["before"] = [details["memory_before_bytes"] / 2**20 for details in costs["details"]]
    lines = [found.get((name, settings.teacher, settings.student, title(task))) for name in costs["method"]]
    for key in ("value", "low", "high"):
        costs[key] = [float("nan") if line is None else line[key] for line in lines]
    costs["kind"] = [KINDS.get(name, "variant") for name in costs["method"]]
    costs = costs.set_index("method").reindex([name for name in rows if name in set(costs["method"])]).reset_index()
    cost_data = costs[["method", "kind", "seconds", "memory", "before", "value", "low", "high", "task"]]
    save_figure_data(cost_data, "cost")
    costs["no."] = [str(number) for number in range(1, len(costs) + 1)]
    shown = costs[["no.", "method", "kind", "seconds", "memory", "before"]].copy()
    shown["score"] = [NOT_RUN if v != v else interval(v, low, high) for v, low, high in zip(costs["value"], costs["low"], costs["high"])]  # fmt: skip
    shown = shown.rename(columns={"memory": "peak MiB", "before": "MiB before the transfer"})
    lacking = [name for name in rows if name not in set(costs["method"])]
    threads = ", ".join(sorted({str(c.get("threads")) for c in costs["configuration"]}))
    display(
        table(
            shown,
            f"Cost of one transfer on {title(task)} ({costs['n'].iloc[0]} training rows, {threads} thread), and the score there. One run each"
            + (f"; {NOT_RUN}: {', '.join(lacking)}." if lacking else "."),
            "tab-cost",
            decimals=1,
        ),
        provenance(HERE, "cost", COST, record=costs_from / f"{costs['method'].iloc[0]}.json"),
    )

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Score against the cost of one transfer: seconds (left) and peak memory of the process (right); bars are 95% intervals of the score, numbers those of the table above. What to see: whether a method that costs more scores more; up and to the left is better.", "name": "fig-cost"}, "image": {"alt": "Two scatter plots of score over seconds and over memory, one numbered point a method, or a note that costs were not run."}}
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
for axis, column, name in zip(axes, ("seconds", "memory"), ("seconds", "peak memory (MiB)")):
    axis.set(xlabel=name)
    if costs is None:
        axis.text(0.5, 0.5, "not run", ha="center", va="center", transform=axis.transAxes)
        continue
    for (kind, part), colour, marker in zip(costs.groupby("kind", sort=False), sns.color_palette("colorblind"), "osD^"):
        part = part[part["value"].notna()]
        errors = [(part["value"] - part["low"]).clip(lower=0), (part["high"] - part["value"]).clip(lower=0)]
        axis.errorbar(part[column], part["value"], yerr=errors, fmt=marker, color=colour, label=kind, capsize=2, ms=5)
        for _, line in part.iterrows():
            axis.annotate(line["no."], (line[column], line["value"]), (4, 3), textcoords="offset points", fontsize=8)
if costs is not None:
    axes[0].set(ylabel=f"score on {title(task)} (%)")
    axes[0].legend(fontsize=8)
plt.show()

# %% tags=["hide-input"]
if costs is not None:
    display(provenance(HERE, "cost", COST))

# %% [markdown]
# ## Reading
#
# A difference whose interval holds zero is no difference that these data show, and a control that scores as SemAlign does needs no semantic alignment for it.
#
# Of the profile `micro`, the records say:
#
# - **Maps without semantics do as well.** No row with another map differs from `semalign` or from `semalign-tuned` after correction; beside `semalign-tuned`, `permuted-atoms` and `random-bases` are within 1.2 points on every benchmark. With no gain there is nothing for semantics to explain.
# - **What gains has labels or the teacher's distribution**: `cross-entropy` on the one layer, `sft` and Seeking on all, `layer-distillation` (which has cross-entropy as its output term), `logit-kl`, `logit-reverse-kl` and `frontier`. Of the two terms of the objective alone, `output-cosine` gains 2.4 points on GSM8K, and `layer-cosine` no more than 1.0 anywhere.
# - **Adding the aligned state to cross-entropy gains nothing**: `semalign-ce` minus `cross-entropy` is 0.4 points on MMLU and below zero on the other three, and no interval lies above zero ({numref}`tab-differences-semalign-ce`). Each has the learning rate that was best for it.
# - **`sft` is above `semalign` on all four**, by intervals that do not hold zero before correction. It asks no teacher.
