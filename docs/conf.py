"""Settings of the documentation site; `nox -s docs` builds it."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

# Sphinx reads only what lies below this folder, so the notebooks come along.
shutil.rmtree(HERE / "examples", ignore_errors=True)
shutil.copytree(HERE.parent / "examples", HERE / "examples", ignore=shutil.ignore_patterns(".*", "*.txt"))

project = "pyfaceau"
author = "the authors of pyfaceau"
release = version = version_of("pyfaceau")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "mathml",
]
exclude_patterns = ["_build", "_ext", "_templates", "requirements.txt"]
templates_path = ["_templates"]
suppress_warnings = ["misc.highlighting_failure"]

# Docstrings
default_role = "py:obj"
autodoc_typehints = "none"  # numpydoc's sections say types in words
autodoc_default_options = {"member-order": "bysource"}
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
add_module_names = False

# Markdown and notebooks
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_ipywidgets_js: dict[
    str, dict[str, str]
] = {}  # no notebook has widgets; nothing is loaded from the network

# Pages
html_theme = "pydata_sphinx_theme"
html_title = "pyfaceau"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "decisions": ["page-toc"]}
html_theme_options = {
    "logo": {"text": "pyfaceau"},
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
}
html_copy_source = False
html_context = {"default_mode": "auto"}  # light or dark, as the system is
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
