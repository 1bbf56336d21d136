"""Tables as CSV, Markdown, LaTeX and plain text."""
