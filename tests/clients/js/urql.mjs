// urql with its persisted exchange, in each of its ways to send an id.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { bearer, operations, recorder, report, setting } from "./app.mjs";

const open = `${setting("OPEN_URL")}/graphql`;
const registered = `${setting("REGISTERED_URL")}/graphql`;
const token = setting("TOKEN");
const documents = operations(setting("OPERATIONS"));
const manifest = JSON.parse(readFileSync(setting("APOLLO_MANIFEST"), "utf8"));
const ids = Object.fromEntries(manifest.operations.map(({ name, id }) => [name, id]));

const nameOf = (document) =>
  document.definitions.find(({ kind }) => kind === "OperationDefinition").name.value;
const generateHash = async (_text, document) => ids[nameOf(document)];

const recording = recorder();

function client(url, exchanges, as = token) {
  return new Client({
    url,
    fetch: recording.fetch,
    fetchOptions: { headers: bearer(as) },
    exchanges: [...exchanges, fetchExchange],
  });
}

async function seen(sent) {
  const { data, error } = await sent.toPromise();
  const errors = (error?.graphQLErrors ?? []).map(({ message, path, extensions }) => ({
    message,
    path: path ?? null,
    code: extensions?.code ?? null,
  }));
  const network = error?.networkError ? String(error.networkError) : null;
  return {
    delivered: [{ data: data ?? null, error: error ? { errors, network } : null }],
    exchanges: recording.take(),
  };
}

/** Twice, each time with a client that remembers nothing. */
async function twice(query, options) {
  const once = () => seen(client(open, [persistedExchange(options)]).query(query, {}));
  return { miss: await once(), hit: await once() };
}

const screen = (name) => `query ${name} { home { inbox { unread } viewer { handle } } }`;

const byManifest = [persistedExchange({ generateHash, enableForMutation: true })];
const home = await seen(client(open, []).query(documents.Home, { first: 1 }));
const itemId = home.delivered[0].data.home.feed.edges[0].node.id;
const save = { input: { idempotencyKey: randomUUID(), itemId } };

report({
  plainText: await seen(client(open, []).query(screen("UrqlPlain"), {})),
  defaults: await twice(screen("UrqlDefault"), {}),
  post: await twice(screen("UrqlPost"), { preferGetForPersistedQueries: false }),
  get: await twice(screen("UrqlGet"), { preferGetForPersistedQueries: "force" }),
  manifest: await seen(client(registered, byManifest).query(documents.Home, { first: 3 })),
  partial: await seen(client(registered, byManifest, "").query(documents.Content, { id: itemId })),
  unknownId: await seen(client(registered, [persistedExchange({})]).query(screen("UrqlNew"), {})),
  enforced: await seen(
    client(open, [persistedExchange({ enforcePersistedQueries: true })]).query(
      screen("UrqlEnforced"),
      {},
    ),
  ),
  saved: await seen(client(registered, byManifest).mutation(documents.SaveItem, save)),
});
