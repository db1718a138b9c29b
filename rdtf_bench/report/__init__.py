"""Words, tables, figures and pages from records. May import run and what is below it."""
