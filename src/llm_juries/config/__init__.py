"""From composed Hydra configs to checked objects."""
