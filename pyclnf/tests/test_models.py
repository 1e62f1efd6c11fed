"""Landmark models by name: where they are found, and what is said when they are missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pyclnf import CLNF, choice
from pyclnf import store as store_module
from pyclnf.errors import MissingModelError, ModelChoiceWarning
from pyclnf.manifest import package_manifest
from pyclnf.models import (
    OPEN_FOLDER,
    best_landmarks,
    landmark_files,
    landmark_kind,
    landmark_model_path,
    main_model_path,
    open_model_path,
    openface_store,
    packaged_file,
)
from pyclnf.store import ENVIRONMENT_VARIABLE

MODEL = "lib/local/LandmarkDetector/model/"


@pytest.fixture(autouse=True)
def _no_models_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(store_module, "_user_data_folder", lambda: tmp_path / "no user data")
    monkeypatch.setattr(choice, "_warned", set())


def install(folder: Path, without: str = "nothing") -> None:
    for file in package_manifest("pyclnf").files:
        if without not in file.path:
            path = folder / "2.2.0/originals" / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def test_manifest_has_official_places_sizes_and_hashes_of_landmark_models_alone():
    manifest = package_manifest("pyclnf")
    assert set(manifest.groups) == {"clnf", "ceclm", "validator", "extra"}
    assert all(file.size > 0 and len(file.sha256) == 64 and len(file.urls) == 2 for file in manifest.files)
    assert all(url.startswith("https://") for file in manifest.files for url in file.urls)
    cen = [file for file in manifest.files if "cen_patches" in file.path]
    assert [file.size for file in cen] == [60602360, 60602360, 154289792, 154289792]
    assert all("dropbox.com" in file.urls[0] and "onedrive" in file.urls[1] for file in cen)


def test_manifest_agrees_with_the_reference_files(shared, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(shared / "openface"))
    statuses = openface_store().verify()
    assert {status.state for status in statuses} == {"ok", "missing"}
    assert all("cen_patches" in status.file.path for status in statuses if status.state == "missing")


def test_user_folder_is_the_one_that_other_packages_use(monkeypatch):
    monkeypatch.undo()
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    (root,) = openface_store().roots
    assert root.parts[-3:] == ("OpenFaceModels", "2.2.0", "originals")


def test_missing_cen_files_are_named_exactly_and_clnf_is_suggested(tmp_path):
    install(tmp_path, without="cen_patches")
    with pytest.raises(MissingModelError) as caught:
        main_model_path(openface_store(), "ceclm")
    assert [Path(name).name for name in caught.value.missing] == [
        f"cen_patches_{scale}_of.dat" for scale in ("0.25", "0.35", "0.50", "1.00")
    ]
    assert '"clnf" is installed' in str(caught.value)
    assert main_model_path(openface_store(), "clnf").is_relative_to(tmp_path)
    with pytest.raises(ValueError, match="'ceclm' and 'clnf', not 'clm'"):
        main_model_path(openface_store(), "clm")


def test_message_has_the_remedy_first_and_at_most_three_files():
    with pytest.raises(MissingModelError) as caught:
        main_model_path(openface_store(), "clnf")
    message = str(caught.value)
    assert message.startswith(
        "Run `pyclnf models install` to get OpenFace's files: 21 model files are missing"
    )
    assert message.count(MODEL) == 3
    assert "and 18 more" in message


def test_description_is_taken_from_a_folder_that_has_all_its_files(tmp_path, monkeypatch):
    install(tmp_path / "a", without="cen_patches")
    install(tmp_path / "b")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "a"))
    monkeypatch.setattr(store_module, "_user_data_folder", lambda: tmp_path / "b")
    assert tmp_path / "b" in main_model_path(openface_store(), "ceclm").parents


def test_auto_is_ceclm_where_it_is_installed(tmp_path):
    install(tmp_path)
    assert landmark_model_path().name == "main_ceclm_general.txt"
    assert best_landmarks(openface_store()).without is None


def test_auto_is_clnf_without_cen_files_and_says_so_once(tmp_path):
    install(tmp_path, without="cen_patches")
    with pytest.warns(
        ModelChoiceWarning, match=r"CLNF.*because 4 of OpenFace's files are missing.*pass \"clnf\""
    ):
        assert landmark_model_path("auto").name == "main_clnf_general.txt"
    assert landmark_model_path("auto").name == "main_clnf_general.txt"
    assert landmark_model_path("clnf").name == "main_clnf_general.txt"


def test_a_fitter_without_arguments_takes_the_open_pack_where_nothing_else_is_and_says_so():
    with pytest.warns(ModelChoiceWarning, match=r"open CE-CLM.*`pyclnf models install`.*pass \"open\""):
        assert CLNF().model.path == open_model_path()


def test_any_main_file_is_a_model(tmp_path):
    pack = shutil.copytree(OPEN_FOLDER, tmp_path / "pack")
    assert landmark_model_path(pack / "main_ceclm_general.txt") == pack / "main_ceclm_general.txt"
    assert landmark_kind(pack / "main_ceclm_general.txt") == "ceclm"


def test_kind_is_read_from_the_description(shared):
    folder = shared / "openface/2.2.0/originals" / MODEL
    assert landmark_kind(folder / "main_clnf_general.txt") == "clnf"
    assert landmark_kind(shared / "cen_fixture/main_ceclm_general.txt") == "ceclm"


def test_every_file_of_the_open_pack_is_read():
    there = {path for path in OPEN_FOLDER.rglob("*") if path.is_file()}
    assert set(landmark_files(open_model_path())) == there


@pytest.mark.parametrize(
    "reference", ["pdm.txt", "pyclnf:../pdm.txt", "pyclnf:/etc/hosts", "pyclnf:", "pyclnf:.."]
)
def test_references_to_the_pack_do_not_lead_elsewhere(reference):
    assert packaged_file(reference) is None


def test_reference_to_a_file_of_the_pack():
    assert packaged_file("pyclnf:pdm_68_open.txt") == OPEN_FOLDER / "pdm_68_open.txt"
