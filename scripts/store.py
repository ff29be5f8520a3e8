"""Look after a store of verdicts: the same as `llm-juries store`."""

from llm_juries.commands.store import main

if __name__ == "__main__":
    main()
