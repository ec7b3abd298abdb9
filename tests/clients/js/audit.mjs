// The GraphQL-over-HTTP audits of `graphql-http` against a running gateway.
import { auditServer } from "graphql-http";
import { report, setting } from "./app.mjs";

const results = await auditServer({ url: `${setting("OPEN_URL")}/graphql` });
report(
  results.map(({ id, name, status, reason }) => ({ id, name, status, reason: reason ?? null })),
);
