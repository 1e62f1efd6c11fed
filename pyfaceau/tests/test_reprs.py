"""What people see of objects: short reprs, pictures in notebooks, bars that need no widgets."""

from __future__ import annotations

import base64
import re

import cv2
import numpy as np
import pytest
from made_up_results import made_up_result

from pyfaceau import FullPythonAUPipeline
from pyfaceau.analysis import SequenceAnalysis
from pyfaceau.demo import DEMO_PORTRAIT
from pyfaceau.progress import _bar_html


@pytest.fixture(scope="module")
def pipeline() -> FullPythonAUPipeline:
    return FullPythonAUPipeline(models="open")


@pytest.fixture(scope="module")
def face(pipeline):
    return pipeline.process_image(DEMO_PORTRAIT)[0]


def test_reprs_are_short_and_name_no_address(pipeline, face):
    sequence = SequenceAnalysis(np.zeros((5, 2)), np.zeros((5, 2)), np.ones(5, bool))
    seen = [
        pipeline,
        pipeline.engine,
        pipeline.run(),
        face,
        face.fit,
        face.fit.parts,
        face.analysis,
        sequence,
    ]
    seen += [made_up_result().gaze, made_up_result(success=False).analysis]
    for thing in seen:
        assert len(repr(thing)) < 200
        assert " at 0x" not in repr(thing)
    assert "AU12" in repr(face)


def picture_of(html: str) -> np.ndarray:
    data = re.search(r"data:image/jpeg;base64,([^\"]+)", html)
    assert data is not None
    return cv2.imdecode(np.frombuffer(base64.b64decode(data[1]), np.uint8), cv2.IMREAD_COLOR)


def test_notebooks_show_the_face_with_landmarks_and_bars(face):
    html = face._repr_html_()
    image = picture_of(html).astype(int)
    yellow = (image[..., 2] - image[..., 0] > 120) & (image[..., 1] > 150)
    places = (face.analysis.aligned_landmarks + 0.5) * 280 / 112 - 0.5
    hit = [yellow[round(float(y)), round(float(x))] for x, y in places if (0 <= x < 279) and (0 <= y < 279)]
    assert np.mean(hit) > 0.9
    assert f"{face.au_intensities['AU12']:.2f}" in html
    assert "AU12 Lip corner puller" in html
    assert "<script" not in html


def test_a_frame_without_a_face_has_no_picture():
    html = made_up_result(success=False)._repr_html_()
    assert "no face" in html
    assert "<img" not in html


def test_negative_values_are_explained_in_notebooks():
    result = made_up_result()
    result.au_intensities["AU12"] = -0.4
    assert "below 0" in result._repr_html_()


def test_pipelines_show_their_models_in_notebooks(pipeline):
    html = pipeline._repr_html_()
    assert pipeline.models.choice.split(",")[0] in html
    assert "17 intensities" in html


def test_bars_of_notebooks_are_plain_html():
    text = _bar_html("a<b>.mp4", 50, 200, 2.0)
    assert "a&lt;b&gt;.mp4" in text
    assert 'value="50"' in text
    assert "50 of 200 frames, 25 frames/s, 6 s left" in text
    assert _bar_html("v", 7, None, 1.0).count("progress") == 0
    assert "210 of 210" in _bar_html("v", 210, 200, 1.0)  # containers may hold more than they say


def test_bar_stays_in_a_saved_notebook_without_widgets(tmp_path):
    pytest.importorskip("ipykernel")
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    code = (
        "from pyfaceau.progress import progress_reporter\n"
        "with progress_reporter(True, 'clip.mp4') as report:\n"
        "    for n in range(1, 31):\n"
        "        report(n, 30)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    (output,) = notebook.cells[0].outputs
    assert "30 of 30 frames" in output["data"]["text/html"]
