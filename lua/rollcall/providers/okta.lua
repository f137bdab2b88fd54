-- Okta: the users of an organization, whose own address is the base URL, such as https://acme.okta.com.
-- https://developer.okta.com/docs/reference/api/users/, "List Users"; the SSWS scheme, links and limits:
-- https://developer.okta.com/docs/reference/core-okta-api/ and .../rl-best-practices/.
-- Without a filter or a search the server leaves out deprovisioned users.

return {
  name = "okta",
  base_url = false,
  auth = { type = "header", name = "Authorization", prefix = "SSWS " },
  users = {
    path = "/api/v1/users",
    items = "",
    paging = { type = "link", size = "limit", max_size = 200 },
    filters = {
      filter = { query = "filter" },
      search = { query = "search" },
      q = { query = "q" },
      -- only with a search
      sort_by = { query = "sortBy" },
      sort_order = { query = "sortOrder", enum = { "asc", "desc" } },
    },
    fields = {
      email = "/profile/email",
      name = { first = { "/profile/displayName", { join = { "/profile/firstName", "/profile/lastName" } } } },
      created_at = "/created",
      updated_at = "/lastUpdated",
      last_seen_at = "/lastLogin",
    },
  },
}
