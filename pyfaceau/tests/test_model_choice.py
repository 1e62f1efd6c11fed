"""Which models an analysis uses, what is said about it, and what goes into its record."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pyclnf import choice
from pyclnf.errors import MissingModelError, ModelChoiceWarning
from pyclnf.manifest import MANIFEST_FILE
from pyclnf.models import OPEN_FOLDER, open_model_path
from pyfaceau import models
from pyfaceau.models import OPEN_AU_FOLDER, choose_models, openface_store

MODEL = "lib/local/LandmarkDetector/model"
# Enough of OpenFace's descriptions to know what they describe; every other file is empty.
DESCRIPTIONS = {
    "main_ceclm_general.txt": "LandmarkDetector cen_general.txt",
    "cen_general.txt": "PDM pdms/p.txt\nPatchesCEN patch_experts/cen_patches_0.25_of.dat",
    "main_clnf_general.txt": "LandmarkDetector clnf_general.txt",
    "clnf_general.txt": "PDM pdms/p.txt\nPatchesCCNF patch_experts/ccnf_patches_0.25_general.txt",
}


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    """No models of this machine, and nothing warned about yet."""
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(tmp_path))
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setattr(choice, "_warned", set())


def install(folder: Path, without: str = "nothing") -> Path:
    root = folder / "2.2.0/originals"
    for file in openface_store().manifest.files:
        path = root / file.path
        if without not in path.name:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(DESCRIPTIONS.get(path.name, ""))
    return root


def test_auto_takes_openface_with_ceclm_when_all_is_installed_and_is_silent(tmp_path):
    root = install(tmp_path)
    chosen = choose_models()
    assert (chosen.name, chosen.landmarks_kind, chosen.fallback) == ("openface", "ceclm", False)
    assert chosen.landmarks == root / MODEL / "main_ceclm_general.txt"
    assert chosen.choice == "OpenFace's models are used with CE-CLM landmarks, the best that OpenFace has."


@pytest.mark.parametrize("name", ["auto", "openface", "folder"])
def test_without_cen_files_openface_with_clnf_is_taken_and_warned_of(tmp_path, name):
    root = install(tmp_path, without="cen_patches")
    with pytest.warns(ModelChoiceWarning, match='4 of OpenFace.s files are missing.*landmarks="clnf"'):
        chosen = choose_models(tmp_path if name == "folder" else name)
    assert (chosen.landmarks_kind, chosen.fallback) == ("clnf", True)
    assert chosen.landmarks == root / MODEL / "main_clnf_general.txt"
    assert "CLNF landmarks because 4 of OpenFace's files" in chosen.choice
    assert str(tmp_path) not in chosen.choice


def test_without_openface_the_open_pack_is_taken_and_warned_of():
    with pytest.warns(
        ModelChoiceWarning, match=r"not interchangeable.*`\w+ models install`.*models=\"open\""
    ):
        chosen = choose_models()
    assert (chosen.name, chosen.landmarks_kind, chosen.fallback) == ("open", "ceclm", True)
    assert chosen.choice.startswith("The open models are used with CE-CLM landmarks because")


def test_without_action_unit_files_the_open_pack_is_taken(tmp_path):
    install(tmp_path, without="AU_all_best")
    with pytest.warns(ModelChoiceWarning, match="1 of OpenFace's files is missing"):
        assert choose_models().name == "open"


def test_ceclm_that_openface_lacks_is_that_of_the_open_pack_with_a_warning(tmp_path):
    install(tmp_path, without="cen_patches")
    with pytest.warns(ModelChoiceWarning, match="open models are used with CE-CLM landmarks"):
        chosen = choose_models(landmarks="ceclm")
    assert (chosen.name, chosen.landmarks_kind) == ("open", "ceclm")


@pytest.mark.parametrize(
    ("name", "landmarks"), [("auto", "clnf"), ("openface", "clnf"), ("open", "auto"), ("open", "ceclm")]
)
def test_what_was_asked_for_by_name_is_not_warned_of(tmp_path, name, landmarks):
    install(tmp_path, without="cen_patches")
    chosen = choose_models(name, landmarks)
    assert chosen.choice.endswith(", as requested.")
    assert not chosen.fallback


def test_a_choice_is_warned_of_once_a_process():
    with pytest.warns(ModelChoiceWarning):
        choose_models()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose_models()


def test_the_warning_points_at_the_callers_line():
    with pytest.warns(ModelChoiceWarning) as caught:
        choose_models()
    assert Path(caught[0].filename).name == Path(__file__).name


def test_a_script_sees_the_warning_without_any_setting(tmp_path):
    script = "from pyfaceau.models import choose_models\nchoose_models()\n"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stderr.count("ModelChoiceWarning") == 1


def test_without_any_models_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "OPEN_AU_FOLDER", tmp_path)
    with pytest.raises(MissingModelError, match="`pyfaceau models install`"):
        choose_models()
    with pytest.raises(MissingModelError, match="Install pyfaceau again"):
        choose_models("open")


def test_clnf_that_is_not_installed_is_not_replaced():
    with pytest.raises(MissingModelError, match="main_clnf_general"):
        choose_models(landmarks="clnf")


def test_landmarks_may_be_any_main_file(tmp_path):
    own = tmp_path / "own_main.txt"
    own.write_text("LandmarkDetector own.txt")
    (tmp_path / "own.txt").write_text("PDM p.txt\nPatchesCCNF c.txt")
    chosen = choose_models("open", own)
    assert (chosen.landmarks, chosen.landmarks_kind) == (own, "clnf")
    assert "the given CLNF landmark model" in chosen.choice


def test_wrong_arguments_say_what_to_pass(tmp_path):
    with pytest.raises(ValueError, match="models must be 'auto', 'openface', 'open' or an existing folder"):
        choose_models("opnface")
    with pytest.raises(ValueError, match="landmarks='ceclm' only"):
        choose_models("open", "clnf")
    with pytest.raises(ValueError, match="landmarks must be"):
        choose_models("open", tmp_path / "nothing.txt")


def test_hashes_of_the_open_pack_have_names_that_do_not_depend_on_the_machine():
    hashes = choose_models("open").sha256()
    assert hashes["open/pyclnf/main_ceclm_general.txt"] == sha256(OPEN_FOLDER / "main_ceclm_general.txt")
    assert hashes["open/pyfaceau/main_dynamic_svms.txt"] == sha256(OPEN_AU_FOLDER / "main_dynamic_svms.txt")
    assert all(name.startswith("open/") for name in hashes)


def test_hashes_of_openface_have_the_same_names_in_every_installation(shared, tmp_path):
    installed = choose_models(shared / "openface", "clnf").sha256()
    manifest = {f"openface/{file.path}": file.sha256 for file in openface_store().manifest.files}
    assert installed == {name: manifest[name] for name in installed}
    checkout = tmp_path / "checkout"
    checkout.symlink_to(shared / "openface/2.2.0/originals")
    assert choose_models(checkout, "clnf").sha256() == installed
    programs = tmp_path / "bin"  # where OpenFace's programs stand
    programs.mkdir()
    local = shared / "openface/2.2.0/originals/lib/local"
    (programs / "model").symlink_to(local / "LandmarkDetector/model")
    (programs / "AU_predictors").symlink_to(local / "FaceAnalyser/AU_predictors")
    assert choose_models(programs, "clnf").sha256() == installed


def test_a_set_of_models_survives_pickling():
    chosen = choose_models("open")
    again = pickle.loads(pickle.dumps(chosen))
    assert again == chosen
    assert again.sha256() == chosen.sha256()


def test_no_file_of_the_packs_is_unread_and_no_two_have_one_name():
    packs = [
        (folder, path)
        for folder in (OPEN_FOLDER, OPEN_AU_FOLDER)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    drawn = {
        OPEN_AU_FOLDER / "au_shapes_open.npz"
    }  # what pyfaceau.plots draws faces with; no analysis reads it
    assert {*choose_models("open").files(), *drawn} == {path for _, path in packs}
    names = [path.relative_to(folder) for folder, path in packs]
    assert sorted(set(names)) == sorted(names)


def test_no_list_of_openfaces_files_is_kept_twice():
    repository = Path(__file__).parents[2]
    if not (repository / ".git").exists():
        pytest.skip("not in a checkout of the repository")
    tracked = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=False)
    lists = [Path(name) for name in tracked.stdout.splitlines() if name.endswith(MANIFEST_FILE)]
    assert sorted(path.parts[0] for path in lists) == ["pyclnf", "pyfaceau", "pymtcnn"]
    combined = [file.path for file in openface_store().manifest.files]
    assert sorted(set(combined)) == combined


def test_hashes_of_a_given_landmark_model_are_named_from_its_description(tmp_path):
    shutil.copytree(open_model_path().parent, tmp_path / "pack")
    chosen = choose_models("open", tmp_path / "pack/main_ceclm_general.txt")
    hashes = chosen.sha256()
    own = {name for name in hashes if name.startswith("own/")}
    assert {"own/main_ceclm_general.txt", "own/patch_experts/cen_patches_0.25_open.dat"} <= own
    (tmp_path / "pack/patch_experts/cen_patches_0.25_open.dat").unlink()
    with pytest.raises(MissingModelError, match=r"cen_patches_0\.25_open"):
        chosen.sha256()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
