"""Check judges before a run: the same as `llm-juries check`."""

from llm_juries.commands.check import main

if __name__ == "__main__":
    main()
