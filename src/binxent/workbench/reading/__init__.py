"""Reading: files as tables of text or typed columns, and text as numbers, dates, truth values and labels."""
