"""Commands about networks: their weights, their sizes, tuning them and sampling from them."""
