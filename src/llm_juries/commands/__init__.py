"""The commands, one module each; `llm-juries NAME` and scripts/NAME.py run `NAME.main`."""

COMMANDS = {
    "check": "check judges before a run: keys, servers, names, prices, GPUs",
    "judge": "ask judges about a dataset and keep their verdicts",
    "answer": "let models answer questions and keep their answers",
    "label": "label answers by hand, blind, in a spreadsheet",
    "analyze": "measure stored verdicts, pool them into juries, write a report",
    "difference": "say what changed between two runs, judges or prompts, and how sure that is",
    "reproduce": "put the paper's tables and figures beside ours",
    "atlas": "measure on all recorded sources where juries help",
    "advise": "say from a pilot whether to seat a jury, and which",
    "submit": "submit a sweep to a cluster, one job for each judge and dataset",
    "status": "show how far a sweep is",
    "store": "verify, compact, count, export, import or merge a store of verdicts",
}
"""Each command with what it does, in the order in which they are used."""
