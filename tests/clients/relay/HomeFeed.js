import { graphql } from "relay-runtime";

// A home screen whose feed goes on as the reader scrolls, the way Relay apps write it.
graphql`
  query HomeFeedQuery($count: Int!) {
    home {
      viewer {
        handle
      }
    }
    ...HomeFeed_feed @arguments(count: $count)
  }
`;

graphql`
  fragment HomeFeed_feed on Query
  @refetchable(queryName: "HomeFeedPageQuery")
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" }) {
    home {
      feed(first: $count, after: $cursor) @connection(key: "HomeFeed_feed") {
        edges {
          saved
          node {
            ... on Item {
              id
              title
            }
          }
        }
      }
    }
  }
`;
