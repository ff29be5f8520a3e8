"""Say from a pilot whether to seat a jury, and which: the same as `llm-juries advise`."""

from llm_juries.commands.advise import main

if __name__ == "__main__":
    main()
