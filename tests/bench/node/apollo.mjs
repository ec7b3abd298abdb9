// Apollo Server 5 as its own standalone server; the operation is known to it as an automatically
// persisted query, its only form of look-up by id.
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { schema } from './resolvers.mjs'
import { documentId, documentText, settings, Upstream } from './upstream.mjs'

const context = viewer => ({ upstream: new Upstream(viewer) })
const server = new ApolloServer({ schema, introspection: false, persistedQueries: { ttl: null } })
const listen = { port: settings.port, host: '127.0.0.1' }
await startStandaloneServer(server, { listen, context: async ({ req }) => context(req.headers['x-user']) })
await server.executeOperation(
  {
    query: documentText,
    variables: { first: 1, latest: 1 },
    extensions: { persistedQuery: { version: 1, sha256Hash: documentId } }
  },
  { contextValue: context('acc_00001') }
)
