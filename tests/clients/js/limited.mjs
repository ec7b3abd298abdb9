// What Apollo Client and urql give to the app when the gateway limits (429) or sheds (503).
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { Client, fetchExchange, gql as urqlGql } from "@urql/core";
import { bearer, recorder, report, setting } from "./app.mjs";

const recording = recorder();
const times = 12;
const url = `${setting("URL")}/graphql`;
// One asks a service, and each something else, so that no library joins them.
const text = "query Limited($first: Int!) { home { feed(first: $first) { edges { cursor } } } }";

const codesOf = (errors) =>
  (errors ?? []).map(({ message, extensions }) => ({ message, extensions: extensions ?? {} }));

async function apollo(headers) {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new HttpLink({ uri: url, fetch: recording.fetch, headers }),
  });
  const one = async (first) => {
    try {
      const asked = { query: gql(text), variables: { first }, fetchPolicy: "no-cache", errorPolicy: "all" };
      const { data, error } = await client.query(asked);
      return { data: data ?? null, kind: error?.name ?? null, errors: codesOf(error?.errors) };
    } catch (error) {
      return {
        data: null,
        kind: error.name,
        errors: codesOf(error.errors),
      };
    }
  };
  return all(one);
}

async function urql(headers) {
  const client = new Client({
    url,
    fetch: recording.fetch,
    fetchOptions: { headers },
    exchanges: [fetchExchange],
  });
  const one = async (first) => {
    const { data, error } = await client
      .query(urqlGql(text), { first }, { requestPolicy: "network-only" })
      .toPromise();
    return {
      data: data ?? null,
      network: error?.networkError ? String(error.networkError) : null,
      errors: codesOf(error?.graphQLErrors),
      status: error?.response?.status ?? null,
    };
  };
  return all(one);
}

/** At once: where one alone has room, the others find none. */
async function all(one) {
  const delivered = await Promise.all(Array.from({ length: times }, (_, number) => one(number + 1)));
  return { delivered, exchanges: recording.take() };
}

// One device may ask once; and there is room for one request at a time, whoever asks.
const signedIn = bearer(setting("TOKEN"));
report({
  apollo: await apollo({ "x-device-id": "apollo" }),
  urql: await urql({ "x-device-id": "urql" }),
  apolloShed: await apollo(signedIn),
  urqlShed: await urql(signedIn),
});
