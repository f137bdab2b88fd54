-- SCIM 2.0: the users of any SCIM service. The base URL is the service's own, such as https://api.acme.example/scim/v2.
-- Protocol: RFC 7644, 3.4.2; users: RFC 7643, 4.1.

return {
  name = "scim",
  base_url = false,
  headers = { Accept = "application/scim+json" },
  users = {
    path = "/Users",
    items = "/Resources",
    -- startIndex counts from 1. A server may return fewer than `count`, but not more (3.4.2.4); many allow at most 100.
    paging = {
      type = "offset",
      query = "startIndex",
      start = 1,
      total = "/totalResults",
      size = "count",
      max_size = 100,
    },
    filters = {
      filter = { query = "filter" },
      attributes = { query = "attributes", list = "comma" },
      excluded_attributes = { query = "excludedAttributes", list = "comma" },
      sort_by = { query = "sortBy" },
      sort_order = { query = "sortOrder", enum = { "ascending", "descending" } },
    },
    fields = {
      email = { pick = "/emails", where = "/primary", take = "/value" },
      name = { first = { "/displayName", "/name/formatted", { join = { "/name/givenName", "/name/familyName" } } } },
      status = { flag = "/active", yes = "ACTIVE", no = "INACTIVE" },
      created_at = "/meta/created",
      updated_at = "/meta/lastModified",
      role_names = { each = "/roles", take = "/value" },
    },
  },
}
