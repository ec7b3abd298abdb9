// Relay's runtime over the compiler's artifacts: documents by id, pages of a connection, errors.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import relay from "relay-runtime";
import { bearer, recorder, report, setting } from "./app.mjs";

const {
  Environment,
  Network,
  RecordSource,
  Store,
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getPaginationMetadata,
  getPaginationVariables,
  getSingularSelector,
} = relay;

const registered = `${setting("REGISTERED_URL")}/graphql`;
const token = setting("TOKEN");
const require = createRequire(import.meta.url);
const artifact = (name) => require(join(setting("RELAY_ARTIFACTS"), `${name}.graphql.js`));

const recording = recorder();

// Relay reports what it finds wrong with a server's answers on the console only.
const warnings = [];
console.error = (...parts) => warnings.push(parts.join(" "));

// Relay leaves the body to the app; these are the ways apps write the id into it.
const BODIES = {
  id: (id, variables) => ({ id, variables }),
  doc_id: (id, variables) => ({ doc_id: id, variables }),
  documentId: (id, variables) => ({ documentId: id, variables }),
  prefixed: (id, variables) => ({ documentId: `sha256:${id}`, variables }),
};

function environment(url, { body = BODIES.id, as = token, idOf = (params) => params.id } = {}) {
  const headers = {
    "content-type": "application/json",
    accept: "application/graphql-response+json, application/json",
    "graphql-client-name": "facet-web-relay",
    "graphql-client-version": setting("RELAY_RELEASE"),
    ...bearer(as),
  };
  const network = Network.create(async (params, variables) => {
    if (params.text !== null) throw new Error(`${params.name} was compiled with its text`);
    const sent = JSON.stringify(body(idOf(params), variables));
    const response = await recording.fetch(url, { method: "POST", headers, body: sent });
    return response.json();
  });
  return new Environment({ network, store: new Store(new RecordSource()), getDataID });
}

/** An item's card and its page share the item's id: a record is told by its type as well. */
function getDataID(record, typename) {
  return record.id == null ? null : `${typename}:${record.id}`;
}

/** A component's data together with that of the fragments below it, which Relay hides from it. */
function unmasked(env, data) {
  if (Array.isArray(data)) return data.map((one) => unmasked(env, one));
  if (data === null || typeof data !== "object") return data;
  const isShown = (key) => key === "__typename" || !key.startsWith("__");
  const shown = Object.entries(data).filter(([key]) => isShown(key));
  const own = Object.fromEntries(shown.map(([key, value]) => [key, unmasked(env, value)]));
  const below = Object.keys(data.__fragments ?? {}).map((name) => {
    const selector = getSingularSelector(artifact(name), data);
    return unmasked(env, env.lookup(selector).data);
  });
  return Object.assign(own, ...below);
}

async function seen(promise) {
  const delivered = await promise.then(
    ({ data, errors = null }) => ({ data, errors, thrown: null }),
    (error) => ({
      data: null,
      errors: null,
      thrown: { name: error.name, errors: error.source?.errors ?? null },
    }),
  );
  return { delivered: [delivered], exchanges: recording.take() };
}

async function ask(env, name, variables) {
  const data = await fetchQuery(env, artifact(name), variables).toPromise();
  return { data: unmasked(env, data) };
}

const write = (env, name, input) =>
  new Promise((resolve, reject) => {
    commitMutation(env, {
      mutation: artifact(name),
      variables: { input },
      onCompleted: (data, errors) => resolve({ data: unmasked(env, data), errors }),
      onError: reject,
    });
  });

/** The feed as its component would read it from the store. */
function feedIn(env, count) {
  const query = artifact("HomeFeedQuery");
  const operation = createOperationDescriptor(query, { count });
  const root = env.lookup(operation.fragment).data;
  const selector = getSingularSelector(artifact("HomeFeed_feed"), root);
  return { selector, data: env.lookup(selector).data };
}

/** What usePaginationFragment does when the reader reaches the end. */
async function nextPage(env, count, feed) {
  const fragment = artifact("HomeFeed_feed");
  const metadata = getPaginationMetadata(fragment, "HomeFeed");
  const variables = getPaginationVariables(
    "forward",
    count,
    feed.data.home.feed.pageInfo.endCursor,
    feed.selector.owner.variables,
    {},
    metadata.paginationMetadata,
  );
  return ask(env, metadata.paginationRequest.params.name, variables);
}

async function pages() {
  const count = 4;
  const env = environment(registered);
  const query = artifact("HomeFeedQuery");
  env.retain(createOperationDescriptor(query, { count }));
  const first = await seen(ask(env, "HomeFeedQuery", { count }));
  const before = feedIn(env, count);
  const second = await seen(nextPage(env, count, before));
  const after = feedIn(env, count);
  return { count, first, second, before: before.data.home.feed, after: after.data.home.feed };
}

async function positions() {
  const results = {};
  for (const [name, body] of Object.entries(BODIES)) {
    results[name] = await seen(ask(environment(registered, { body }), "Home", { first: 2 }));
  }
  return results;
}

async function everyQuery(id) {
  const env = environment(registered);
  const queries = { Home: {}, Profile: {}, Inbox: {}, Content: { id }, PublicContent: { id } };
  const results = {};
  for (const [name, variables] of Object.entries(queries)) {
    results[name] = await seen(ask(env, name, variables));
  }
  return results;
}

const paged = await pages();
const { id } = paged.after.edges[0].node;
const results = {
  pages: paged,
  positions: await positions(),
  everyQuery: await everyQuery(id),
  saved: await seen(
    write(environment(registered), "SaveItem", { idempotencyKey: randomUUID(), itemId: id }),
  ),
  partial: await seen(ask(environment(registered, { as: "" }), "Content", { id })),
  unknownId: await seen(
    ask(environment(registered, { idOf: () => "0".repeat(64) }), "Home", { first: 1 }),
  ),
};
report({ ...results, warnings });
