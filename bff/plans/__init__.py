"""How an operation is executed; today generically, by graphql-core over the batch fields."""
