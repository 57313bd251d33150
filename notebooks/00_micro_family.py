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
# # The micro family
#
# ## In short
#
# **Which models and tasks do most measurements in this book come from?**
#
# - They come from five small models that were trained for this project, and from four generated benchmarks in the form of MMLU, GSM8K, HumanEval and MBPP.
# - The {term}`teacher` answers far more test items than the {term}`student`, for example {num}`micro/none--micro-teacher--micro_gsm8k.json:value:.0f` against {num}`micro/none--micro-student--micro_gsm8k.json:value:.0f` percent of micro-GSM8K. So there is something to transfer.
# - **What this does not show**: anything about the real benchmarks, or about Llama 2.
#
# :::{admonition} About this page
# - **Purpose**: the small models and benchmarks that come with this project, and on which most of this book runs: how large they are, how they were made, what a task looks like, and what they are not good for.
# - **Cost**: about 10 seconds on a CPU. Scores and answers come from records.
# - **Command**: `semalign run --profile micro --only 00`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks", "results/{profile}", "results/micro-sibling"]

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.tables.micro_family import answers_text, benchmark_table, changed_item, model_table
from semalign.book.tables.paper import title

page = open_page("00_micro_family", profile, inputs)

# %% [markdown]
# A transfer between the models of the micro family takes seconds to about two minutes on a CPU, so that a claim can be tested many times. The family has three general models (`micro-teacher` and two students) and two code models. All five have Llama's architecture. Anyone can train them again: the project generates the text. Its four small benchmarks have rows, prompts and scorers in the form of those of MMLU, GSM8K, HumanEval and MBPP.
#
# ## Models
#
# `micro-teacher` and `micro-student` were trained from scratch, independently of each other, with the same tokenizer of 1,024 tokens. `micro-coder` and `micro-wizard` continue the teacher's training on code, as CodeLlama and WizardCoder continue Llama 2. `micro-sibling` is a second student, cut from the teacher as some published students are: with a narrower residual stream and fewer layers, and trained on. Its head is not trained, so that its atoms stay close to the teacher's; with a trained head they move away ([Decisions](#decisions-a-student-that-corresponds-to-the-teacher)). The first student has seen the same facts and skills as the teacher, mostly told in other words and layouts. Only a few of its documents had the form of the benchmarks, and it is smaller. It answers fewer of their items, so that there is something to transfer.

# %%
from semalign.data.tasks import rows
from semalign.experiments import currency
from semalign.experiments.profiles import load_profile
from semalign.paths import data_dir, results_dir
from semalign.results.records import NONE, read_record

settings = load_profile(profile)
folder = results_dir() / settings.name
current = currency.current(settings, folder)
second = results_dir() / "micro-sibling"
found = [folder / name for name in current]
found += [second / name for name in currency.current(load_profile(second.name), second)]
scores = {(r["student"], r["task"]): r for path in sorted(found) if (r := read_record(path))["method"] == NONE}
print(len(scores), "scores of models as they are")

# %% tags=["hide-input"]
NAMES = ("micro-teacher", "micro-student", "micro-sibling", "micro-coder", "micro-wizard")
STUDENTS = ("micro-student", "micro-sibling")
models = [data_dir() / "models" / name for name in NAMES]
page.show_table(
    model_table(models, scores, list(settings.tasks)),
    "The bundled models, and their scores on the test splits in percent, with 95% Wilson intervals over 500 items. Code models are scored on the code benchmarks.",
    "micro-models",
    command=f"semalign compare --profile {profile} --methods semalign --seeds 1; semalign compare --profile micro-sibling --methods semalign --seeds 1",
    records=[path for path in found if path.name.startswith(f"{NONE}--")],
)
reached = {name: [scores[name, t]["value"] if (name, t) in scores else 0 for t in settings.tasks] for name in STUDENTS}
higher = [title(t) for t, first, other in zip(settings.tasks, *reached.values(), strict=True) if other > first]
display(Markdown(f"`micro-sibling` scores higher than `micro-student` on {', '.join(higher) or 'no benchmark'}."))

# %% [markdown]
# `semalign pretrain micro-student` makes a model again. The file `src/semalign/micro/recipe.yaml` says for each model which text it reads, in which stages and at which rates. Each model's folder below `data/models/` has a card, such as {download}`that of micro-teacher </../data/models/micro-teacher/README.md>`, and the losses of its training.
#
# ## Benchmarks
#
# All items are generated from a seed. *micro-MMLU* asks for one of four values of an invented fact, *micro-GSM8K* for the answer to a word problem of one to four steps, *micro-HumanEval* for the body of a function from its head and description, and *micro-MBPP* for a function from its description and three asserts. No prompt occurs twice, the facts and functions of the three splits are different ones, and no row of any split is in the models' training text. That text tells the facts of all splits in other words, so that a model can know them. The tests of a function fail for every other function of its family that behaves differently. Tables and later chapters drop the *micro-*: for micro models, GSM8K means micro-GSM8K. Only where SmolLM2 or Gemma stand is the published benchmark meant. The {download}`data card </../data/benchmarks/semalign/README.md>` says more.

# %% tags=["hide-input"]
page.show_table(
    benchmark_table(data_dir() / "benchmarks" / "semalign"),
    "The bundled benchmarks: items by split. Training uses the first split, settings are chosen on the second, and the third is for the final measurement only.",
    "micro-benchmarks",
)

# %% [markdown]
# ## One item of each
#
# This is the first item of each test split, not a chosen one, with the right answer (for code, one that passes the tests) and four others: those of the student, of the teacher, of the student after SemAlign with the [paper's settings](../paper_settings.md), and of the student after a training of the same layer by cross-entropy in place of both terms of SemAlign's loss. Both trainings have the rows, epochs and rate of the paper's Table 5, and seed 0. Records keep the answers to the first three items. Where a training changed the answer to one of the other two, that item is shown too.

# %% tags=["hide-input"]
AFTER = {"after SemAlign": "semalign", "after cross-entropy": "cross-entropy"}


for task in settings.tasks:
    answered = {name: scores.get((name, task)) for name in (settings.student, settings.teacher)}
    for called, method in AFTER.items():
        name = f"{method}--{settings.teacher}--{settings.student}--{task}--0.json"
        answered[f"{settings.student} {called}"] = read_record(folder / name) if name in current else None
    right = [row["response"] for row in rows(task, "test", 3)]
    display(Markdown(f"### {title(task)}\n\n{answers_text(answered, right)}"))
    if item := changed_item([record for name, record in answered.items() if name != settings.teacher]):
        display(Markdown(f"Item {item + 1}, which a training changed:\n\n{answers_text(answered, right, item)}"))

# %% [markdown]
# ## What it is not good for
#
# - **Letters.** In micro-MMLU a value has the same letter in every question, and a constant answer is right in one case of four. A model that knows a fact and the letter of its value need not compare the options.
# - **Size.** A score says how a model of this size handles these templates. It says nothing about the real benchmarks, and nothing about models of billions of parameters.
# - **The teacher and the first student were trained apart**: they share the tokenizer, the architecture, and the facts and skills of their text, and still their {term}`atoms <semantic atom>` hardly correspond ([Does the premise hold?](05_premise.ipynb)). Some published students are cut from their teachers, as `micro-sibling` is. The paper's pair, Llama 2 7B and 13B, was trained separately on the same data; whether its atoms correspond has not been measured here.
# - **One family.** Methods that rank alike here may rank differently elsewhere. The page [Published weights](13_published_weights.ipynb) has the other models that were run.
#
# **Read next**: [Semantic basis](01_semantic_basis.ipynb), where the method begins, or [Claims](../claims.md) for the verdicts.
