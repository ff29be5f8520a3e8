"""Juries of LLM judges: ask judges once, pool them freely, measure them against humans.

Data flows one way: `data` loads items, `prompts` renders them, `judges` answer, `collect` asks and
`store` keeps; then `juries` pools what was kept, `metrics` measures, `figures`, `tables` and
`report` draw.
"""

__version__ = "0.1.0"
