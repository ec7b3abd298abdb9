"""A differential fuzz: random schemas, documents and sources, executed by graphql-core and by
compiled plans, must give the same data, the same errors and the same calls of resolvers."""
