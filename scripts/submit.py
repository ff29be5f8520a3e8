"""Submit a sweep to a cluster: the same as `llm-juries submit`."""

from llm_juries.commands.submit import main

if __name__ == "__main__":
    main()
