"""The daemon of a project: one writer for many callers, the duties, and the doors that others knock on."""
