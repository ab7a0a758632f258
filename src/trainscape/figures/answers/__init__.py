"""Pictures of what was found: optimizers compared, and how rate and batch size go together."""
