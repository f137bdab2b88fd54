-- GitHub: the members of an organization. https://docs.github.com/en/rest/orgs/members, "List organization members";
-- paging and limits: "Using pagination in the REST API" and "Rate limits for the REST API" there.
-- A member has a login and a number; email and name are in the answer only if GitHub gives them.

return {
  name = "github",
  base_url = { production = "https://api.github.com" },
  headers = { Accept = "application/vnd.github+json", ["X-GitHub-Api-Version"] = "2022-11-28" },
  options = {
    org = {
      pattern = { "^%w[%w_-]*$" },
      expected = "an organization's login",
      list = "orgs",
      required = true,
    },
  },
  users = {
    path = "/orgs/{org}/members",
    items = "",
    paging = { type = "link", previous = "prev", size = "per_page", max_size = 100 },
    filters = {
      filter = { query = "filter", enum = { "2fa_disabled", "all" } },
      role = { query = "role", enum = { "all", "admin", "member" } },
    },
    fields = { name = { first = { "/name", "/login" } }, account_id = { option = "org" } },
  },
}
