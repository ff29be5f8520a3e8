"""Where juries help: the same measures on many recorded sources, and what they say together."""
