"""FER-2013 in any public form, or drawn faces -> checked arrays with fingerprints."""
