"""Measure on all recorded sources where juries help: the same as `llm-juries atlas`."""

from llm_juries.commands.atlas import main

if __name__ == "__main__":
    main()
