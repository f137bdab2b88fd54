-- Dintero: the users of an account, in one body.

return {
  name = "dintero",
  base_url = { production = "https://api.dintero.com" },
  auth = {
    type = "client_credentials",
    path = "/v1/accounts/{account}/auth/token",
    body = "json",
    credentials = "basic",
    -- The same whatever host the request goes to.
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
}
