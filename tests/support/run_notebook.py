"""Runs a notebook in the current folder, and prints its cells with their outputs, as JSON.

python run_notebook.py NOTEBOOK.ipynb
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

notebook = nbformat.reads(Path(sys.argv[1]).read_text(encoding="utf-8"), as_version=4)
NotebookClient(notebook, timeout=600).execute()
print(json.dumps(notebook["cells"]))
