"""The hub is asked once and quickly: by a stand-in that refuses, one that never answers, and one that has no model."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants

from semalign import hub
from semalign.data import sources
from semalign.models import located
from semalign.models.downloads import download
from semalign.models.loading import load_model
from semalign.models.published import fetch


@pytest.fixture(autouse=True)
def impatient(monkeypatch, tmp_path):
    """Empty caches and short patience."""
    monkeypatch.setattr(hub, "TIMEOUT", 0.3)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))


@contextmanager
def silent():
    """A host that takes connections and says nothing; yields its address and what has connected."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", taken
    for each in taken:
        each.close()


def closed():
    """The address of a port that nobody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


class Empty(BaseHTTPRequestHandler):
    """A hub without models."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def empty_hub(monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server.asked
        server.shutdown()


def test_a_hub_that_refuses_is_told_in_one_line_with_what_to_do(monkeypatch, capfd):
    monkeypatch.setattr(constants, "ENDPOINT", endpoint := closed())
    with pytest.raises(FileNotFoundError) as raised:
        load_model("nobody/nothing")
    assert str(raised.value) == (
        "no model 'nobody/nothing' on this machine, and the Hugging Face hub does not give it: "
        f"{endpoint} cannot be reached (ConnectError). `semalign fetch nobody/nothing` gets it where there is a "
        "network: copy the folder HF_HOME from there, or give the path of the model's folder; HF_HUB_OFFLINE=1 spares "
        "the question"
    )
    assert "etrying" not in "".join(capfd.readouterr())


def test_a_hub_that_never_answers_is_asked_once_by_a_process(monkeypatch):
    with silent() as (endpoint, taken):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        with pytest.raises(FileNotFoundError, match=r"cannot be reached \(ReadTimeout\)"):
            load_model("nobody/nothing")
        for ask, *given in ((load_model, "nobody/else"), (download, "nobody/third"), (fetch, "gemma3-270m", "hub")):
            with pytest.raises((FileNotFoundError, ConnectionError), match="cannot be reached"):
                ask(*given)
        with pytest.raises(FileNotFoundError, match=r"no split 'test' of a/b: .* cannot be reached"):
            sources.dataset_rows("a/b", None, "test")
        assert len(taken) == 1
    assert constants.is_offline_mode()


def test_what_takes_longer_than_the_limit_of_a_request_is_given_up(monkeypatch):
    monkeypatch.setattr(hub, "PATIENCE", 0.05)
    over = threading.Event()
    with pytest.raises(hub.HubError, match=r"cannot be reached \(no answer in"):
        hub.ask(lambda api, seconds: over.wait())
    over.set()


def test_a_hub_that_answers_is_asked_again(empty_hub):
    for name in ("nobody/nothing", "nobody/else", "nobody/else"):
        with pytest.raises(FileNotFoundError, match="does not give it: it answers RepositoryNotFoundError"):
            load_model(name)
    # The hub's library may have a question of its own.
    asked = [path for path in empty_hub if path.startswith("/api/models/")]
    assert asked == ["/api/models/nobody/nothing", "/api/models/nobody/else"]


def test_offline_mode_is_named(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(hub.HubError, match=r"^HF_HUB_OFFLINE forbids to ask it$"):
        hub.ask(lambda api, seconds: api.model_info("a/b", timeout=seconds))


def test_without_a_network_what_the_cache_has_is_found_without_a_question_for_each_file(monkeypatch, tmp_path):
    with silent() as (endpoint, taken):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(located, "cached_folder", lambda name: tmp_path)
        located.check_hub("some/model")
        assert constants.is_offline_mode() and len(taken) == 1
