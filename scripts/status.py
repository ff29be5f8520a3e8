"""Show how far a sweep is: the same as `llm-juries status`."""

from llm_juries.commands.status import main

if __name__ == "__main__":
    main()
