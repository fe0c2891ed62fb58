"""Settings: which source wins, what is refused, where the repository is, and how its file is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.config import KEYS, LOCAL_FILE, PROJECT_FILE, Config, Setting, read_settings
from mlreg.errors import MlregError, NoRepositoryError, UsageError
from mlreg.registry.places import DIRECTORY, init
from mlreg.retention.policy import Retention

HOST = os.uname().nodename


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home beside the project, not above it, so that nothing in it is found by going up."""
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a repository."""
    place = tmp_path / "project"
    init(place, shared=False)
    return place


def config_in(directory: Path, home: Path, **environment: str) -> Config:
    """Return the settings of a directory for a user who has set only these variables."""
    return Config(directory, {"HOME": str(home), **environment})


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(call: Callable[[], object]) -> MlregError:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value


# Which source wins.


def test_the_environment_comes_before_the_repository_the_project_and_the_user(project: Path, home: Path) -> None:
    sources = [
        write(home / ".config/mlreg" / LOCAL_FILE, "author: user\n"),
        write(project / PROJECT_FILE, "author: project\n"),
        write(project / DIRECTORY / LOCAL_FILE, "author: repository\n"),
    ]

    environment = config_in(project, home, MLREG_AUTHOR="environment").get("author")
    assert environment == Setting("author", "environment", "environment")
    # Taken away one by one, each uncovers the next.
    for name in ("repository", "project", "user"):
        path = sources.pop()
        assert config_in(project, home).get("author") == Setting("author", name, str(path))
        path.unlink()


def test_each_key_is_taken_from_the_first_source_that_has_it(project: Path, home: Path) -> None:
    write(home / ".config/mlreg" / LOCAL_FILE, "author: user\ncache_dir: /user\nremotes:\n  mine: file:///user\n")
    write(project / PROJECT_FILE, "author: project\nremotes:\n  ours: file:///project\n")
    config = config_in(project, home)

    assert (config.author, config.cache) == ("project", Path("/user"))
    assert config.remotes == {"mine": "file:///user", "ours": "file:///project"}


def test_an_empty_variable_counts_as_not_set(project: Path, home: Path) -> None:
    config_in(project, home).set("author", "Ann")
    config = config_in(project, home, MLREG_AUTHOR="", MLREG_CACHE_DIR="", MLREG_REPOSITORY="")

    assert (config.author, config.repository) == ("Ann", project / DIRECTORY)
    assert config.cache == home / ".cache/mlreg" / HOST


def test_only_the_nearest_project_file_counts(project: Path, home: Path) -> None:
    write(project / PROJECT_FILE, "author: far\ncache_dir: /far\n")
    write(project / "a/b" / PROJECT_FILE, "author: near\n")

    assert config_in(project / "a/b", home).author == "near"
    assert config_in(project / "a/b", home).cache != Path("/far")
    assert config_in(project / "a", home).author == "far"


def test_the_files_of_the_user_follow_xdg(project: Path, home: Path, tmp_path: Path) -> None:
    write(tmp_path / "xdg/mlreg" / LOCAL_FILE, "author: xdg\n")
    write(home / ".config/mlreg" / LOCAL_FILE, "author: home\n")
    xdg = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    assert config_in(project, home, **xdg).author == "xdg"
    # Each host has a view of its own.
    assert config_in(project, home, **xdg).cache == tmp_path / "cache/mlreg" / HOST
    assert config_in(project, home).author == "home"


def test_a_cache_that_was_chosen_is_taken_as_it_is(project: Path, home: Path) -> None:
    write(home / ".config/mlreg" / LOCAL_FILE, "cache_dir: /chosen/by/file\n")

    assert config_in(project, home).cache == Path("/chosen/by/file")
    assert config_in(project, home, MLREG_CACHE_DIR="/chosen/by/hand").cache == Path("/chosen/by/hand")


@pytest.mark.parametrize(
    ("name", "email", "author"),
    [
        ("Ann Lee", "ann@example.org", "Ann Lee <ann@example.org>"),
        ("Ann Lee", "", "Ann Lee"),
        ("", "ann@example.org", "ann@example.org"),
        ("", "", f"ann@{HOST}"),
    ],
)
def test_an_author_who_is_not_set_is_who_git_knows_or_the_user(
    name: str, email: str, author: str, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A git of our own: what the one of this machine is told must not matter.
    git = write(home / "bin/git", f'#!/bin/sh\ncase "$2" in user.name) echo "{name}";; *) echo "{email}";; esac\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent))

    assert config_in(project, home, USER="ann").get("author") == Setting("author", author, "default")


def test_without_git_the_author_is_the_user_of_this_host(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(home))

    assert config_in(project, home, USER="ann").author == f"ann@{HOST}"


# What is refused.


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("athor: Ann\n", "unknown_key", "author"),
        ("remote:\n  origin: /a\n", "unknown_key", "remotes.origin"),
        ("author:\n  name: Ann\n", "unknown_key", "author"),
        ("remotes:\n  ORIGIN: /a\n", "bad_remote", "a-z"),
        ("author: [Ann, Bob]\n", "bad_config", "author"),
        ("remotes:\n  origin:\n", "bad_config", "remotes.origin"),
        ("Ann\n", "bad_config", "the top"),
        ("- author\n", "bad_config", "the top"),
        ("author: Ann\nauthor: Bob\n", "bad_yaml", "twice"),
        ("author: &a Ann\n", "bad_yaml", "anchors"),
        ("author: !!str Ann\n", "bad_yaml", "tags"),
        ("author: 'Ann\n", "bad_yaml", "quoted scalar"),
        ("author: Ann\n---\nauthor: Bob\n", "bad_yaml", "document"),
    ],
)
def test_a_file_with_a_fault_is_refused_and_named_whatever_is_asked(
    text: str, code: str, word: str, project: Path, home: Path
) -> None:
    path = write(project / PROJECT_FILE, text)
    config = config_in(project, home)

    for call in (config.settings, lambda: config.cache, lambda: config.author, lambda: config.remotes):
        error = refused(call)
        assert (error.code, type(error)) == (code, UsageError)
        assert str(path) in error.message
        assert word in " ".join((error.message, error.why, *error.fix))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("registry:\n  model:\n    cleanup_policy:\n      max_versions: 0\n", "bad_config"),
        ("registry:\n  deployment_tags: {a: b}\n", "bad_config"),
        ("policies: keep-last\n", "bad_policy"),
        ("policies:\n- match: model/*\n  keep-list: 3\n", "bad_policy"),
        ("policies:\n- {match: model/*, keep-last: 0}\n", "bad_policy"),
    ],
)
def test_a_value_that_means_nothing_is_refused_and_its_file_named_once(
    text: str, code: str, project: Path, home: Path
) -> None:
    path = write(project / PROJECT_FILE, text)

    error = refused(config_in(project, home).settings)

    assert (error.code, error.message.count(str(path))) == (code, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLREG_POLICIES", "[{match: model/*, keep-list: 3}]"),
        ("MLREG_REGISTRY_MODEL_CLEANUP_POLICY_MAX_VERSIONS", "many"),
        ("MLREG_REGISTRY_DEPLOYMENT_TAGS", "[]"),
    ],
)
def test_a_variable_is_checked_also_where_there_is_no_file(name: str, value: str, project: Path, home: Path) -> None:
    error = refused(lambda: config_in(project, home, **{name: value}).retention)

    assert error.message.startswith(f"{name}: ")


def test_a_variable_with_a_number_that_is_none_is_refused_and_no_fault(project: Path, home: Path) -> None:
    config = config_in(project, home, MLREG_REGISTRY_EXPERIMENT_TRACKING_INTERVAL="often")

    assert refused(config.get_experiment_registry_config).code == "bad_config"


def test_policies_are_those_of_the_first_source_that_has_them_and_of_each_kind(project: Path, home: Path) -> None:
    write(home / ".config/mlreg" / LOCAL_FILE, "policies:\n- {match: data/*, keep-last: 1}\n")
    write(
        project / PROJECT_FILE, "registry:\n  data:\n    cleanup_policy: {max_versions: 7}\n  deployment_tags: live\n"
    )
    config = config_in(project, home)

    assert [(one.origin, *map(str, one.rules)) for one in config.retention.policies] == [
        ("registry.data.cleanup_policy", "keep-last 7"),
        ("policies[0]", "keep-last 1"),
    ]
    assert config.retention.deployment_tags == ("live",)
    config.set("policies", "[{match: 'model/*', keep-within: 9d}]")
    assert [str(one) for one in config.retention.policies[1].rules] == ["keep-within 9d"]
    assert config_in(project, home, MLREG_POLICIES="[]").retention.policies[1:] == ()


def test_without_settings_nothing_is_let_go_and_production_is_what_is_deployed(project: Path, home: Path) -> None:
    assert config_in(project, home).retention == Retention((), ("production",))


def test_a_file_that_is_no_text_and_a_directory_in_its_place_are_refused(project: Path, home: Path) -> None:
    path = project / DIRECTORY / LOCAL_FILE
    path.write_bytes(b"author: \xff\n")
    assert refused(config_in(project, home).settings).code == "bad_config"

    path.unlink()
    path.mkdir()
    assert refused(config_in(project, home).settings).code == "bad_config"


@pytest.mark.parametrize("text", ["", "\n", "# author: Ann\n", "remotes: {}\n", "{}\n"])
def test_a_file_that_sets_nothing_is_no_fault(text: str, project: Path, home: Path) -> None:
    write(project / PROJECT_FILE, text)

    assert config_in(project, home).settings() == {}


@pytest.mark.parametrize("key", ["athor", "", "remotes", "AUTHOR", "author.name"])
def test_a_key_that_nothing_reads_is_refused_before_the_file_is_touched(key: str, project: Path, home: Path) -> None:
    config = config_in(project, home)

    assert refused(lambda: config.get(key)).code == "unknown_key"
    assert refused(lambda: config.set(key, "x")).code == "unknown_key"
    assert not (project / DIRECTORY / LOCAL_FILE).exists()


def test_a_key_like_no_other_is_answered_with_all_of_them(project: Path, home: Path) -> None:
    (fix,) = refused(lambda: config_in(project, home).get("zzzzzzzz")).fix

    assert all(key in fix for key in (*KEYS, "remotes.NAME"))


# Where the repository is.


def test_the_repository_is_found_from_any_directory_below_the_project(project: Path, home: Path) -> None:
    deep = project / "a/b"
    deep.mkdir(parents=True)

    assert {config_in(place, home).repository for place in (project, deep)} == {project / DIRECTORY}


def test_the_nearest_repository_hides_those_above_it(project: Path, home: Path) -> None:
    inner = project / "inner"
    init(inner, shared=False)

    assert config_in(inner, home).repository == inner / DIRECTORY
    assert config_in(project, home).repository == project / DIRECTORY


def test_a_shared_repository_is_found_from_within(tmp_path: Path, home: Path) -> None:
    init(tmp_path / "shared", shared=True)

    assert config_in(tmp_path / "shared", home).repository == tmp_path / "shared"


def test_a_repository_in_a_file_is_read_from_the_place_of_that_file(project: Path, home: Path, tmp_path: Path) -> None:
    init(tmp_path / "elsewhere", shared=False)
    write(project / PROJECT_FILE, "repository: ../elsewhere\n")
    (project / "a/b").mkdir(parents=True)

    found = config_in(project / "a/b", home).repository
    assert found.samefile(tmp_path / "elsewhere" / DIRECTORY)


def test_a_repository_in_the_environment_wins_and_is_read_from_the_directory(
    project: Path, home: Path, tmp_path: Path
) -> None:
    init(tmp_path / "shared", shared=True)
    write(project / PROJECT_FILE, f"repository: {project}\n")

    found = config_in(project, home, MLREG_REPOSITORY="../shared").repository
    assert found.samefile(tmp_path / "shared")


@pytest.mark.parametrize("place", ["nowhere", "project/below"])
def test_a_repository_that_was_named_outright_is_not_looked_for_above(
    place: str, project: Path, home: Path, tmp_path: Path
) -> None:
    (project / "below").mkdir()
    config = config_in(project, home, MLREG_REPOSITORY=str(tmp_path / place))

    assert refused(lambda: config.repository).code == "no_repository"


def test_without_a_repository_there_are_settings_but_none_can_be_written(tmp_path: Path, home: Path) -> None:
    write(tmp_path / PROJECT_FILE, "author: Ann\n")
    config = config_in(tmp_path, home)

    assert [setting.key for setting in config.listed()] == ["author", "cache_dir"]
    assert isinstance(refused(lambda: config.set("author", "Bob")), NoRepositoryError)
    # Registering the first model makes the repository here.
    assert config.get_registry_config()["path"] == tmp_path / DIRECTORY


# Setting, getting and listing.


def test_a_value_that_is_set_is_there_at_once_and_afterwards(project: Path, home: Path) -> None:
    config = config_in(project, home)
    assert config.settings() == {}  # what was read before must not be remembered

    setting = config.set("author", "Ann Lee <ann@example.org>")

    path = project / DIRECTORY / LOCAL_FILE
    assert setting == Setting("author", "Ann Lee <ann@example.org>", str(path))
    assert config.get("author") == config_in(project, home).get("author") == setting
    assert read_settings(path) == {"author": setting.value}


@pytest.mark.parametrize(
    "value",
    ["null", "true", "0.5", "007", "1.0", "-", "a: b # c", "'", '"', "&a", "Ünï ☃ \U0001f600", "a" * 300, " x "],
)
def test_a_value_is_text_whatever_yaml_would_make_of_it(value: str, project: Path, home: Path) -> None:
    config_in(project, home).set("author", value)

    assert config_in(project, home).author == value


def test_setting_one_value_keeps_the_others(project: Path, home: Path) -> None:
    config = config_in(project, home)
    config.set("author", "Ann")
    config.set("remotes.origin", "/srv/a")
    config.set("remotes.backup", "/srv/b")
    config.set("author", "Bob")
    assert config.set("remotes.origin", "").value == ""

    again = config_in(project, home)
    assert (again.author, list(again.remotes)) == ("Bob", ["backup"])


def test_what_is_not_set_cannot_be_shown_or_taken_away(project: Path, home: Path) -> None:
    write(project / PROJECT_FILE, "author: Ann\n")
    config = config_in(project, home)

    assert refused(lambda: config.get("remotes.origin")).code == "not_set"
    # It is set, but not in the file that would be written.
    assert refused(lambda: config.set("author", "")).code == "not_set"
    assert config.author == "Ann"


def test_where_a_repository_is_cannot_stand_in_it(project: Path, home: Path) -> None:
    assert refused(lambda: config_in(project, home).set("repository", str(project))).code == "bad_config"
    assert not (project / DIRECTORY / LOCAL_FILE).exists()


def test_the_list_has_the_defaults_and_is_sorted(project: Path, home: Path) -> None:
    config = config_in(project, home, MLREG_CACHE_DIR="/cache", USER="ann")
    config.set("remotes.origin", "/srv/a")
    config.set("author", "Ann")

    local = str(project / DIRECTORY / LOCAL_FILE)
    assert [(setting.key, setting.origin) for setting in config.listed()] == [
        ("author", local),
        ("cache_dir", "environment"),
        ("remotes.origin", local),
        ("repository", "default"),
    ]
    assert config.get("repository").value == str(project / DIRECTORY)


# Remotes.


def test_a_remote_is_read_from_the_place_of_its_file_unless_it_is_a_url(project: Path, home: Path) -> None:
    write(project / PROJECT_FILE, "remotes:\n  near: ../near\n  far: /far\n  url: file:///url\n")
    (project / "a").mkdir()

    remotes = config_in(project / "a", home).remotes
    assert remotes == {"far": "/far", "near": f"{project}/../near", "url": "file:///url"}
    assert list(remotes) == sorted(remotes)


def test_a_remote_is_kept_under_one_url_and_the_repository_of_a_project_is_found(
    project: Path, home: Path, tmp_path: Path
) -> None:
    init(tmp_path / "other", shared=False)
    config = config_in(project, home)

    url = config.set_remote("origin", str(tmp_path / "other"))
    assert url == config.set_remote("origin", str(tmp_path / "other" / DIRECTORY)) == config.remotes["origin"]
    assert url.endswith(f"/other/{DIRECTORY}")


def test_a_remote_with_another_url_is_not_replaced(project: Path, home: Path) -> None:
    config = config_in(project, home)
    url = config.set_remote("origin", "/srv/a")

    assert refused(lambda: config.set_remote("origin", "/srv/b")).code == "remote_exists"
    assert config.remotes == {"origin": url}


@pytest.mark.parametrize(
    ("name", "url", "code"),
    [("ORIGIN", "/a", "bad_remote"), ("origin", "", "bad_url"), ("origin", "ftp://a/b", "unknown_scheme")],
)
def test_a_remote_that_cannot_be_opened_is_refused_and_not_written(
    name: str, url: str, code: str, project: Path, home: Path
) -> None:
    assert refused(lambda: config_in(project, home).set_remote(name, url)).code == code
    assert not (project / DIRECTORY / LOCAL_FILE).exists()


def test_a_remote_that_is_removed_is_gone_and_cannot_be_removed_again(project: Path, home: Path) -> None:
    config = config_in(project, home)
    url = config.set_remote("origin", "/srv/a")

    assert (config.remove_remote("origin"), config.remotes) == (url, {})
    assert refused(lambda: config.remove_remote("origin")).code == "no_remote"


# Writing.


def test_a_reader_sees_the_old_file_or_the_new_one_and_nothing_between(project: Path, home: Path) -> None:
    config = config_in(project, home)
    config.set("author", "old")
    path = project / DIRECTORY / LOCAL_FILE
    before = sorted(path.parent.iterdir())

    # A file that was opened before is whole to its end: it was replaced, not written over.
    with path.open(encoding="utf-8") as reader:
        config.set("author", "new, and a longer one")
        assert reader.read() == "author: old\n"

    assert read_settings(path) == {"author": "new, and a longer one"}
    assert sorted(path.parent.iterdir()) == before


def test_a_write_that_fails_leaves_the_file_as_it_was(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_in(project, home)
    config.set("author", "old")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="the disk is full"):
            config.set("author", "new")

    assert config_in(project, home).author == "old"
    # What it left behind stands in no one's way.
    assert config.set("author", "newer") == config_in(project, home).get("author")


def test_a_schema_for_all_names_and_one_for_some_exclude_each_other(tmp_path: Path, home: Path) -> None:
    init(tmp_path, shared=False)
    config = config_in(tmp_path, home)
    config.set("registry.model.metadata_schema", "all.json")
    config.set("registry.data.metadata_schema.x*", "some.json")

    for key in ("registry.model.metadata_schema.x*", "registry.data.metadata_schema"):
        with pytest.raises(UsageError) as caught:
            config.set(key, "other.json")
        assert caught.value.code == "bad_config"
    assert config_in(tmp_path, home).listed()[-2:] == config.listed()[-2:]


def test_a_home_that_is_nobodys_is_refused(tmp_path: Path, home: Path) -> None:
    with pytest.raises(UsageError) as caught:
        _ = Config(tmp_path, {"HOME": str(home), "MLREG_CACHE_DIR": "~no-one-is-called-so/cache"}).cache
    assert caught.value.code == "bad_config"
