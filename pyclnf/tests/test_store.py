"""The model store: where it looks, what it says when files are missing, and how it installs them."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pyclnf import download
from pyclnf import store as store_module
from pyclnf._lock import exclusive
from pyclnf.errors import MissingModelError, ModelInstallError
from pyclnf.manifest import Manifest, ManifestFile, combine, package_manifest
from pyclnf.store import ENVIRONMENT_VARIABLE, ModelStore

LANDMARKS = "lib/local/LandmarkDetector/model/"
PREDICTORS = "lib/local/FaceAnalyser/AU_predictors/"
CONTENT = {LANDMARKS + "a.txt": b"first file", PREDICTORS + "b.dat": bytes(range(256)) * 40}


@pytest.fixture(autouse=True)
def _no_models_of_this_machine(tmp_path_factory, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(
        store_module, "_user_data_folder", lambda: tmp_path_factory.getbasetemp() / "no user data"
    )


def manifest_of(content: dict[str, bytes], *bases: str) -> Manifest:
    files = tuple(
        ManifestFile(
            path, len(data), hashlib.sha256(data).hexdigest(), ("au",), tuple(base + path for base in bases)
        )
        for path, data in content.items()
    )
    folders = ("lib/local/LandmarkDetector/", "lib/local/FaceAnalyser/")
    return Manifest(
        "2.2.0", "A licence", "Summary of the licence.", "https://licence.example", files, folders
    )


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
    delay = 0.0
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
        time.sleep(self.server.delay)
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


def test_install_without_consent_shows_the_licence_and_does_nothing(tmp_path):
    store = ModelStore(manifest_of(CONTENT), tmp_path)
    with pytest.raises(ModelInstallError, match=r"Summary.*https://licence\.example.*--accept-license"):
        store.install(["au"])
    assert list(tmp_path.iterdir()) == []


def test_install_downloads_and_reports_progress(tmp_path, server):
    store = ModelStore(manifest_of(CONTENT, url_of(server)), tmp_path)
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
    store = ModelStore(manifest_of({name: CONTENT[name]}, url_of(server)), tmp_path)
    store.install(["au"], accept_license=True)
    assert installed_content(store) == {name: CONTENT[name]}
    assert server.ranges == [None, "bytes=5120-", "bytes=7680-"]


def test_next_location_is_tried_when_the_first_has_other_bytes(tmp_path, server):
    name = PREDICTORS + "b.dat"
    server.content = {"bad/" + name: bytes(len(CONTENT[name])), **CONTENT}
    manifest = manifest_of({name: CONTENT[name]}, url_of(server) + "bad/", url_of(server))
    store = ModelStore(manifest, tmp_path)
    store.install(["au"], accept_license=True)
    assert installed_content(store) == {name: CONTENT[name]}


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        ({}, "", "status 404"),
        ({LANDMARKS + "a.txt": b"tampered!!"}, "", "does not match"),
        ({LANDMARKS + "a.txt": b"far too many bytes"}, "", "more than the 10 bytes"),
        ({LANDMARKS + "a.txt": b"short"}, "", "5 of 10 bytes"),
        ({LANDMARKS + "a.txt": b"first file"}, "text/html", "web page"),
    ],
)
def test_bad_download_is_refused_and_leaves_no_file(tmp_path, server, content, content_type, reason):
    server.content, server.content_type = content, content_type
    store = ModelStore(manifest_of({LANDMARKS + "a.txt": b"first file"}, url_of(server)), tmp_path)
    with pytest.raises(ModelInstallError, match=reason):
        store.install(["au"], accept_license=True)
    assert installed_content(store) == {}


def test_one_bad_file_does_not_keep_the_others_from_being_installed(tmp_path, server):
    server.content = {PREDICTORS + "b.dat": CONTENT[PREDICTORS + "b.dat"]}
    store = ModelStore(manifest_of(CONTENT, url_of(server)), tmp_path)
    with pytest.raises(ModelInstallError, match=r"1 of 2 files.*\n.*a\.txt .*: status 404$"):
        store.install(["au"], accept_license=True)
    assert installed_content(store) == server.content


def test_an_offline_machine_is_told_one_line_for_each_host(tmp_path):
    store = ModelStore(manifest_of(CONTENT, "http://127.0.0.1:9/", "http://localhost:9/"), tmp_path)
    with pytest.raises(ModelInstallError) as caught:
        store.install(["au"], accept_license=True)
    assert str(caught.value).splitlines() == [
        "2 of 2 files could not be installed:",
        "127.0.0.1:9 cannot be reached (ConnectionError)",
        "localhost:9 cannot be reached (ConnectionError)",
    ]


@pytest.mark.parametrize("layout", ["2.2.0/originals/{}", "{}"])
def test_install_from_a_folder_in_either_layout(tmp_path, layout):
    place(tmp_path / "source", {layout.format(name): data for name, data in CONTENT.items()})
    store = ModelStore(manifest_of(CONTENT), tmp_path / "target")
    store.install(["au"], accept_license=True, source_dir=tmp_path / "source")
    assert installed_content(store) == CONTENT


def test_install_from_the_folder_of_openface_programs(tmp_path):
    place(
        tmp_path / "bin", {"model/a.txt": b"first file", "AU_predictors/b.dat": CONTENT[PREDICTORS + "b.dat"]}
    )
    store = ModelStore(manifest_of(CONTENT), tmp_path / "target")
    store.install(["au"], accept_license=True, source_dir=tmp_path / "bin")
    assert installed_content(store) == CONTENT


def test_install_from_a_folder_with_a_wrong_and_an_absent_file_says_both(tmp_path):
    place(tmp_path / "source", {LANDMARKS + "a.txt": b"first-file"})
    store = ModelStore(manifest_of(CONTENT), tmp_path / "target")
    with pytest.raises(ModelInstallError) as caught:
        store.install(["au"], accept_license=True, source_dir=tmp_path / "source")
    assert re.search(r"a\.txt is not OpenFace 2\.2\.0's .*not installed", str(caught.value))
    assert "b.dat is not in" in str(caught.value)
    assert installed_content(store) == {}


def test_verify_finds_changed_files(tmp_path):
    store = ModelStore(manifest_of(CONTENT), tmp_path)
    place(store.install_root, {**CONTENT, LANDMARKS + "a.txt": b"first_file"})
    assert [status.state for status in store.verify()] == ["wrong", "ok"]


def test_wrong_file_is_replaced_by_install(tmp_path, server):
    store = ModelStore(manifest_of(CONTENT, url_of(server)), tmp_path)
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


def test_environment_folder_comes_before_the_user_folder(tmp_path, monkeypatch):
    name = LANDMARKS + "a.txt"
    store = ModelStore(manifest_of(CONTENT))
    for folder in ("environment", "user"):
        place(tmp_path / folder / "2.2.0/originals", [name])
    monkeypatch.setattr(store_module, "_user_data_folder", lambda: tmp_path / "user")
    assert store.resolve(name) == tmp_path / "user/2.2.0/originals" / name
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "environment"))
    assert store.resolve(name) == tmp_path / "environment/2.2.0/originals" / name


def test_unknown_names_are_refused(tmp_path):
    store = ModelStore(manifest_of(CONTENT), tmp_path)
    with pytest.raises(ValueError, match="not one of OpenFace"):
        store.resolve("model/nonsense.txt")
    with pytest.raises(ValueError, match="no group"):
        store.install(["nonsense"], accept_license=True)


def test_missing_file_names_the_command_and_the_folders_searched(tmp_path):
    store = ModelStore(manifest_of(CONTENT), tmp_path, command="some command")
    with pytest.raises(MissingModelError) as caught:
        store.resolve(LANDMARKS + "a.txt")
    assert str(caught.value).startswith(
        "Run `some command` to get OpenFace's files: 1 model file is missing: "
    )
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("layout", ["2.2.0/originals/lib/local/LandmarkDetector/model", "model"])
def test_a_file_has_one_name_wherever_it_lies(tmp_path, layout):
    store = ModelStore(manifest_of(CONTENT), tmp_path)
    place(tmp_path, [layout + "/a.txt"])
    found = store.find(LANDMARKS + "a.txt")
    assert found is not None
    assert store.name_of(found) == LANDMARKS + "a.txt"
    assert store.name_of(tmp_path.parent / "elsewhere.txt") is None


INSTALL = """
import json, sys
from pyclnf.manifest import parse_manifest
from pyclnf.store import ModelStore
print(len(ModelStore(parse_manifest(sys.argv[1]), sys.argv[2]).install(["au"], accept_license=True)))
"""


def test_two_installations_at_once_get_each_file_once(tmp_path, server):
    server.delay = 0.3
    manifest = manifest_of(CONTENT)
    text = json.dumps(
        {
            "version": manifest.version,
            "licence": {"name": "A licence", "summary": "Summary.", "url": "https://licence.example"},
            "base_urls": [url_of(server)],
            "files": [{**vars(file), "urls": None} for file in manifest.files],
        }
    )
    command = [sys.executable, "-c", INSTALL, text, str(tmp_path / "target")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(int(out) for out, _ in outputs) == [0, 2]
    assert sum(err.count("waiting for another installation") for _, err in outputs) == 1
    assert len(server.ranges) == 2
    assert installed_content(ModelStore(manifest, tmp_path / "target")) == CONTENT


def test_without_locks_unfinished_downloads_are_kept_apart(tmp_path, server, monkeypatch):
    def no_locks(_stream: object) -> None:
        raise OSError("this file system has no locks")

    monkeypatch.setattr("pyclnf._lock._lock", no_locks)
    partial = tmp_path / "2.2.0/.partial"
    store = ModelStore(manifest_of(CONTENT, url_of(server)), tmp_path)
    place(partial, {file.sha256: b"what another process has got" for file in store.manifest.files})
    store.install(["au"], accept_license=True)
    assert installed_content(store) == CONTENT
    assert {path.read_bytes() for path in partial.iterdir()} == {b"what another process has got"}


def test_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), exclusive(tmp_path / "lock"):
        raise RuntimeError
    with exclusive(tmp_path / "lock") as alone:
        assert alone


def test_installation_that_is_complete_writes_nothing(tmp_path):
    store = ModelStore(manifest_of(CONTENT), tmp_path)
    place(store.install_root, CONTENT)
    before = set(tmp_path.rglob("*"))
    assert store.install(["au"], accept_license=True) == ()
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_links_that_lead_out_of_the_source_folder_are_not_followed(tmp_path, linked):
    place(tmp_path / "secret", {"a.txt": CONTENT[LANDMARKS + "a.txt"]})
    place(tmp_path / "source", {PREDICTORS + "b.dat": CONTENT[PREDICTORS + "b.dat"]})
    link = tmp_path / "source" / LANDMARKS
    if linked == "file":
        link.mkdir(parents=True)
        (link / "a.txt").symlink_to(tmp_path / "secret/a.txt")
    else:
        link.parent.mkdir(parents=True)
        link.symlink_to(tmp_path / "secret")
    store = ModelStore(manifest_of(CONTENT), tmp_path / "target")
    with pytest.raises(ModelInstallError, match=r"1 of 2 files(.|\n)*a\.txt is a link that leads out of"):
        store.install(["au"], accept_license=True, source_dir=tmp_path / "source")
    assert list(installed_content(store)) == [PREDICTORS + "b.dat"]


def test_links_within_the_source_folder_are_followed(tmp_path):
    place(tmp_path / "source", {"real/a.txt": CONTENT[LANDMARKS + "a.txt"]})
    (tmp_path / "source/model").symlink_to(tmp_path / "source/real")
    name = LANDMARKS + "a.txt"
    store = ModelStore(manifest_of({name: CONTENT[name]}), tmp_path / "target")
    store.install(["au"], accept_license=True, source_dir=tmp_path / "source")
    assert installed_content(store) == {name: CONTENT[name]}


def test_parts_of_a_manifest_are_joined_and_must_not_overlap():
    whole = manifest_of(CONTENT)
    parts = [replace(whole, files=(file,)) for file in reversed(whole.files)]
    assert combine(*parts) == replace(whole, files=tuple(sorted(whole.files, key=lambda file: file.path)))
    with pytest.raises(ValueError, match=r"two parts .* b?.*a\.txt"):
        combine(whole, parts[-1])
    with pytest.raises(ValueError, match="one licence"):
        combine(whole, package_manifest("pyclnf"))
