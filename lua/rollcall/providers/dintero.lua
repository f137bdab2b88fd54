-- Dintero: the users of an account, in one body; a partner's merchants and an account's roles, in pages.
-- The wire facts of the last two: https://docs.dintero.com/docs/partners/list-merchants and
-- https://docs.dintero.com/management-auth-api/roles/aid_auths_roles_get

--- Nothing marks the last page, so a walk ends with an empty one. The next page starts after the last object's
--- paging_token, or after its id if it has none.
local function paging(id)
  return {
    type = "after",
    query = "starting_after",
    item = { "/paging_token", id },
    size = "limit",
    max_size = 100,
  }
end

return {
  name = "dintero",
  base_url = { production = "https://api.dintero.com" },
  auth = {
    type = "client_credentials",
    path = "/v1/accounts/{account}/auth/token",
    body = "json",
    credentials = "basic",
    -- The same for every host.
    audience = "https://api.dintero.com/v1/accounts/{account}",
  },
  options = {
    account = {
      pattern = { "^[PT]%d%d%d$", "^[PT]%d%d%d%d%d%d%d%d$" },
      expected = "an account id: P or T and then 3 or 8 digits",
      list = "accounts",
      required = true,
    },
  },
  users = {
    path = "/v1/accounts/{account}/management/users",
    items = "",
    paging = { type = "none" },
    filters = {
      expand = { query = "expand", enum = { "roles" }, list = "comma" },
      search = { query = "search" },
    },
    fields = {
      status = { present = "/deleted_at", yes = "DELETED", no = "ACTIVE" },
      account_id = { option = "account" },
      role_names = { each = "/roles", take = "/name" },
      mfa = {
        any = { "/configuration/mfa/sms/enabled", "/configuration/mfa/totp/enabled" },
        within = "/configuration/mfa",
      },
    },
  },
  collections = {
    -- Of a partner's account.
    accounts = {
      path = "/v1/accounts/{account}/management/accounts",
      items = "",
      id = "account_id",
      paging = paging "/account_id",
      filters = {
        country = { query = "country" },
        services = { query = "services" },
      },
      fields = { id = "/account_id", name = "/company/business_name" },
    },
    roles = {
      path = "/v1/accounts/{account}/auth/roles",
      items = "",
      paging = paging "/id",
      filters = {
        name = { query = "name" },
        include_deleted = { query = "include_deleted", format = "boolean" },
      },
      fields = { account_id = { option = "account" } },
    },
  },
}
