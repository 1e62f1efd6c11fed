"""The examples for clusters are read by the tools that they are written for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from doc_snippets import read_snippets

pytestmark = pytest.mark.slow

DOCS = Path(__file__).resolve().parents[1] / "docs"


def manifests():
    yaml = pytest.importorskip("yaml")
    return [*yaml.safe_load_all((DOCS / "kubernetes.yaml").read_text(encoding="utf-8"))]


def test_kubernetes_example_fits_the_schemas_of_kubernetes():
    validate = pytest.importorskip("kubernetes_validate").validate
    found = manifests()
    assert [each["kind"] for each in found] == ["Deployment", "Service", "Deployment", "Job"]
    for each in found:
        validate(each, "1.30", strict=True)


def test_kubernetes_example_calls_commands_that_exist():
    from typer.main import get_command

    from pyfaceau.cli.app import app

    (container,) = manifests()[-1]["spec"]["template"]["spec"]["containers"]
    program, *words = container["args"]
    assert program == "pyfaceau"
    batch = get_command(app).commands[words[0]]
    context = batch.make_context("batch", words[1:], resilient_parsing=False)
    assert context.params["scheduler"].startswith("tcp://pyfaceau-scheduler:")


def test_kubernetes_example_is_read_by_kubectl():
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    command = [
        "kubectl",
        "label",
        "--local",
        "--filename",
        str(DOCS / "kubernetes.yaml"),
        "a=b",
        "--output=name",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_slurm_example_makes_a_script_that_a_shell_reads(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(tmp_path)
    (example,) = [
        snippet
        for snippet in read_snippets(DOCS / "cluster.md")
        if any("SLURMCluster(" in line for line in snippet.code)
    ]
    names: dict = {}
    printed: list[str] = []
    names["print"] = printed.append
    exec("\n".join(example.code), names)
    names["cluster"].close()
    (script,) = printed
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    options = dict(re.findall(r"^#SBATCH (?:-(p|n|t)|--(?:cpus-per-task)=?) ?(.*)$", script, re.MULTILINE))
    assert options["p"] == "standard"
    assert options["t"] == "08:00:00"
    assert "export PYFACEAU_INSTRUCTION_SET=avx2" in script
    assert not re.search(r"--nworkers (?!1\b)", script)  # one worker a job
    assert "--nthreads 1" in script
