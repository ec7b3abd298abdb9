"""graphql-core's own tests, run against compiled plans."""
