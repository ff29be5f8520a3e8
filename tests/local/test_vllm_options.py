"""The options that our scripts give to `vllm serve` are those of the installed version."""

from __future__ import annotations

import os
import re
import subprocess

from conftest import ROOT
from llm_juries.judges.vllm.child import WORKER


def test_the_script_for_several_nodes_gives_options_that_vllm_has(vllm_python: str):
    text = (ROOT / "cluster" / "vllm_nodes.sh").read_text()
    command = text[text.index("bash -c") : text.index("server=$!")]
    wanted = set(re.findall(r"--[a-z][a-z-]+", command))
    # The worker ends its whole session when its standard input does, so it has one of its own.
    with subprocess.Popen(
        [vllm_python, str(WORKER), "serve", "--help=all"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
    assert wanted <= set(re.findall(r"--[a-z][a-z-]+", printed))
    assert {"--nnodes", "--node-rank", "--headless", "--pipeline-parallel-size"} <= wanted
