// Apollo Client as a web app sets it up: manifest ids, APQ, GET, batches, writes, errors.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import {
  createPersistedQueryManifestVerificationLink,
  generatePersistedQueryIdsFromManifest,
} from "@apollo/persisted-query-lists";
import { bearer, operations, possibleTypes, recorder, report, setting } from "./app.mjs";

const open = `${setting("OPEN_URL")}/graphql`;
const registered = `${setting("REGISTERED_URL")}/graphql`;
const token = setting("TOKEN");
const manifest = JSON.parse(readFileSync(setting("APOLLO_MANIFEST"), "utf8"));
const types = possibleTypes(setting("SCHEMA"));
const documents = operations(setting("OPERATIONS"));

const loadManifest = async () => manifest;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const manifestIds = generatePersistedQueryIdsFromManifest({ loadManifest });
const byManifest = (options) => new PersistedQueryLink({ ...manifestIds, ...options });
const byHash = (options) => new PersistedQueryLink({ sha256, ...options });

const recording = recorder();

/** A fresh client: empty cache, nothing remembered of earlier ids. */
function client(uri, links, { as = token, Terminating = HttpLink, ...options } = {}) {
  const http = new Terminating({ uri, fetch: recording.fetch, headers: bearer(as), ...options });
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes: types }),
    link: ApolloLink.from([...links, http]),
    clientAwareness: { name: "facet-web-apollo", version: setting("APOLLO_RELEASE") },
  });
}

const errorOf = (error) => ({
  name: error.name,
  errors: (error.errors ?? []).map(({ message, path, extensions }) => ({
    message,
    path: path ?? null,
    code: extensions?.code ?? null,
  })),
});

/** What the app is given, whichever way the library gives it. */
async function delivery(promise) {
  try {
    const { data, error } = await promise;
    return { data: data ?? null, error: error ? errorOf(error) : null, thrown: null };
  } catch (error) {
    return { data: null, error: null, thrown: errorOf(error) };
  }
}

async function seen(...promises) {
  const delivered = await Promise.all(promises.map(delivery));
  return { delivered, exchanges: recording.take() };
}

const ask = (app, query, variables, errorPolicy = "all") =>
  app.query({ query, variables, errorPolicy, fetchPolicy: "network-only" });
const write = (app, name, input) =>
  app.mutate({ mutation: documents[name], variables: { input }, errorPolicy: "all" });

const first = await ask(client(open, []), documents.Home, { first: 2 });
recording.take();
const itemId = first.data.home.feed.edges[0].node.id;

async function everyQueryByManifest() {
  const mismatches = [];
  const onVerificationFailed = ({ reason, operation }) =>
    mismatches.push(`${operation.operationName}: ${reason}`);
  const verification = createPersistedQueryManifestVerificationLink({
    loadManifest,
    onVerificationFailed,
  });
  const app = client(registered, [verification, byManifest()]);
  const queries = { Home: { first: 5 }, Profile: {}, Inbox: {} };
  queries.Content = queries.PublicContent = { id: itemId };
  const results = {};
  for (const [name, variables] of Object.entries(queries)) {
    results[name] = await seen(ask(app, documents[name], variables));
  }
  return { mismatches, results };
}

async function automaticIds() {
  const query = gql`
    query ApolloBadge {
      home {
        inbox {
          unread
        }
      }
    }
  `;
  const miss = await seen(ask(client(open, [byHash()]), query));
  const hit = await seen(ask(client(open, [byHash()]), query));
  const ownOrder = {
    miss: await seen(ask(client(open, [byHash()]), documents.Home, { first: 2 })),
    hit: await seen(ask(client(open, [byHash()]), documents.Home, { first: 2 })),
  };
  return { miss, hit, ownOrder };
}

async function hashedQueriesByGet() {
  const useGETForHashedQueries = true;
  const query = gql`
    query ApolloWhoAmI {
      home {
        viewer {
          id
          handle
        }
      }
    }
  `;
  const app = client(open, [byManifest({ useGETForHashedQueries })]);
  const known = await seen(ask(app, documents.Home, { first: 3 }));
  const miss = await seen(ask(client(open, [byHash({ useGETForHashedQueries })]), query));
  const hit = await seen(ask(client(open, [byHash({ useGETForHashedQueries })]), query));
  const mutation = await seen(write(app, "SaveItem", { idempotencyKey: randomUUID(), itemId }));
  return { known, miss, hit, mutation };
}

async function batches() {
  const batched = { Terminating: BatchHttpLink, batchInterval: 20 };
  const texts = client(open, [], batched);
  const ids = client(registered, [byManifest()], batched);
  const mixed = client(open, [byHash()], batched);
  const wrong = gql`
    query ApolloWrong {
      nothingOfTheKind
    }
  `;
  const fresh = gql`
    query ApolloFresh {
      home {
        viewer {
          handle
        }
      }
    }
  `;
  return {
    texts: await seen(
      ask(texts, documents.Home, { first: 2 }),
      ask(texts, wrong),
      ask(texts, documents.PublicContent, { id: itemId }),
    ),
    ids: await seen(
      ask(ids, documents.Inbox, { first: 2 }),
      ask(ids, documents.PublicContent, { id: itemId }),
    ),
    miss: await seen(ask(mixed, fresh), ask(mixed, documents.Home, { first: 2 })),
  };
}

/** Saved, taken back, and the first write sent once more, as an app does after a lost answer. */
async function writes() {
  const app = client(registered, [byManifest()]);
  const idempotencyKey = randomUUID();
  const input = { idempotencyKey, itemId };
  const other = { idempotencyKey, itemId: "itm_00002" };
  return {
    itemId,
    saved: await seen(write(app, "SaveItem", input)),
    unsaved: await seen(write(app, "UnsaveItem", { idempotencyKey: randomUUID(), itemId })),
    savedAgain: await seen(write(app, "SaveItem", input)),
    state: await seen(ask(app, documents.Content, { id: itemId })),
    reused: await seen(write(app, "SaveItem", other)),
  };
}

async function failures() {
  const nobody = client(registered, [byManifest()], { as: "" });
  const expired = client(registered, [byManifest()], { as: "not.a.token" });
  const content = { id: itemId };
  const wrong = gql`
    query ApolloInvalid {
      nothingOfTheKind
    }
  `;
  return {
    partial: await seen(ask(nobody, documents.Content, content)),
    partialRefusedByApp: await seen(ask(nobody, documents.Content, content, "none")),
    badToken: await seen(ask(expired, documents.Home, {})),
    invalid: await seen(ask(client(open, []), wrong)),
  };
}

async function strictPolicy() {
  const query = gql`
    query ApolloUnregistered {
      home {
        viewer {
          handle
        }
      }
    }
  `;
  return {
    unknownId: await seen(ask(client(registered, [byHash()]), query)),
    unregisteredText: await seen(ask(client(registered, []), query)),
    registeredText: await seen(ask(client(registered, []), documents.Home, { first: 2 })),
  };
}

report({
  everyQueryByManifest: await everyQueryByManifest(),
  automaticIds: await automaticIds(),
  hashedQueriesByGet: await hashedQueriesByGet(),
  batches: await batches(),
  writes: await writes(),
  failures: await failures(),
  strictPolicy: await strictPolicy(),
});
