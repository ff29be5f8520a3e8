"""The script for a model on several nodes: its syntax, and the overrides that it gives."""

from __future__ import annotations

import re
import subprocess

from conftest import ROOT
from llm_juries.config.build import build
from llm_juries.config.composing import composed

SCRIPT = ROOT / "cluster" / "vllm_nodes.sh"


def test_the_script_is_valid_shell():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)


def test_its_judge_asks_the_server_and_shares_the_keys_of_the_model_in_process():
    text = SCRIPT.read_text()
    given = re.findall(r'"judges\.\$judge\.([\w.]+)=([^"]+)"', text)
    assert dict(given) == {"backend": "server", "runtime.base_url": "http://$head:8000/v1"}
    name = "judges.llama33_70b"
    options = [f"{name}.{key}={value}".replace("$head", "node1") for key, value in given]
    served, alone = (
        build(composed("judge", ["judge=llama33_70b", *more]).judges.llama33_70b, name)
        for more in (options, [])
    )
    assert served.engine.base_url == "http://node1:8000/v1"
    assert served.fingerprint == alone.fingerprint
