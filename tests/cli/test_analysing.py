"""The commands that measure states, on tiny models from disk."""

import json

from helpers.commands import invoke


def prompts(folders):
    path = folders / "prompts.jsonl"
    path.write_text("".join(f'{{"prompt": "what is {i}+{i}?"}}\n' for i in range(6)))
    return path


def test_decompose_writes_the_figures_data_and_a_record(folders):
    output = invoke("decompose", folders / "student", "--prompts", prompts(folders), "--out", folders / "fig2")
    record = json.loads((folders / "fig2.json").read_text())
    assert f"{record['metric']} {record['value']:.3f} over {record['n']} tokens" in output
    assert record["student"] == "student" and (folders / "fig2.csv").is_file()


def test_cka_writes_the_figures_data_and_a_record(folders):
    given = ("cka", folders / "teacher", folders / "student", "--prompts", prompts(folders))
    output = invoke(*given, "--limit", 5, "--out", folders / "fig4")
    assert "within 1 of their own" in output
    record = json.loads((folders / "fig4.json").read_text())
    assert (record["teacher"], record["student"], record["configuration"]["prompts"]) == ("teacher", "student", 5)
    assert (folders / "fig4.csv").read_text().startswith("condition,states,kernel,teacher_layer")
