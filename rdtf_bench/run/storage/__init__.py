"""Keeps a store in order: what it holds, what is damaged, and what nothing needs any more. No torch."""
