"""Let models answer questions and keep their answers: the same as `llm-juries answer`."""

from llm_juries.commands.answer import main

if __name__ == "__main__":
    main()
