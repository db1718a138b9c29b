"""Pictures of clips, losses and the paper's figures."""
