// Yoga with graphql-jit, on Node's own server.
import { createServer } from 'node:http'
import { useGraphQlJit } from '@envelop/graphql-jit'
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations'
import { createYoga } from 'graphql-yoga'
import { schema } from './resolvers.mjs'
import { documentId, documentText, settings, Upstream } from './upstream.mjs'

const yoga = createYoga({
  schema,
  logging: 'error',
  graphiql: false,
  landingPage: false,
  parserAndValidationCache: true,
  context: ({ request }) => ({ upstream: new Upstream(request.headers.get('x-user')) }),
  plugins: [
    usePersistedOperations({ getPersistedOperation: id => (id === documentId ? documentText : null) }),
    useGraphQlJit()
  ]
})
createServer(yoga).listen(settings.port, '127.0.0.1')
