"""The paper's whole experiment as data, and the stages that carry it out: answers to page."""
