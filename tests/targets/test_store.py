"""States on disk: streamed, resumed, and never trusted when damaged."""

import os
import shutil

import pytest
import torch
from helpers.damage import damaged
from helpers.processes import in_processes

from semalign.models import processes
from semalign.targets.store import StateStore, ensure_all
from semalign.tensor_files import write_tensors

LENGTHS = [3, 1, 4, 2, 5]


def states_of(example):
    return torch.full((LENGTHS[example], 2), float(example)) + torch.arange(LENGTHS[example])[:, None]


@pytest.fixture
def computed(monkeypatch):
    monkeypatch.setattr("semalign.targets.store.SHARD_EXAMPLES", 2)
    calls = []

    def compute(examples):
        calls.append(list(examples))
        return [states_of(i) for i in examples]

    compute.calls = calls
    return compute


def store(folder, **key):
    return StateStore(folder, {"model": "m", **key}, LENGTHS, width=2)


def test_every_example_is_read_back(tmp_path, computed):
    states = store(tmp_path)
    assert states.ensure(computed) == 3
    assert computed.calls == [[0, 1], [2, 3], [4]]
    for example in (4, 0, 3, 2, 1):
        assert torch.equal(states[example], states_of(example))
    assert store(tmp_path).ensure(computed) == 0


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path, computed):
    def stopping(examples):
        if examples.start == 2:
            raise KeyboardInterrupt
        return computed(examples)

    with pytest.raises(KeyboardInterrupt):
        store(tmp_path).ensure(stopping)
    computed.calls.clear()
    assert store(tmp_path).ensure(computed) == 2
    assert computed.calls == [[2, 3], [4]]


def test_a_damaged_shard_is_found_and_made_again(tmp_path, computed):
    states = store(tmp_path)
    states.ensure(computed)
    shard = states.folder / "00001.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    computed.calls.clear()
    again = store(tmp_path)
    assert again.ensure(computed) == 1
    assert computed.calls == [[2, 3]]
    assert torch.equal(again[3], states_of(3))


def test_no_damage_of_any_byte_gives_other_states(tmp_path, computed, caplog):
    states = store(tmp_path)
    states.ensure(computed)
    for what in damaged(states.folder / "00001.safetensors", step=5):
        computed.calls.clear()
        caplog.clear()
        again = store(tmp_path)
        assert again.ensure(computed) == 1 and computed.calls == [[2, 3]], what
        assert torch.equal(again[2], states_of(2)) and torch.equal(again[3], states_of(3)), what
        assert "00001.safetensors is damaged" in caplog.text


def test_states_of_another_shape_are_made_again(tmp_path, computed):
    states = store(tmp_path)
    states.ensure(computed)
    write_tensors(states.folder / "00001.safetensors", {"states": torch.zeros(5, 2)}, {})
    write_tensors(states.folder / "00002.safetensors", {"other": torch.zeros(5, 2)}, {})
    assert store(tmp_path).ensure(computed) == 2 and torch.equal(store(tmp_path)[4], states_of(4))


def test_another_key_is_another_store(tmp_path, computed):
    store(tmp_path).ensure(computed)
    assert store(tmp_path, layer=2).ensure(computed) == 3


def test_wrong_shapes_are_refused(tmp_path, computed):
    with pytest.raises(ValueError, match=r"expected \(4, 2\), got \(1, 2\)"):
        store(tmp_path).ensure(lambda examples: [torch.zeros(1, 2)])


def test_a_full_disk_is_noticed_first(tmp_path, computed, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 3})())
    with pytest.raises(OSError, match="SEMALIGN_CACHE"):
        store(tmp_path).ensure(computed)
    assert computed.calls == []


def several(folder):
    return [store(folder, layer=k) for k in range(3)]


@pytest.fixture
def computed_several(computed):
    def compute(examples, chosen):
        calls.append((examples.start, list(chosen)))
        return [[k + states_of(i) for i in examples] for k in chosen]

    calls = compute.calls = []
    return compute


def test_several_stores_are_filled_together_each_with_what_it_lacks(tmp_path, computed, computed_several):
    stores = several(tmp_path)
    stores[1].ensure(lambda examples: [1 + states_of(i) for i in examples])
    for shard in ("00000", "00002"):
        (stores[1].folder / f"{shard}.safetensors").unlink()
    assert ensure_all(several(tmp_path), computed_several) == 8
    assert computed_several.calls == [(0, [0, 1, 2]), (2, [0, 2]), (4, [0, 1, 2])]
    for k, each in enumerate(several(tmp_path)):
        assert all(torch.equal(each[i], k + states_of(i)) for i in range(5))
    assert ensure_all(several(tmp_path), computed_several) == 0 and len(computed_several.calls) == 3


def test_what_is_in_memory_at_once_is_bounded(tmp_path, computed_several, monkeypatch):
    monkeypatch.setattr("semalign.targets.store.IN_MEMORY", 2 * 2 * 4 * 5)  # two of the last shard, one of the others
    ensure_all(several(tmp_path), computed_several)
    assert computed_several.calls[:2] == [(0, [0, 1]), (0, [2])]
    assert computed_several.calls[2:5] == [(2, [0]), (2, [1]), (2, [2])] and computed_several.calls[5:] == [
        (4, [0, 1]),
        (4, [2]),
    ]


def test_the_room_for_all_stores_is_asked_for_first(tmp_path, computed_several, monkeypatch):
    free = 15 * 2 * 4  # of one store
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 3 * free - 1})())
    with pytest.raises(OSError, match="make room"):
        ensure_all(several(tmp_path), computed_several)
    assert not computed_several.calls and not list(tmp_path.rglob("*.safetensors"))
    ensure_all(several(tmp_path)[:2], computed_several)


def test_several_processes_fill_several_stores(tmp_path, computed_several):
    def work():
        ensure_all(several(tmp_path), computed_several)
        return computed_several.calls, [each[3].tolist() for each in several(tmp_path)]

    for calls, read in in_processes(2, work):
        assert calls in ([(0, [0, 1, 2]), (4, [0, 1, 2])], [(2, [0, 1, 2])])
        assert read == [(k + states_of(3)).tolist() for k in range(3)]


def test_several_processes_share_out_the_shards(tmp_path, computed, caplog):
    def work():
        written = store(tmp_path).ensure(computed)
        return written, computed.calls, store(tmp_path)[3].tolist()

    found = in_processes(2, work)
    assert [written for written, _, _ in found] == [3, 3] and found[0][2] == found[1][2] == states_of(3).tolist()
    assert [calls for _, calls, _ in found] == [[[0, 1], [4]], [[2, 3]]]
    (store(tmp_path).folder / "00001.safetensors").write_bytes(b"damaged")

    def again():
        written = store(tmp_path).ensure(computed)
        return written, computed.calls, caplog.text

    first, second = in_processes(2, again)  # the second process has found the damage, the first one repairs it
    assert first[:2] == (1, [[2, 3]]) and second[:2] == (1, []) and "00001.safetensors is damaged" in first[2]


def test_processes_that_write_to_different_disks_are_told(tmp_path, computed):
    errors = in_processes(2, lambda: store(tmp_path / str(processes.number())).ensure(computed))
    assert all(
        isinstance(error, OSError) and "SEMALIGN_CACHE must be on a shared disk" in str(error) for error in errors
    )


def test_a_full_disk_ends_all_processes(tmp_path, computed, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 3})())
    first, second = in_processes(2, lambda: store(tmp_path).ensure(computed))
    assert "make room" in str(first) and isinstance(second, processes.LostProcessError)


def test_two_runs_may_write_the_same_states_at_once(tmp_path, computed):
    def alone():
        for name in processes.LAUNCHED:
            del os.environ[name]
        return store(tmp_path).ensure(computed), [store(tmp_path)[i].tolist() for i in range(5)]

    for _ in range(3):
        found = in_processes(3, alone)
        assert all(states == [states_of(i).tolist() for i in range(5)] for _, states in found)
        assert store(tmp_path).ensure(computed) == 0
        assert sorted(path.name for path in store(tmp_path).folder.glob("*.safetensors")) == [
            f"{i:05d}.safetensors" for i in range(3)
        ]
        shutil.rmtree(store(tmp_path).folder)
