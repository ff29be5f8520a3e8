"""Measure stored verdicts and write a report: the same as `llm-juries analyze`."""

from llm_juries.commands.analyze import main

if __name__ == "__main__":
    main()
