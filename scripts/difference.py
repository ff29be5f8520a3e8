"""Say what changed between two runs, judges or prompts: the same as `llm-juries difference`."""

from llm_juries.commands.difference import main

if __name__ == "__main__":
    main()
