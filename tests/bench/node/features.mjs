// What our gateway does beside executing, done for a Node peer by hand and as cheaply as it goes:
// access tokens checked and remembered, spans that are not sampled, metrics, one log line, headers.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'
import { createLocalJWKSet, jwtVerify } from 'jose'
import pino from 'pino'
import { Counter, Histogram } from 'prom-client'
import { send, settings } from './upstream.mjs'

const REMEMBER_MS = 60_000
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5]

const keys = createLocalJWKSet(JSON.parse(readFileSync(settings.publicKeys, 'utf8')))
const known = new Map()

// The account of an access token; its signature is checked once a minute, its expiry always.
export async function viewerOf(authorization) {
  const token = authorization.slice('Bearer '.length)
  const now = Date.now()
  const found = known.get(token)
  if (found !== undefined && now < found.until) return found.viewer
  const { payload } = await jwtVerify(token, keys, {
    issuer: 'https://accounts.facet.local', audience: 'facet', algorithms: ['ES256'], typ: 'at+jwt'
  })
  known.set(token, { viewer: payload.sub, until: Math.min(now + REMEMBER_MS, payload.exp * 1000) })
  return payload.sub
}

const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0) })
const tracer = new BasicTracerProvider({ sampler }).getTracer('peer')
const propagator = new W3CTraceContextPropagator()
const setter = { set: (headers, name, value) => { headers[name] = value } }

const requests = new Counter({ name: 'requests', help: 'Operations answered', labelNames: ['screen', 'outcome'] })
const seconds = new Histogram({ name: 'request_seconds', help: 'Time to the answer', labelNames: ['screen'], buckets: BUCKETS })
const calls = new Counter({ name: 'calls', help: 'Calls to services', labelNames: ['service', 'outcome'] })
const callSeconds = new Histogram({ name: 'call_seconds', help: 'Time of one call', labelNames: ['service'], buckets: BUCKETS })
const log = pino(pino.destination({ dest: 1, sync: false, minLength: 4096 }))

// One request's: begun when it came, ended when its answer is made.
export class Observed {
  constructor() {
    this.id = randomUUID()
    this.started = performance.now()
    this.span = tracer.startSpan('GET /graphql', { kind: SpanKind.SERVER }, ROOT_CONTEXT)
    this.span.setAttribute('request_id', this.id)
    this.context = trace.setSpan(ROOT_CONTEXT, this.span)
    this.calls = 0
  }

  async call(service, method, path, headers, body) {
    const span = tracer.startSpan(service, { kind: SpanKind.CLIENT }, this.context)
    const began = performance.now()
    let outcome = 'ok'
    this.calls += 1
    headers.authorization = 'Bearer made-once-in-five-minutes'
    headers['x-request-id'] = this.id
    propagator.inject(trace.setSpan(this.context, span), headers, setter)
    try {
      return await send(service, method, path, headers, body)
    } catch (error) {
      outcome = 'failed'
      throw error
    } finally {
      span.end()
      calls.inc({ service, outcome })
      callSeconds.observe({ service }, (performance.now() - began) / 1000)
    }
  }

  answered(status, bytes) {
    const ms = performance.now() - this.started
    this.span.end()
    requests.inc({ screen: 'home', outcome: status === 200 ? 'ok' : 'failed' })
    seconds.observe({ screen: 'home' }, ms / 1000)
    log.info({ request_id: this.id, status, bytes, upstream_calls: this.calls, ms }, 'answered')
  }
}
