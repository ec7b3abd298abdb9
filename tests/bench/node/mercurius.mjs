// Mercurius as strong as it gets: jit, DataLoader, undici's pooled request. With FEATURES=1 also
// what our gateway does beside executing.
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { Observed, viewerOf } from './features.mjs'
import { schema } from './resolvers.mjs'
import { documentId, documentText, settings, Upstream } from './upstream.mjs'

const features = process.env.FEATURES === '1'
const app = Fastify({ logger: false })

const persistedQueryProvider = {
  isPersistedQuery: request => !request.query && request.extensions?.persistedQuery !== undefined,
  getHash: request => request.extensions.persistedQuery.sha256Hash,
  getQueryFromHash: async hash => (hash === documentId ? documentText : undefined)
}

function bare(request) {
  return { upstream: new Upstream(request.headers['x-user']) }
}

async function observed(request) {
  const seen = request.observed
  const viewer = await viewerOf(request.headers.authorization)
  const call = (service, method, path, headers, body) => seen.call(service, method, path, headers, body)
  return { upstream: new Upstream(viewer, call) }
}

if (features) {
  app.decorateRequest('observed', null)
  app.addHook('onRequest', (request, reply, done) => {
    request.observed = new Observed()
    reply.header('x-request-id', request.observed.id)
    done()
  })
}

app.addHook('onSend', (request, reply, payload, done) => {
  let body = payload
  if (features) {
    if (request.method === 'GET') {
      const tag = `W/"${createHash('sha1').update(payload).digest('base64url')}"`
      reply.header('etag', tag)
      reply.header('cache-control', 'private, no-cache')
      if (request.headers['if-none-match'] === tag) {
        reply.code(304)
        body = ''
      }
    }
    request.observed.answered(reply.statusCode, payload.length)
  }
  if (body.length > 860 && request.headers['accept-encoding'] === 'gzip') {
    reply.header('content-encoding', 'gzip')
    // Not the asynchronous one: its threads cost more CPU than they free.
    body = gzipSync(body, { level: 1 })
    reply.removeHeader('content-length')
  }
  done(null, body)
})

app.register(mercurius, {
  schema, jit: 1, path: '/graphql', context: features ? observed : bare, persistedQueryProvider
})
await app.listen({ port: settings.port, host: '127.0.0.1' })
