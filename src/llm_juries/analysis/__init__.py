"""Tables from panels: agreement, bias, rankings, jury search. Asks no model."""
