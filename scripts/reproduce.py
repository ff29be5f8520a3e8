"""Put the paper's tables and figures beside ours: the same as `llm-juries reproduce`."""

from llm_juries.commands.reproduce import main

if __name__ == "__main__":
    main()
