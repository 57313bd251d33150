"""Shares and sums of several real processes over Gloo; and one process, for which nothing changes."""

import os
import signal

import pytest
import torch
import torch.distributed as dist
from helpers.processes import in_processes

from semalign.models import processes


def test_one_process_has_everything_and_makes_no_group(tmp_path):
    tensor = torch.tensor([1.0, 2.0])
    processes.start()
    processes.add_up([tensor])
    processes.equalise([tensor])
    assert tensor.tolist() == [1.0, 2.0]
    assert (processes.count(), processes.number(), processes.is_first(), processes.quiet()) == (1, 0, True, None)
    assert processes.share([3, 4, 5]) == [3, 4, 5]
    assert processes.sums({"a": 0.1}) == {"a": 0.1}
    assert processes.joined(tensor) == (tensor, slice(0, 2))
    assert processes.from_first("text") == "text"
    done = []
    processes.by_first(lambda: done.append(1))
    processes.check_equal(3, "never")
    with processes.one_temporary_folder(tmp_path) as folder:
        assert folder.is_dir()
    assert done == [1] and not folder.exists() and not dist.is_initialized()


@pytest.mark.parametrize("lacking", processes.LAUNCHED)
def test_a_process_that_no_launcher_has_started_is_alone(monkeypatch, lacking):
    for name in processes.LAUNCHED:
        monkeypatch.setenv(name, "2")
    assert processes.count() == 2
    monkeypatch.delenv(lacking)
    assert processes.count() == 1 and processes.number() == 0


def test_shares_are_whole_and_apart():
    found = in_processes(3, lambda: (processes.share(range(4)), processes.share(["x"]), processes.quiet()))
    assert [list(part) for part, _, _ in found] == [[0, 3], [1], [2]]
    assert [part for _, part, _ in found] == [["x"], [], []]
    assert [quiet for _, _, quiet in found] == [None, True, True]


def test_sums_are_the_same_everywhere():
    def work():
        own = processes.number() + 1.0  # 1, 2, 3
        tensors = [torch.full((2, 2), own), torch.full((3,), own, dtype=torch.float64), torch.tensor(int(own))]
        processes.add_up(iter(tensors))
        return [tensor.tolist() for tensor in tensors], processes.sums({"a": own, "b": 1e-17 * own})

    for tensors, numbers in in_processes(3, work):
        assert tensors == [[[6.0, 6.0], [6.0, 6.0]], [6.0, 6.0, 6.0], 6]
        assert numbers == {"a": 6.0, "b": pytest.approx(6e-17)}


def test_rows_of_all_processes_are_joined_in_their_order():
    def work():
        number = processes.number()
        rows, place = processes.joined(torch.full((2 * (number != 1), 2), float(number)))
        return rows.tolist(), (place.start, place.stop)

    found = in_processes(3, work)
    assert all(rows == [[0.0, 0.0]] * 2 + [[2.0, 2.0]] * 2 for rows, _ in found)
    assert [place for _, place in found] == [(0, 2), (2, 2), (2, 4)]


def test_the_first_process_sets_values_and_acts_while_others_wait(tmp_path):
    def work():
        tensor = torch.tensor([processes.number() + 1.5])
        processes.equalise([tensor])
        with processes.one_temporary_folder(tmp_path) as folder:
            processes.by_first(lambda: (folder / "made").write_text(str(processes.number())))
            return tensor.item(), str(folder), (folder / "made").read_text()

    first, second = in_processes(2, work)
    assert first == second and first[0] == 1.5 and first[2] == "0"
    assert not list(tmp_path.iterdir())


def test_numbers_that_must_be_equal_are_checked():
    errors = in_processes(2, lambda: processes.check_equal(processes.number(), "not the same"))
    assert [str(error) for error in errors] == ["not the same"] * 2
    assert in_processes(2, lambda: processes.check_equal(5, "not the same")) == [None, None]
    # The number of the second process may be the mean of all.
    errors = in_processes(3, lambda: processes.check_equal(processes.number(), "not the same"))
    assert [str(error) for error in errors] == ["not the same"] * 3


def test_an_error_of_the_first_process_ends_the_others():
    def act():
        raise ValueError("no room")

    first, second = in_processes(2, lambda: processes.by_first(act))
    assert (type(first), type(second)) == (ValueError, processes.LostProcessError)
    assert "first process" in str(second)


def test_a_killed_process_is_noticed_at_once():
    def work():
        processes.wait()
        if processes.number() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        processes.wait()

    error, killed = in_processes(2, work)
    assert killed == -signal.SIGKILL
    assert isinstance(error, processes.LostProcessError) and "process 1 of 2 has lost the others" in str(error)
