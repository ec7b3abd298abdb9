"""A schema of the day a build was made, the one in force since, and a document the build sends."""

from __future__ import annotations

from graphql import build_schema

BUILT = build_schema("""
type Query { home: Home! account(id: ID!): Account }
type Mutation { save(input: SaveInput!): Saved drop(input: SaveInput!): Saved }
type Home {
  feed(first: Int = 20, sort: Sort, ids: [ID!]): Page
  viewer: Account
  likes: Int!
  comments: Int!
  headline: String
  tagline: String
  score: Float
  grid: [[Int!]]!
  mood: Mood!
}
type Page { entries: [Entry!]! end: String more: Boolean! }
union Entry = Article | Video
interface Item { id: ID! title: String! image: Image author: Account }
type Article implements Item {
  id: ID! title: String! image: Image author: Account minutes: Int! kicker: String
}
type Video implements Item { id: ID! title: String! image: Image author: Account seconds: Int! }
type Image { url(points: Int = 96): String! alt: String }
type Account { id: ID! name: String! }
type Saved { id: ID! saved: Boolean! }
enum Mood { GOOD BAD }
enum Sort { NEW OLD }
input SaveInput { id: ID! note: String where: Place }
input Place { shelf: String! row: Int = 1 }
""")

NOW = build_schema("""
type Query { home: Home! start: Home! account(id: ID!): Account person(id: ID!): Account }
type Mutation {
  save(input: SaveInput!): Saved keep(input: KeepInput!): Saved drop(input: SaveInput!): Saved
}
type Home {
  feed(first: Int = 50, sort: Sort, ids: [ID!]): Page
  stream(first: Int = 50): Page!
  viewer: Account
  likes: Int!
  applause: Int!
  comments: Int!
  slogan: String!
  tagline: String!
  score: Float
  grid: [[Int!]!]!
  flat: [Int!]!
  mood: Mood!
  oldMood: OldMood!
  moodWord: String!
}
type Page { entries: [Entry!]! end: String more: Boolean! }
union Entry = Article | Video | Podcast
interface Item { id: ID! title: String! image: Image author: Account }
interface Timed { length: Int! }
type Article implements Item {
  id: ID! title: String! image: Image author: Account minutes: Int! kicker: String
}
type Video implements Item & Timed {
  id: ID! title: String! image: Image author: Account seconds: Int! length: Int!
}
type Podcast implements Item & Timed {
  id: ID! title: String! image: Image author: Account length: Int!
}
type Image { url(points: Int = 120): String! small: String! alt: String }
type Account { id: ID! name: String! nickname: String handle: String! }
type Saved { id: ID! saved: Boolean! }
enum Mood { GOOD BAD MIXED }
enum OldMood { GOOD BAD }
enum Sort { NEW }
input SaveInput { id: ID! note: String where: Place }
input KeepInput { id: ID! note: String where: Place pinned: Boolean }
input Place { shelf: String! row: Int = 1 }
directive @quick on FIELD | QUERY | FRAGMENT_SPREAD | INLINE_FRAGMENT | VARIABLE_DEFINITION
directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
""")

HOME = """
query Home($first: Int! = 20, $withViewer: Boolean! = true, $brief: Boolean!, $ids: [ID!]) {
  home {
    __typename
    feed(first: $first, ids: $ids) {
      entries {
        __typename
        ... on Item { ...Card }
        ... on Article { minutes kicker }
        ... on Video { seconds }
      }
      end
    }
    viewer @include(if: $withViewer) { id name }
    likes
    comments
    tagline
    grid
    mood
    score @skip(if: $brief)
  }
}
fragment Card on Item { id title image { thumbnail: url(points: 96) cover: url(points: 358) } }
"""

SAVE = """
mutation Save($input: SaveInput!) {
  save(input: $input) { id saved }
}
"""
