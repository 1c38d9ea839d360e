"""HTTP: one table of routes, from which routing, validation, OpenAPI and the docs page come."""
