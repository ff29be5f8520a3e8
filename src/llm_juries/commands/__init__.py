"""The commands: one module each, thin over the package."""
