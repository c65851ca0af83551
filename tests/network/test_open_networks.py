"""A session's network is its own, is closed with it, and there are never more than fit."""

from __future__ import annotations

import pytest

from cnnviz.network import open_networks
from cnnviz.network.open_networks import OpenNetworks
from harness.opened_models import one_layer, opened_file


@pytest.fixture
def networks():
    found = OpenNetworks()
    yield found
    found.close_all()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return opened_file(one_layer, tmp_path_factory.mktemp("models"))


def test_a_network_ends_with_its_session(networks, file, monkeypatch):
    monkeypatch.setattr(open_networks, "LEFT", -1.0)
    here = [True]
    opened = networks.open("a", file, "C:\\models\\mnist_14k.h5", lambda: here[0])
    assert opened.name == "mnist_14k (2)"
    assert networks.of("a") is networks.named("mnist_14k (2)") is opened
    assert networks.of("b") is None
    folder = opened.path.parent
    monkeypatch.setattr(open_networks, "LEFT", 1000.0)
    networks.look()
    assert not opened.closed
    here[0] = False
    monkeypatch.setattr(open_networks, "LEFT", -1.0)
    networks.look()
    assert opened.closed
    assert not folder.exists()
    assert networks.of("a") is None


def test_what_does_not_fit_is_one_sentence(networks, file, monkeypatch):
    with pytest.raises(ValueError, match=r"ends in \.keras or \.h5, got evil\.py"):
        networks.open("a", file, "evil.py", lambda: True)
    with pytest.raises(ValueError, match=r"^mine\.keras: this is not a model file"):
        networks.open("a", b"no model", "mine.keras", lambda: True)
    monkeypatch.setattr(open_networks, "LARGEST_FILE", 100)
    with pytest.raises(ValueError, match=r"mine\.keras has 0 MB; the limit is 0 MB"):
        networks.open("a", bytes(101), "mine.keras", lambda: True)
    full = OSError(28, "No space left on device", "/tmp/cnnviz-opened-x/mine.keras")
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(ValueError, match=r"^mine\.keras: No space left on device$"):
            networks.open("a", b"x", "mine.keras", lambda: True)
    monkeypatch.setattr(open_networks, "MOST", 0)
    with pytest.raises(ValueError, match="0 networks are open on this server"):
        networks.open("a", b"x", "mine.keras", lambda: True)
    assert not networks._sessions


def test_no_file_s_name_gives_the_name_of_another_network(networks, file):
    for session, name in (
        ("a", "x.keras"),
        ("b", "x.keras"),
        ("c", "x (2).keras"),
        ("d", "\N{OWL}" * 90 + ".keras"),
    ):
        own = networks.open(session, file, name, lambda: True)
        assert networks.named(own.name) is networks.of(session) is own


def test_what_is_open_stays_where_another_file_is_refused(networks, file, monkeypatch):
    monkeypatch.setattr(open_networks, "MOST", 1)
    first = networks.open("a", file, "x.keras", lambda: True)
    with pytest.raises(ValueError, match="not a model file"):
        networks.open("a", b"no model", "y.keras", lambda: True)
    assert networks.of("a") is first
    assert first.run(0).output.shape == (1, 3)
    second = networks.open("a", file, "y.keras", lambda: True)
    assert first.closed
    assert networks.of("a") is second


def test_the_sessions_are_looked_after_again_after_all_were_closed(networks, file, monkeypatch):
    monkeypatch.setattr(open_networks, "LOOK", 0.01)
    networks.open("a", file, "x.keras", lambda: True)
    watching = networks._watching
    networks.close("a")
    watching.join(10)
    assert not watching.is_alive()
    networks.open("a", file, "x.keras", lambda: True)
    assert networks._watching.is_alive()
