"""The model store: where it looks, what it says when files are missing, and how it installs them."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyclnf import download, models
from pyclnf.errors import MissingModelError, ModelInstallError
from pyclnf.manifest import MANIFEST_FILE, Manifest, ManifestFile, openface_manifest
from pyclnf.models import ModelStore

LANDMARKS = "lib/local/LandmarkDetector/model/"
PREDICTORS = "lib/local/FaceAnalyser/AU_predictors/"
CONTENT = {LANDMARKS + "a.txt": b"first file", PREDICTORS + "b.dat": bytes(range(256)) * 40}


@pytest.fixture(autouse=True)
def _no_models_of_this_machine(tmp_path_factory, monkeypatch):
    monkeypatch.delenv(models.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(models, "_user_data_folder", lambda: tmp_path_factory.getbasetemp() / "no user data")


def manifest_of(content: dict[str, bytes], *bases: str) -> Manifest:
    files = tuple(
        ManifestFile(
            path, len(data), hashlib.sha256(data).hexdigest(), ("au",), tuple(base + path for base in bases)
        )
        for path, data in content.items()
    )
    return Manifest("2.2.0", "A licence", "Summary of the licence.", "https://licence.example", files)


def place(folder: Path, names: dict[str, bytes] | list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(names[name] if isinstance(names, dict) else b"")


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT, with ranges; `breaks` connections end after half of what was asked."""

    breaks = 0
    content: dict[str, bytes] = CONTENT
    content_type = "application/octet-stream"
    ranges: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.content.get(self.path.lstrip("/"))
        self.server.ranges.append(self.headers["Range"])
        if data is None:
            self.send_error(404)
            return
        start = int(re.findall(r"\d+", self.headers["Range"] or "0")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", self.server.content_type)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if self.server.breaks:
            self.server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.ranges = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def installed_content(store: ModelStore) -> dict[str, bytes]:
    root = store.install_root
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_packaged_manifest_is_the_one_in_weights():
    published = Path(__file__).parents[2] / "weights" / "manifests" / MANIFEST_FILE
    if not published.is_file():
        pytest.skip("not in a checkout of the repository")
    assert (Path(models.__file__).parent / MANIFEST_FILE).read_bytes() == published.read_bytes()


def test_manifest_has_official_places_sizes_and_hashes_of_everything():
    manifest = openface_manifest()
    assert {"clnf", "ceclm", "au", "mtcnn", "validator"} <= set(manifest.groups)
    assert all(file.size > 0 and len(file.sha256) == 64 and len(file.urls) == 2 for file in manifest.files)
    assert all(url.startswith("https://") for file in manifest.files for url in file.urls)
    cen = [file for file in manifest.files if "cen_patches" in file.path]
    assert [file.size for file in cen] == [60602360, 60602360, 154289792, 154289792]
    assert all("dropbox.com" in file.urls[0] and "onedrive" in file.urls[1] for file in cen)


def test_manifest_agrees_with_the_reference_files(shared, monkeypatch):
    monkeypatch.setenv(models.ENVIRONMENT_VARIABLE, str(shared / "openface"))
    statuses = ModelStore().verify()
    assert {status.state for status in statuses} == {"ok", "missing"}
    assert all("cen_patches" in status.file.path for status in statuses if status.state == "missing")


def test_environment_folder_comes_before_the_user_folder(tmp_path, monkeypatch):
    name = LANDMARKS + "main_clnf_general.txt"
    for folder in ("environment", "user"):
        place(tmp_path / folder / "2.2.0/originals", [name])
    monkeypatch.setattr(models, "_user_data_folder", lambda: tmp_path / "user")
    assert ModelStore().resolve(name) == tmp_path / "user/2.2.0/originals" / name
    monkeypatch.setenv(models.ENVIRONMENT_VARIABLE, str(tmp_path / "environment"))
    assert ModelStore().resolve(name) == tmp_path / "environment/2.2.0/originals" / name


def test_user_folder_is_the_one_that_other_packages_use(monkeypatch):
    monkeypatch.undo()
    monkeypatch.delenv(models.ENVIRONMENT_VARIABLE, raising=False)
    (root,) = ModelStore().roots
    assert root.parts[-3:] == ("OpenFaceModels", "2.2.0", "originals")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="not one of OpenFace"):
        ModelStore().resolve("model/nonsense.txt")
    with pytest.raises(ValueError, match="no group"):
        ModelStore().install(["nonsense"], accept_license=True)
    with pytest.raises(ValueError, match="'ceclm', 'clnf' or the path"):
        ModelStore().main_model_path("clm")


def test_missing_file_names_the_command_and_the_folders_searched(tmp_path, monkeypatch):
    monkeypatch.setenv(models.ENVIRONMENT_VARIABLE, str(tmp_path))
    with pytest.raises(MissingModelError) as caught:
        ModelStore().resolve(LANDMARKS + "main_clnf_general.txt")
    assert "`pyfaceau models install`" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_missing_cen_files_are_named_exactly_and_clnf_is_suggested(tmp_path, monkeypatch):
    names = [file.path for file in openface_manifest().files if "cen_patches" not in file.path]
    place(tmp_path / "2.2.0/originals", names)
    monkeypatch.setenv(models.ENVIRONMENT_VARIABLE, str(tmp_path))
    with pytest.raises(MissingModelError) as caught:
        ModelStore().main_model_path("ceclm")
    assert [Path(name).name for name in caught.value.missing] == [
        f"cen_patches_{scale}_of.dat" for scale in ("0.25", "0.35", "0.50", "1.00")
    ]
    for part in ("cen_patches_0.35_of.dat", "`pyfaceau models install`", 'landmarks="clnf"'):
        assert part in str(caught.value)
    assert ModelStore().main_model_path("clnf").is_relative_to(tmp_path)
    assert ModelStore().au_model_paths()[1].name == "main_static_svms.txt"
    assert ModelStore().mtcnn_path() is not None


def test_description_is_taken_from_a_folder_that_has_all_its_files(tmp_path, monkeypatch):
    everything = [file.path for file in openface_manifest().select("ceclm")]
    place(tmp_path / "a/2.2.0/originals", [name for name in everything if "cen_patches" not in name])
    place(tmp_path / "b/2.2.0/originals", everything)
    monkeypatch.setenv(models.ENVIRONMENT_VARIABLE, str(tmp_path / "a"))
    monkeypatch.setattr(models, "_user_data_folder", lambda: tmp_path / "b")
    assert tmp_path / "b" in ModelStore().main_model_path("ceclm").parents


def test_install_without_consent_shows_the_licence_and_does_nothing(tmp_path):
    store = ModelStore(tmp_path, manifest_of(CONTENT))
    with pytest.raises(ModelInstallError, match=r"Summary.*https://licence\.example.*--accept-license"):
        store.install(["au"])
    assert list(tmp_path.iterdir()) == []


def test_install_downloads_and_reports_progress(tmp_path, server):
    store = ModelStore(tmp_path, manifest_of(CONTENT, url_of(server)))
    seen: list[tuple[str, int, int]] = []
    added = store.install(["au"], accept_license=True, progress=lambda *step: seen.append(step))
    assert installed_content(store) == CONTENT
    assert len(added) == 2
    assert {(name, total) for name, _, total in seen} == {(name, len(data)) for name, data in CONTENT.items()}
    assert all(status.state == "ok" for status in store.verify())
    server.ranges.clear()
    assert store.install(["au"], accept_license=True) == ()
    assert server.ranges == []


def test_broken_download_is_resumed_where_it_stopped(tmp_path, server, monkeypatch):
    monkeypatch.setattr(download, "_DOWNLOAD_CHUNK", 512)
    server.breaks = 2
    name = PREDICTORS + "b.dat"
    store = ModelStore(tmp_path, manifest_of({name: CONTENT[name]}, url_of(server)))
    store.install(["au"], accept_license=True)
    assert installed_content(store) == {name: CONTENT[name]}
    assert server.ranges == [None, "bytes=5120-", "bytes=7680-"]


def test_next_location_is_tried_when_the_first_has_other_bytes(tmp_path, server):
    name = PREDICTORS + "b.dat"
    server.content = {"bad/" + name: bytes(len(CONTENT[name])), **CONTENT}
    manifest = manifest_of({name: CONTENT[name]}, url_of(server) + "bad/", url_of(server))
    store = ModelStore(tmp_path, manifest)
    store.install(["au"], accept_license=True)
    assert installed_content(store) == {name: CONTENT[name]}


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        ({}, "", "404"),
        ({LANDMARKS + "a.txt": b"tampered!!"}, "", "does not match"),
        ({LANDMARKS + "a.txt": b"far too many bytes"}, "", "more than the 10 bytes"),
        ({LANDMARKS + "a.txt": b"short"}, "", "5 of 10 bytes"),
        ({LANDMARKS + "a.txt": b"first file"}, "text/html", "web page"),
    ],
)
def test_bad_download_is_refused_and_leaves_no_file(tmp_path, server, content, content_type, reason):
    server.content, server.content_type = content, content_type
    store = ModelStore(tmp_path, manifest_of({LANDMARKS + "a.txt": b"first file"}, url_of(server)))
    with pytest.raises(ModelInstallError, match=reason):
        store.install(["au"], accept_license=True)
    assert installed_content(store) == {}


def test_one_bad_file_does_not_keep_the_others_from_being_installed(tmp_path, server):
    server.content = {PREDICTORS + "b.dat": CONTENT[PREDICTORS + "b.dat"]}
    store = ModelStore(tmp_path, manifest_of(CONTENT, url_of(server)))
    with pytest.raises(ModelInstallError, match=r"1 of 2 files.*a\.txt"):
        store.install(["au"], accept_license=True)
    assert installed_content(store) == server.content


def test_unreachable_host_is_named(tmp_path):
    store = ModelStore(tmp_path, manifest_of(CONTENT, "http://127.0.0.1:9/"))
    with pytest.raises(ModelInstallError, match=r"127\.0\.0\.1:9: cannot be reached"):
        store.install(["au"], accept_license=True)


@pytest.mark.parametrize("layout", ["2.2.0/originals/{}", "{}"])
def test_install_from_a_folder_in_either_layout(tmp_path, layout):
    place(tmp_path / "source", {layout.format(name): data for name, data in CONTENT.items()})
    store = ModelStore(tmp_path / "target", manifest_of(CONTENT))
    store.install(["au"], accept_license=True, source_dir=tmp_path / "source")
    assert installed_content(store) == CONTENT


def test_install_from_the_folder_of_openface_programs(tmp_path):
    place(
        tmp_path / "bin", {"model/a.txt": b"first file", "AU_predictors/b.dat": CONTENT[PREDICTORS + "b.dat"]}
    )
    store = ModelStore(tmp_path / "target", manifest_of(CONTENT))
    store.install(["au"], accept_license=True, source_dir=tmp_path / "bin")
    assert installed_content(store) == CONTENT


def test_install_from_a_folder_with_a_wrong_and_an_absent_file_says_both(tmp_path):
    place(tmp_path / "source", {LANDMARKS + "a.txt": b"first-file"})
    store = ModelStore(tmp_path / "target", manifest_of(CONTENT))
    with pytest.raises(ModelInstallError) as caught:
        store.install(["au"], accept_license=True, source_dir=tmp_path / "source")
    assert "a.txt differs from OpenFace 2.2.0's" in str(caught.value)
    assert "b.dat is not in" in str(caught.value)
    assert installed_content(store) == {}


def test_verify_finds_changed_files(tmp_path):
    store = ModelStore(tmp_path, manifest_of(CONTENT))
    place(store.install_root, {**CONTENT, LANDMARKS + "a.txt": b"first_file"})
    assert [status.state for status in store.verify()] == ["wrong", "ok"]


def test_wrong_file_is_replaced_by_install(tmp_path, server):
    store = ModelStore(tmp_path, manifest_of(CONTENT, url_of(server)))
    place(store.install_root, {LANDMARKS + "a.txt": b"first_file"})
    store.install(["au"], accept_license=True)
    assert installed_content(store) == CONTENT


def test_a_file_is_hashed_again_only_after_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "x.dat"
    path.write_bytes(b"first")
    read = []
    monkeypatch.setattr(
        download, "sha256_of", lambda p: read.append(p) or hashlib.sha256(p.read_bytes()).hexdigest()
    )
    assert (
        download.cached_sha256(path) == download.cached_sha256(path) == hashlib.sha256(b"first").hexdigest()
    )
    assert len(read) == 1
    path.write_bytes(b"changed")
    assert download.cached_sha256(path) == hashlib.sha256(b"changed").hexdigest()
