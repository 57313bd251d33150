"""Compare the speed of the library's own decoding and vLLM: the same model, items, greedy decoding and precision.

This needs vLLM (the environment of `make test-vllm`). The timed part is lm-eval's run over the items, after a warm-up
of a few items; loading is timed separately. The script counts the tokens of the generated texts. Texts differ between
the engines only if two logits are equal up to rounding; the number of equal texts is reported. On a CPU, vLLM uses
one thread unless OMP_NUM_THREADS is set. Where there are more items than are sent at a time, both
give the place of an item that ends to a new one.

    OMP_NUM_THREADS=2 VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_KVCACHE_SPACE=4 SEMALIGN_DATA=/path/to/data \
        .venv-vllm/bin/python benchmarks/backend_speed.py smollm2-135m --task gsm8k --items 64
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from measurement import write_measurement

from semalign import load_model
from semalign.data import tasks as benchmarks
from semalign.evaluation.engines import engine_of
from semalign.evaluation.run import run_task
from semalign.evaluation.vllm_engine import VllmModel

WARM_UP = 4


def answers(model: Any, task: str, items: int, batch_size: int) -> tuple[list[str], float, float]:
    """Return the generated texts of the items, the loading time and the generation time in seconds."""
    started = time.perf_counter()
    with benchmarks.quiet_engine(), engine_of(model, batch_size) as engine:
        run_task(engine, benchmarks.load_task(task, "test", WARM_UP, tokenizer=model.tokenizer))
        loaded = benchmarks.load_task(task, "test", items, tokenizer=model.tokenizer)
        begun = time.perf_counter()
        results = run_task(engine, loaded)
        ended = time.perf_counter()
    texts = {sample["doc_id"]: sample["resps"][0][0] for sample in results["samples"][task]}
    return [texts[index] for index in sorted(texts)], begun - started, ended - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    parser.add_argument("--task", default="gsm8k", help="a task with greedy decoding")
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32, help="items that lm-eval sends to an engine at a time")
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    arguments = parser.parse_args()

    backends: dict[str, Any] = {
        "transformers": load_model(arguments.model),
        "vllm": VllmModel(arguments.model, options={"max_model_len": 2048}),
    }
    report: dict[str, Any] = {"model": arguments.model, "task": arguments.task, "items": arguments.items}
    report |= {"threads": torch.get_num_threads(), "batch_size": arguments.batch_size}
    report["backends"] = {}
    texts = {}
    for name, model in backends.items():
        texts[name], loading, seconds = answers(model, arguments.task, arguments.items, arguments.batch_size)
        tokens = sum(len(model.tokenizer.encode(text, add_special_tokens=False)) for text in texts[name])
        report["backends"][name] = {
            "tokens": tokens,
            "seconds": round(seconds, 1),
            "tokens_per_second": round(tokens / seconds, 1),
            "loading_seconds": round(loading, 1),
        }
        print(f"{name}: {tokens} tokens in {seconds:.1f} s, {tokens / seconds:.1f} a second; loading {loading:.1f} s")
    speeds = [report["backends"][name]["tokens_per_second"] for name in ("vllm", "transformers")]
    report["ratio"] = round(speeds[0] / speeds[1], 2)
    report["equal_texts"] = sum(a == b for a, b in zip(texts["vllm"], texts["transformers"], strict=True))
    print(f"vLLM is {report['ratio']} times as fast; {report['equal_texts']} of {arguments.items} texts are equal")
    if arguments.out:
        write_measurement(arguments.out, report)


if __name__ == "__main__":
    main()
