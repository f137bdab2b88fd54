-- Tesouro: the users of an organization and of all below it, by cursor pages.

return {
  name = "tesouro",
  base_url = { production = "https://api.tesouro.com", sandbox = "https://api.sandbox.tesouro.com" },
  auth = {
    type = "client_credentials",
    path = "/openid/connect/token",
    body = "form",
    credentials = "body",
    expired = { status = 400, message = "token has been expired" },
  },
  users = {
    path = "/identity/v1/users",
    items = "/data",
    paging = {
      type = "cursor",
      query = "PaginationToken",
      next = "/nextPaginationToken",
      previous = "/prevPaginationToken",
      size = "Limit",
      max_size = 100,
    },
    filters = {
      status = { query = "Status", enum = { "ACTIVE", "INACTIVE", "INVITED", "ALL" } },
      organization_type = {
        query = "OrganizationType",
        enum = { "BANK", "EMBEDDED", "PLATFORM", "TRANSACTOR", "VERTICAL_SOFTWARE_PROVIDER" },
      },
      organization_id = { header = "X-Organization-ID", format = "uuid" },
    },
    fields = {
      account_id = "/organizationId",
      account_name = "/organizationName",
      created_at = "/createdDateTime",
      last_seen_at = "/lastLoggedInDateTime",
      role_names = { list = { "/role" } },
    },
  },
}
