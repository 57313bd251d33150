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
# # Published weights
#
# - **Purpose**: the four real benchmarks and one transfer on weights that others trained, SmolLM2-135M-Instruct {cite}`allal2025smollm2`, small enough for a CPU.
# - **Cost**: seconds; all numbers are read from committed run records, and what has none is *not run*. To make them takes hours on two cores.
# - **Command**: `semalign run --only 09`; those that make the records stand below.

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import json

import pandas as pd
from IPython.display import display

from semalign.book.tables import NOT_RUN, interval
from semalign.book.theme import Markdown, apply_theme, provenance, save_figure_data, table
from semalign.paths import data_dir, results_dir

apply_theme()
HERE, FOLDER = "notebooks/09_published_weights.py", results_dir() / "small"


def read(path):
    return json.loads(path.read_text()) if path.is_file() else None


# %% [markdown]
# ## The four benchmarks
#
# Each in the form that its task file fixes ([Decisions](../decisions.md)): zero-shot, Tulu's chat format, the answer begun for the model. That is the protocol of the prior work for Llama 2. It does not suit this model, which was trained on another chat format: it shows that the benchmarks run on published weights and what they cost, not what the model is capable of. The published figures are those of its model card, for other forms of the tasks, so they give only the rough range to expect.

# %% tags=["hide-input"]
TASKS = {
    "mmlu": "MMLU",
    "gsm8k": "GSM8K",
    "humaneval_greedy": "HumanEval, greedy",
    "humaneval": "HumanEval, 20 samples",
    "mbpp": "MBPP",
}
SCORES = FOLDER / "smollm2-135m"
SCORE = """for task in gsm8k humaneval_greedy humaneval mbpp; do
  [ $task = humaneval ] && batch=820 || batch=256
  semalign evaluate smollm2-135m --engine vllm --vllm max_model_len=2048 --task $task --batch-size $batch \\
    --out data/results/small/smollm2-135m
done
semalign evaluate smollm2-135m --task mmlu --limit 20 --batch-size 16 --out data/results/small/smollm2-135m"""
published = pd.read_csv(data_dir() / "published" / "smollm2-135m-instruct.csv").set_index("task")


def score_line(task):
    """Return the line of a benchmark: our score, its other metrics, and what the model card says."""
    card = f"{published.loc[task, 'score']} ({published.loc[task, 'how']})" if task in published.index else "none"
    record = read(SCORES / f"{task}.json")
    line = {"benchmark": TASKS[task], "score": NOT_RUN, "metric": "", "items": "", "also": "", "minutes": ""}
    if record is not None:
        others = {k: v for k, v in record["details"]["scores"].items() if k != record["metric"]}
        line |= {
            "score": interval(record["value"], *record["interval"]),
            "metric": record["metric"].replace(",", ", "),
            "items": str(record["n"]),
            "also": "; ".join(f"{key.replace(',', ', ')} {value:.1f}" for key, value in others.items()),
            "minutes": f"{record['details']['evaluation_seconds'] / 60:.0f}",
        }
    return line | {"model card": card}


lines = pd.DataFrame([score_line(task) for task in TASKS])
save_figure_data(lines, "published-scores")
display(
    table(
        lines,
        "SmolLM2-135M-Instruct on the test splits, in percent, with 95% intervals over the items (Wilson's; with 20 samples of each the bootstrap's over items, unless all have the same share). MMLU: 20 items of each of its 57 subjects. Minutes: on one or two CPU cores, some beside other work, with the loading of the engine.",
        "tab-published-scores",
        decimals=1,
    ),
    provenance(HERE, "published-scores", f"semalign run --profile {profile} --only 09"),
    Markdown(f"The records are made by\n\n```sh\n{SCORE}\n```"),
)

# %% tags=["hide-input"]
if (run := read(results_dir() / "speed" / "backends.json")) is not None:
    vllm, transformers = (run["backends"][name]["tokens_per_second"] for name in ("vllm", "transformers"))
    display(
        Markdown(
            f"MMLU was scored by transformers, which reads all four letters off one pass; texts were written by vLLM, "
            f"which takes in new rows as others end, where a batch of transformers goes on until its longest answer "
            f"ends. In one run of {run['items']} items of GSM8K, in float32 on {run['threads']} threads "
            f"of a CPU, {run['batch_size']} at a time, vLLM wrote {vllm} tokens a second and transformers "
            f"{transformers}; {run['equal_texts']} of the {run['items']} texts were equal "
            f"(`data/results/speed/backends.json`, made by `benchmarks/backend_speed.py`)."
        )
    )

# %% [markdown]
# ## A transfer into a student cut from its teacher
#
# The student is SmolLM2-135M-Instruct without every third layer, and with the residual stream of what is left turned into its principal directions and cut from 576 to 504 of them, as SliceGPT {cite}`ashkboos2024slicegpt` does, but with one rotation for all layers. So teacher and student differ in depth and width, share a vocabulary, and the student has something to regain. Steering is on one layer, the one that attribution and depth map choose. Three objectives on the same rows in the same order: the paper's two cosines; the cosine of layers towards a map whose atoms are permuted, which keeps the form and none of the semantics; and cross-entropy alone.

# %% tags=["hide-input"]
OBJECTIVES = {"literal": "the paper's", "permuted-atoms": "permuted atoms", "cross-entropy": "cross-entropy alone"}
CUT = """semalign fetch smollm2-135m
semalign drop-layers smollm2-135m --every 3 --out ~/.cache/semalign/models/smollm2-135m-every-third-dropped
semalign slice smollm2-135m-every-third-dropped --width 504 --data gsm8k --out ~/.cache/semalign/models/smollm2-135m-cut
for task in gsm8k mbpp; do
  for run in literal permuted-atoms cross-entropy; do
    case $run in
      literal) objective="" ;;
      permuted-atoms) objective="-s map=permuted" ;;
      cross-entropy) objective="-s output_loss=cross_entropy -s layer_weight=0" ;;
    esac
    semalign transfer smollm2-135m smollm2-135m-cut --data $task --examples 100 --hold-out 100 \\
      -s epochs=3 -s batch_size=16 -s micro_batch_size=8 $objective --out runs/transfer-cut-$task-$run
    cp runs/transfer-cut-$task-$run/record.json data/results/small/transfer-cut-$task-$run.json
  done
done"""
transfers = []
for task in ("gsm8k", "mbpp"):
    for name, called in OBJECTIVES.items():
        record = read(FOLDER / f"transfer-cut-{task}-{name}.json")
        if record is None:
            transfers.append({"data": TASKS[task], "objective": called, "response NLL": NOT_RUN})
            continue
        before, after = record["details"]["before"], record["details"]["after"]
        transfers.append(
            {
                "data": TASKS[task],
                "objective": called,
                "layers": f"{record['details']['teacher_layers'][0][0]} → {record['details']['student_layer']}",
                "held out": str(record["n"]),
                "response NLL": f"{before['response_nll']:.3f} → {after['response_nll']:.3f}",
                "layer cosine": f"{before['layer_cosine']:.3f} → {after['layer_cosine']:.3f}",
                "minutes": f"{record['seconds'] / 60:.0f}",
            }
        )
transfers = pd.DataFrame(transfers).fillna("")
save_figure_data(transfers, "published-transfers")
display(
    table(
        transfers,
        "From SmolLM2-135M-Instruct into the student that was cut from it, before → after: response NLL in nats a token on held-out rows, and the mean cosine of the student's states to the aligned teacher states. That of permuted atoms is to states aligned by the permuted map, that of cross-entropy to the paper's, which it does not look at. Minutes: on one CPU core beside other work, of the last part of a run that was stopped.",
        "tab-published-transfers",
    ),
    provenance(HERE, "published-transfers", f"semalign run --profile {profile} --only 09"),
    Markdown(f"The records are made by\n\n```sh\n{CUT}\n```"),
)

# %% [markdown]
# ## Reading
#
# Of the scores:
#
# - **The form is not the model's.** In it MMLU is at chance, 25, and GSM8K near zero, as on the model card.
# - **HumanEval is zero for a reason**: with the function's head in the question and again at the beginning of the answer, the model mostly closes the fence at once, as if the head were the whole function. On MBPP, where only the fence is open, it writes programs and passes some.
#
# Of the transfers, with one seed, 100 held-out rows and no interval:
#
# - **Cross-entropy lowers the NLL most** on both tasks, and leaves the layer cosine where it was. So here, too, closeness to the aligned states and a better student are two things.
# - **The paper's objective raises the layer cosine** by 0.04 on both, as it should; the NLL falls on GSM8K and does not on MBPP.
# - **Permuted atoms** harm on GSM8K, where the paper's objective helps, and do not on MBPP, where it does not. So on GSM8K it matters here which atoms belong together, unlike on the micro pair; one seed cannot tell whether by chance. What the paper's objective gains there is less than a third of what labels gain.
# - **Nothing heals the cut.** A uniform guess over the vocabulary has an NLL of 10.80; the student is worse before, and after all but cross-entropy on GSM8K.
