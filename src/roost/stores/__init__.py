"""Where rows live: what a database must do (`base`), and the databases that do it."""
