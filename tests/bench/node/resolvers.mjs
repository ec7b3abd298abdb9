// The home screen's resolvers, the same for every Node peer; context is {upstream}.
import { makeExecutableSchema } from '@graphql-tools/schema'
import { sdl } from './upstream.mjs'

const MEDIA = 'https://media.facet.local'
const LINK = 'https://facet.local/i'
const KINDS = { article: 'Article', video: 'Video', collection: 'Collection' }

const item = {
  publishedAt: item => item.published_at,
  author: (item, _, { upstream }) => upstream.cards.load(item.author_id),
  stats: (item, _, { upstream }) => upstream.stats.load(item.id),
  handoffUrl: item => `${LINK}/${item.id}`
}

const resolvers = {
  Query: { home: () => ({}) },
  HomeScreen: {
    viewer: (_, __, { upstream }) => upstream.cards.load(upstream.viewer),
    feed: (_, { first }, { upstream }) => upstream.feed(first),
    inbox: (_, { first }, { upstream }) => upstream.inboxHead(first)
  },
  FeedPage: { endCursor: page => page.next_cursor, hasMore: page => page.has_more },
  FeedItem: { __resolveType: item => KINDS[item.kind] },
  FeedReason: {
    FOLLOWED_TOPIC: 'followed_topic',
    POPULAR: 'popular',
    BECAUSE_YOU_SAVED: 'because_you_saved',
    NEW: 'new'
  },
  Article: { ...item, readingMinutes: item => item.reading_minutes },
  Video: { ...item, durationS: item => item.duration_s },
  Collection: { ...item, itemCount: item => item.item_count },
  Progress: { positionS: progress => progress.position_s, updatedAt: progress => progress.updated_at },
  AccountCard: { displayName: card => card.display_name, followerCount: card => card.follower_count },
  Image: {
    url: (image, { points, scale }) => `${MEDIA}/${image.key}/w${Math.min(points * scale, image.width)}.heic`,
    blurHash: image => image.blur_hash
  },
  Notification: {
    createdAt: row => row.created_at,
    readAt: row => row.read_at,
    actor: (row, _, { upstream }) => (row.actor_id === null ? null : upstream.cards.load(row.actor_id))
  },
  NotificationKind: {
    LIKE: 'like',
    COMMENT: 'comment',
    FOLLOW: 'follow',
    MENTION: 'mention',
    NEW_CONTENT: 'new_content',
    SYSTEM: 'system'
  }
}

export const schema = makeExecutableSchema({
  typeDefs: sdl,
  resolvers,
  resolverValidationOptions: { requireResolversForResolveType: 'ignore' }
})
