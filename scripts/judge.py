"""Ask judges about a dataset and keep their verdicts: the same as `llm-juries judge`."""

from llm_juries.commands.judge import main

if __name__ == "__main__":
    main()
