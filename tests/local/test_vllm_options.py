"""The options that our scripts give to `vllm serve` are those of the installed version."""

from __future__ import annotations

import os
import re
import subprocess

from conftest import ROOT
from llm_juries.judges.vllm.child import WORKER


def test_the_script_for_several_nodes_gives_options_that_vllm_has(vllm_python: str):
    text = (ROOT / "cluster" / "vllm_nodes.sh").read_text()
    command = text[text.index("main serve") : text.index("server=$!")]
    wanted = set(re.findall(r"--[a-z][a-z-]+", command))
    done = subprocess.run(
        [vllm_python, str(WORKER), "serve", "--help=all"],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert wanted <= set(re.findall(r"--[a-z][a-z-]+", done.stdout))
    assert {"--nnodes", "--node-rank", "--headless", "--pipeline-parallel-size"} <= wanted
