// What the Node peers share: settings, pooled calls to the stub services, loaders.
import { readFileSync } from 'node:fs'
import DataLoader from 'dataloader'
import { Pool } from 'undici'

export const settings = JSON.parse(process.env.BENCH)
export const sdl = readFileSync(settings.sdl, 'utf8')
export const { id: documentId, text: documentText } = settings.operation

// Without pipelining, as undici comes: few proxies take it, and one slow answer holds the others.
const { CONNECTIONS = '64', PIPELINING = '1' } = process.env
const options = { connections: Number(CONNECTIONS), pipelining: Number(PIPELINING) }
const pools = Object.fromEntries(
  Object.entries(settings.services).map(([name, url]) => [name, new Pool(url, options)])
)

// One call as bytes and back; the rows with features wrap it.
export async function send(service, method, path, headers, body) {
  const answer = await pools[service].request({ method, path, headers, body })
  if (answer.statusCode !== 200) throw new Error(`${service} answered ${answer.statusCode}`)
  return answer.body.json()
}

// `call` is `send` or a wrapped one, `viewer` the account the calls speak for.
export class Upstream {
  constructor(viewer, call = send) {
    this.viewer = viewer
    this.call = call
    this.cards = new DataLoader(ids => this.batch('accounts', '/v1/cards/batch', ids, 'cards', 'id'))
    this.stats = new DataLoader(ids => this.batch('content', '/v1/stats/batch', ids, 'stats', 'item_id'))
  }

  feed(first) {
    return this.call('content', 'GET', `/v1/feed?first=${first}`, { 'x-viewer': this.viewer })
  }

  inboxHead(first) {
    return this.call('notifications', 'GET', `/v1/inbox/head?first=${first}`, { 'x-viewer': this.viewer })
  }

  async batch(service, path, ids, name, key) {
    const body = JSON.stringify({ ids })
    const answer = await this.call(service, 'POST', path, { 'content-type': 'application/json' }, body)
    const found = new Map()
    for (const record of answer[name]) found.set(record[key], record)
    return ids.map(id => found.get(id) ?? null)
  }
}
