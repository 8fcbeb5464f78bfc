"""A Flower app's ``pyproject.toml``, and overrides of its configuration."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedlocal.simulation.nodes import DEFAULT, Nodes, nodes_of
from fedlocal.simulation.project import Project, ProjectError, project_at

QUICK = Path(__file__).parent / "quick"


@pytest.fixture
def project() -> Project:
    return project_at(QUICK)


def test_an_app_is_what_its_folder_says(project: Project) -> None:
    assert project == Project(
        folder=QUICK.resolve(),
        name="quick",
        server_app="quick_app.server:app",
        client_app="quick_app.client:app",
        config={"num-server-rounds": 2, "fraction": 1.0, "fails": -1, "model.name": "linear"},
        nodes=Nodes(3, f"num-supernodes of [tool.flwr.federations.local] in {QUICK / 'pyproject.toml'}"),
    )


FLOWERS = """[superlink]
default = "{default}"

[superlink.local]
address = ":local:"

[superlink.many]
address = ":local:"
options.num-supernodes = 7
options.backend.client-resources.num-cpus = 1
"""


def test_flower_s_configuration_gives_the_number_where_an_app_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    user_config = {"federations": {"default": "here", "here": {"options": {"num-supernodes": 4}}}}
    app, flowers = tmp_path / "pyproject.toml", tmp_path / "config.toml"
    flowers.write_text(FLOWERS.format(default="many"))
    assert nodes_of(app, {}) == (7, f"num-supernodes of [superlink.many] in {flowers}")
    assert nodes_of(app, user_config) == (4, f"num-supernodes of [tool.flwr.federations.here] in {app}")
    for content in (
        FLOWERS.format(default="local"),
        FLOWERS.format(default="none"),
        "[superlink",
        "superlink=1",
    ):
        flowers.write_text(content)
        assert nodes_of(app, {}).number == DEFAULT
    flowers.unlink()
    assert nodes_of(app, {"federations": {"default": "here"}}).source.startswith("Flower's default")


def test_the_default_number_is_flower_s() -> None:
    from flwr.supercore.constant import DEFAULT_SIMULATION_CONFIG

    assert DEFAULT_SIMULATION_CONFIG.num_supernodes == DEFAULT


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        ([], {}),
        (["num-server-rounds=5"], {"num-server-rounds": 5}),
        (["num-server-rounds=5 fraction=0.5"], {"num-server-rounds": 5, "fraction": 0.5}),
        (["model.name='two words' fails=true"], {"model.name": "two words", "fails": True}),
        (['model.name="it\'s"', "fails=1", "fails=2"], {"model.name": "it's", "fails": 2}),
    ],
)
def test_overrides_are_written_as_for_flwr_run(
    project: Project, overrides: list[str], changed: dict[str, object]
) -> None:
    assert project.configured(overrides) == {**project.config, **changed}


def test_overrides_may_be_a_file(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("fails = 7\n[model]\nname = 'deep'\n")
    assert project.configured([str(path)]) == {**project.config, "fails": 7, "model.name": "deep"}


@pytest.mark.parametrize("override", ["lr=1", "fails=", "=1", "fails=[1]", "model.name=plain", "fails 3"])
def test_wrong_overrides_are_refused(project: Project, override: str) -> None:
    with pytest.raises(ProjectError):
        project.configured([override])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = ", "is not TOML"),
        ("[project]\nname = 'a'", "no serverapp in .tool.flwr.app.components."),
        ("[tool.flwr.app.components]\nserverapp = 'a:b'", "no clientapp"),
        (
            "[tool.flwr.app]\ncomponents = {serverapp = 'a:b', clientapp = 'c:d'}\nconfig = {a = [1]}",
            r"a is \[1\]",
        ),
    ],
)
def test_a_folder_that_is_no_app_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectError, match=reason):
        project_at(tmp_path)


def test_an_app_s_missing_settings_have_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    components = "serverapp = 'a:b'\nclientapp = 'c:d'\n"
    (tmp_path / "pyproject.toml").write_text(f"[tool.flwr.app.components]\n{components}")
    project = project_at(tmp_path)
    assert (project.nodes.number, project.name, project.config) == (DEFAULT, tmp_path.resolve().name, {})


def test_options_of_flowers_engine_alone_are_known_by_name(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        """
[tool.flwr.app.components]
serverapp = "a:b"
clientapp = "c:d"
[tool.flwr.federations]
default = "local"
[tool.flwr.federations.local]
options.num-supernodes = 3
options.backend.client-resources.num-gpus = 0.5
[tool.flwr.federations.other]
address = "127.0.0.1:9093"
"""
    )
    project = project_at(tmp_path)
    assert (project.nodes.number, project.unused) == (3, {"backend.client-resources.num-gpus": 0.5})


def test_options_of_flowers_engine_in_flowers_configuration_are_known_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(
        "[superlink]\ndefault = 'local'\n[superlink.local]\noptions.num-supernodes = 4\n"
        "options.backend.client-resources.num-cpus = 2\n"
    )
    components = "serverapp = 'a:b'\nclientapp = 'c:d'\n"
    (tmp_path / "pyproject.toml").write_text(f"[tool.flwr.app.components]\n{components}")
    project = project_at(tmp_path)
    assert (project.nodes.number, project.unused) == (4, {"backend.client-resources.num-cpus": 2})


def test_reading_an_app_loads_no_flower() -> None:
    code = "import sys, fedlocal.simulation.project; print('flwr' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
