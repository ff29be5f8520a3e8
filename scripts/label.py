"""Label answers by hand, blind, in a spreadsheet: the same as `llm-juries label`."""

from llm_juries.commands.label import main

if __name__ == "__main__":
    main()
