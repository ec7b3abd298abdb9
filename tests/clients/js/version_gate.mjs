// Builds of a web app with each verdict of the version gate: a screen, a write that waited, a public
// screen, and signing out. What `extensions.client` says is read by a link, as an app would.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client/core";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { generatePersistedQueryIdsFromManifest } from "@apollo/persisted-query-lists";
import { map } from "rxjs";
import { bearer, operations, possibleTypes, recorder, report, setting } from "./app.mjs";

const uri = `${setting("GATEWAY_URL")}/graphql`;
const releases = JSON.parse(setting("RELEASES"));
const leavers = JSON.parse(setting("LEAVERS"));
const manifest = JSON.parse(readFileSync(setting("APOLLO_MANIFEST"), "utf8"));
const types = possibleTypes(setting("SCHEMA"));
const documents = operations(setting("OPERATIONS"));
const ids = generatePersistedQueryIdsFromManifest({ loadManifest: async () => manifest });

const recording = recorder();
let told = [];

/** The app's own link: whatever an answer says of its build, it is noticed here. */
const verdicts = () =>
  new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      map((result) => {
        if (result.extensions?.client) told.push(result.extensions.client);
        return result;
      }),
    ),
  );

function client(release, token) {
  const http = new HttpLink({ uri, fetch: recording.fetch, headers: bearer(token) });
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes: types }),
    link: ApolloLink.from([verdicts(), new PersistedQueryLink(ids), http]),
    clientAwareness: { name: "facet-web-apollo", version: release },
  });
}

const errorOf = (error) => ({
  name: error.name,
  errors: (error.errors ?? []).map(({ message, extensions }) => ({
    message,
    code: extensions?.code ?? null,
  })),
});

async function seen(promise) {
  const { data, error } = await promise;
  const delivered = [{ data: data ?? null, error: error ? errorOf(error) : null }];
  const result = { delivered, exchanges: recording.take(), told };
  told = [];
  return result;
}

const ask = (app, name, variables) =>
  app.query({
    query: documents[name],
    variables,
    errorPolicy: "all",
    fetchPolicy: "network-only",
  });
const write = (app, name, input) =>
  app.mutate({
    mutation: documents[name],
    variables: { input: { idempotencyKey: randomUUID(), ...input } },
    errorPolicy: "all",
  });

const results = {};
for (const [verdict, release] of Object.entries(releases)) {
  const app = client(release, setting("TOKEN"));
  const leaving = client(release, leavers[verdict]);
  results[verdict] = {
    home: await seen(ask(app, "Home", { first: 2 })),
    public: await seen(ask(app, "PublicContent", { id: "itm_00002" })),
    saved: await seen(write(leaving, "SaveItem", { itemId: "itm_00002" })),
    signedOut: await seen(write(leaving, "SignOut", {})),
  };
}
report(results);
