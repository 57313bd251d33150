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
# - **Purpose**: Fig. 4 and 6 of the paper: CKA between every teacher layer and every student layer, linear and RBF, before and after alignment and after a transfer, with untrained models and permuted atoms as controls.
# - **Cost**: about a minute for the micro family; the pictures of SmolLM2-135M come from committed results.
# - **Command**: `semalign run --profile micro --only 08`

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.ticker import MaxNLocator

import semalign
from semalign.analysis.cka_reading import NAMES, answers, read_pictures
from semalign.analysis.cka_record import micro_pair, write_cka
from semalign.book.theme import Markdown, apply_theme, provenance, save_figure_data, table
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.paths import project_root, results_dir
from semalign.targets.pairing import LayerMap

apply_theme()
settings = load_profile(profile)
HERE, COMMAND = "notebooks/08_cka.py", f"semalign run --profile {profile} --only 08"

# %% [markdown]
# ## What is measured
#
# For $n$ rows, centred, of a teacher layer $X$ and a student layer $Y$, with kernel matrices $K$ and $L$ {cite}`kornblith2019cka`,
#
# $$
# \operatorname{CKA}(K, L) = \frac{\operatorname{HSIC}(K, L)}{\sqrt{\operatorname{HSIC}(K, K)\, \operatorname{HSIC}(L, L)}} .
# $$ (eq-cka)
#
# The linear kernel is $K = X X^\top$, the RBF kernel has the median distance as its width. HSIC is the unbiased estimate {cite}`song2012hsic`, summed over minibatches of rows {cite}`nguyen2021wide`. A row is one token of a code prompt, the states are layer outputs. CKA does not see a rotation or a common scale of either space. It does see a map that stretches, as $M = S_T S_S^\top$ does, so that "after alignment" is a real question.
#
# The pictures: the models as they are (*before*); teacher states mapped by $M$ (*after alignment*); the adapted student in the student's place (*after transfer*); two models of the same architectures with weights as they are before any training, initialised apart (*untrained*); and teacher states mapped by an $M$ whose atoms are permuted, which keeps the form of the map and none of its semantics. States are taken as they are, and, below, at unit length: a few tokens, often the first, may be hundreds of times longer than the rest, and linear CKA then sees little else.
#
# ## The micro pair
#
# Teacher and student of the micro family on the prompts of micro-HumanEval. The transfer is the paper's method under the paper's settings, made now.

# %% tags=["hide-input"]
if settings.name == "micro":
    teacher, student, task = micro_pair()
    training = rows(task, "train", settings.tasks[task].train_size)
    transferred = semalign.transfer(teacher, student, training, task=task, **settings.settings_for(task))
    out = project_root() / "book" / "_static" / "data" / "cka-micro"
    record = write_cka(teacher, student, task, out, transferred=transferred.model, limit=164)
    micro = pd.read_csv(out.with_suffix(".csv"))
    layers = transferred.record["details"]
    print(
        f"{record['configuration']['prompts']} prompts, {record['n']} tokens; the transfer trained student layer "
        f"{layers['student_layer']} towards teacher layer {layers['teacher_layers'][0][0]}"
    )

# %% tags=["hide-input"]
SHOWN = ["before", "after", "transferred", "untrained", "permuted"]


def draw(pictures, states):
    """Draw heat maps, a row for each kernel; a ring is the teacher layer that a student layer is paired with."""
    of_states = pictures[pictures["states"] == states]
    shown = [name for name in SHOWN if name in set(of_states["picture"])]
    kernels = list(of_states["kernel"].unique())
    figure, axes = plt.subplots(
        len(kernels), len(shown), figsize=(2.1 * len(shown) + 0.8, 2.5 * len(kernels) + 0.3), squeeze=False, sharex=True, sharey=True
    )  # fmt: skip
    for i, kernel in enumerate(kernels):
        for j, name in enumerate(shown):
            part = of_states[(of_states["kernel"] == kernel) & (of_states["picture"] == name)]
            matrix = part.pivot(index="teacher_layer", columns="student_layer", values="cka")
            axis = axes[i, j]
            n_teacher, n_student = matrix.shape
            extent = (0.5, n_student + 0.5, 0.5, n_teacher + 0.5)
            image = axis.imshow(matrix, vmin=0, vmax=1, cmap="viridis", origin="lower", aspect="auto", extent=extent)
            own = list(LayerMap(n_teacher, n_student))
            axis.scatter(*zip(*own), s=9, facecolors="none", edgecolors="white", linewidths=0.7)
            axis.grid(False)
            axis.set_title(NAMES[name].replace("alignment with ", "") if i == 0 else "", fontsize=9)
        axes[i, 0].set_ylabel(f"{kernel}\nteacher layer")
    for axis in axes[-1]:
        axis.set_xlabel("student layer")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    figure.colorbar(image, ax=axes, label="CKA", shrink=0.7)
    plt.show()


def show_readings(pictures, name, caption, command, record):
    """Show the answers in sentences, and the numbers they are made of."""
    readings = read_pictures(pictures)
    n_student = pictures["student_layer"].max()
    for states, called in {"raw": "States as they are", "unit": "States at unit length"}.items():
        found = answers(readings, n_student, states)
        text = [f"- **{question}**\n" + "\n".join(f"  - {line}" for line in lines) for question, lines in found.items()]
        display(Markdown(f"{called}:\n\n" + "\n".join(text)))
    save_figure_data(readings, f"readings-{name}")
    shown = readings.assign(picture=readings["picture"].map(NAMES))
    shown.columns = [column.replace("_", " ") for column in shown.columns]
    display(
        table(shown, caption, f"tab-readings-{name}"),
        provenance(HERE, f"readings-{name}", command, record=record),
    )


def not_run(command):
    display(Markdown(f"*Not run. These commands make it:*\n\n```sh\n{command}\n```"))


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Fig. 4 and 6 on the micro pair: CKA of layer outputs as they are, linear (top) and RBF (bottom). Rings mark the layers that the depth map pairs. What to see: whether the rings lie on the brightest cells of their columns, whether the first three pictures are alike, and what the untrained pair shows.", "name": "fig-cka-micro"}, "image": {"alt": "Two rows of five heat maps of teacher layers by student layers."}}
if settings.name == "micro":
    draw(micro, "raw")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for states at unit length, as Eq. 1 takes them. What to see: what changes once a few long states no longer decide.", "name": "fig-cka-micro-unit"}, "image": {"alt": "Two rows of five heat maps of teacher layers by student layers."}}
if settings.name == "micro":
    draw(micro, "unit")

# %% tags=["hide-input"]
if settings.name == "micro":
    display(provenance(HERE, "cka-micro", COMMAND))

# %% [markdown]
# ### Answers
#
# "Near the diagonal" is within one layer of the partner that the depth map gives. Where similarity falls off with depth in both models, two pictures correlate whatever the pairing; with the means of rows and columns taken out, only the pairing is left to agree.

# %% tags=["hide-input"]
if settings.name == "micro":
    show_readings(
        micro,
        "cka-micro",
        "Readings of each picture of the micro pair; the last three columns compare it with the picture before alignment.",
        COMMAND,
        out.with_suffix(".json"),
    )
else:
    not_run("semalign run --profile micro --only 08")

# %% [markdown]
# ## Published weights
#
# SmolLM2-135M-Instruct {cite}`allal2025smollm2` against the student of [the next page](09_published_weights.ipynb), which is cut from it in depth and width, before and after a transfer, on the prompts of HumanEval {cite}`chen2021humaneval`. The student is a part of its teacher here, so some likeness along the diagonal is there by construction: up to the first layer left out, the student is its teacher with less width.

# %% tags=["hide-input"]
REAL = results_dir() / "small" / "cka-smollm2-135m"
REAL_COMMAND = """semalign fetch smollm2-135m
semalign drop-layers smollm2-135m --every 3 --out ~/.cache/semalign/models/smollm2-135m-every-third-dropped
semalign slice smollm2-135m-every-third-dropped --width 504 --data gsm8k --out ~/.cache/semalign/models/smollm2-135m-cut
semalign transfer smollm2-135m smollm2-135m-cut --data gsm8k --examples 100 --hold-out 100 -s epochs=3 -s batch_size=16 -s micro_batch_size=8 --out runs/transfer-cut-gsm8k-literal
semalign cka smollm2-135m smollm2-135m-cut --adapter runs/transfer-cut-gsm8k-literal --out data/results/small/cka-smollm2-135m"""
real = pd.read_csv(f"{REAL}.csv") if REAL.with_name(f"{REAL.name}.csv").is_file() else None
if real is None:
    not_run(REAL_COMMAND)
else:
    save_figure_data(real, "cka-smollm2")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Fig. 4 and 6 on SmolLM2-135M-Instruct and the student cut from it, HumanEval prompts: CKA of layer outputs as they are, linear (top) and RBF (bottom). What to see: as for the micro pair; in the lower left corner both have the same layers.", "name": "fig-cka-smollm2"}, "image": {"alt": "Two rows of heat maps of teacher layers by student layers."}}
if real is not None:
    draw(real, "raw")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for states at unit length.", "name": "fig-cka-smollm2-unit"}, "image": {"alt": "Two rows of heat maps of teacher layers by student layers."}}
if real is not None:
    draw(real, "unit")

# %% tags=["hide-input"]
if real is not None:
    show_readings(
        real,
        "cka-smollm2",
        "Readings of each picture of SmolLM2-135M-Instruct and the student cut from it.",
        REAL_COMMAND.replace("\n", "; "),
        REAL.with_name(f"{REAL.name}.json"),
    )

# %% [markdown]
# ## Reading
#
# High similarity along the diagonal says something about two trained models only as far as it exceeds what the untrained pair shows, and a picture that alignment leaves unchanged says something about semantics only as far as permuted atoms change it.
