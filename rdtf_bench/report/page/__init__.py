"""Write HTML pages that stand alone: templates of Jinja with pictures inside. May import run/ and the other reports."""
